"""Edge fields: what images of both sensors have in common, whichever side of an edge is bright."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

BLUR_PX = 1.5
_NEIGHBOURHOOD = 0.06  # of the width: the contrast that an edge is measured against
_STRONGEST = 3.0


@dataclass(frozen=True)
class EdgeField:
    """``values``: (H, W, 2) float32, zero mean where ``mask``, 0 elsewhere. ``mask``: (H, W) bool, where it is known.

    The two values of a pixel are its contrast times (cos, sin) of twice the edge's direction: light to dark and dark
    to light are the same, edges that cross cancel.
    """

    values: np.ndarray
    mask: np.ndarray


def edge_field(grey: np.ndarray, mask: np.ndarray, blur_px: float = BLUR_PX) -> EdgeField:
    """The edges of ``grey`` (H, W) float32, of any range, where ``mask`` (H, W) bool."""
    smooth = cv2.GaussianBlur(grey, (0, 0), blur_px)
    slope_x, slope_y = (cv2.Sobel(smooth, cv2.CV_32F, *order, scale=1 / 8) for order in ((1, 0), (0, 1)))
    margin = 2 * round(2 * blur_px) + 1
    mask = cv2.erode(mask.astype(np.uint8), np.ones((margin, margin), np.uint8), borderValue=0) > 0
    slope_x, slope_y = slope_x * mask, slope_y * mask
    strength = cv2.magnitude(slope_x, slope_y)
    known = max(int(mask.sum()), 1)
    side = max(3, int(_NEIGHBOURHOOD * grey.shape[1]) | 1)
    near = cv2.blur(strength, (side, side))
    contrast = strength / (near + float(strength.sum()) / known + 1e-6)
    weight = np.minimum(contrast, _STRONGEST) / np.maximum(strength, 1e-9) ** 2
    values = np.stack(((slope_x**2 - slope_y**2) * weight, 2 * slope_x * slope_y * weight), axis=2)
    values -= np.array(cv2.sumElems(values)[:2], np.float32) / known
    return EdgeField(values * mask[:, :, None], mask)


def correlation(first: EdgeField, second: EdgeField) -> float:
    """-1 to 1: how alike two fields are where both are known; 0 if one is flat."""
    both = (first.mask & second.mask)[:, :, None]
    a, b = first.values * both, second.values * both
    scale = float(np.sqrt(np.vdot(a, a) * np.vdot(b, b)))
    return float(np.vdot(a, b)) / scale if scale else 0.0
