"""The guided filter (He, Sun, Tang 2010): smoothing that follows the edges of another image."""

from __future__ import annotations

import cv2
import numpy as np


def guided_filter(guide: np.ndarray, image: np.ndarray, radius: int, epsilon: float) -> np.ndarray:
    """``image`` as a line in ``guide``, fitted in every window and averaged over the windows that hold a pixel.

    ``guide``, ``image``: (H, W) float64, any range. Windows have 2 ``radius`` + 1 pixels a side and end at the border.
    ``epsilon``: penalty of the line's slope, in squared units of ``guide``. Returns (H, W) float64.
    """
    pixels = _sum(np.ones_like(guide), radius)

    def mean(values: np.ndarray) -> np.ndarray:
        return _sum(values, radius) / pixels

    mean_guide, mean_image = mean(guide), mean(image)
    variance = mean(guide * guide) - mean_guide**2
    slope = (mean(guide * image) - mean_guide * mean_image) / (variance + epsilon)
    return mean(slope) * guide + mean(mean_image - slope * mean_guide)


def _sum(values: np.ndarray, radius: int) -> np.ndarray:
    side = 2 * radius + 1
    return cv2.boxFilter(values, cv2.CV_64F, (side, side), normalize=False, borderType=cv2.BORDER_CONSTANT)
