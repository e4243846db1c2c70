"""Resampling of float images with holes, which give no value to their neighbours."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from mrfs_ros.geometry.camera_models import Size


def resized(image: np.ndarray, size: Size) -> np.ndarray:
    """(h, w) ``image`` of uint8 or float32 scaled to ``size`` (H, W), itself if it has that size.

    Bilinear where it grows, the mean of an area where it shrinks.
    """
    if image.shape == tuple(size):
        return image
    how = cv2.INTER_AREA if image.shape[0] > size[0] else cv2.INTER_LINEAR
    return cv2.resize(image, tuple(size)[::-1], interpolation=how)


def with_holes(resample: Callable[[np.ndarray], np.ndarray], image: np.ndarray) -> np.ndarray:
    """``resample(image)`` of (h, w) float32, whose NaN are holes: NaN where a hole has any weight, else without it.

    ``resample``: linear, such as an interpolation.
    """
    holes = np.isnan(image)
    if not holes.any():
        return resample(image)
    resampled = resample(np.where(holes, np.float32(0), image))
    return np.where(resample(holes.astype(np.float32)) > 0, np.float32(np.nan), resampled)
