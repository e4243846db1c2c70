"""Checks of the frames that every calibration makes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mrfs_ros.errors import ConfigError
from mrfs_ros.geometry.camera_models import Size


def check_pairs(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[Size, Size]:
    """Sizes (H, W) of the rgb and of the thermal images of all ``pairs``; ConfigError if there are none or several."""
    if not pairs:
        raise ConfigError("no pairs of frames to calibrate with")
    sizes = {(rgb.shape[:2], thermal.shape) for rgb, thermal in pairs}
    if len(sizes) > 1:
        listed = "; ".join(f"rgb {r[0]}x{r[1]} with thermal {t[0]}x{t[1]}" for r, t in sorted(sizes)[:3])
        raise ConfigError(f"the pairs have different sizes (HxW): {listed}: calibrate with frames of one recording")
    return next(iter(sizes))
