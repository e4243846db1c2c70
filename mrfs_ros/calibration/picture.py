"""Frames before and after a calibration, side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mrfs_ros.draw import alignment, contact_sheet
from mrfs_ros.geometry.camera_models import Homography
from mrfs_ros.geometry.registration import Registration

_FRAMES = 3


def before_after(pairs: Sequence[tuple[np.ndarray, np.ndarray]], before: Homography, after: Homography) -> np.ndarray:
    """Up to three of ``pairs`` (rgb (H, W, 3) uint8 RGB, thermal (h, w) uint8), spread over all, a row each.

    Returns (H, W, 3) uint8 RGB.
    """
    shown = np.unique(np.linspace(0, len(pairs) - 1, min(_FRAMES, len(pairs))).round().astype(int))
    rows = []
    for i in shown:
        rgb, thermal = pairs[i]
        row = {}
        for title, calibration in (("before", before), ("after", after)):
            warped, valid = Registration(calibration).warp(thermal, rgb.shape[:2])
            row[f"{title}; edges of thermal orange, of rgb cyan"] = alignment(rgb, warped, valid)
        rows.append(row)
    return contact_sheet(rows, panel_width=640)
