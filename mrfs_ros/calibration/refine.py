"""The fine search: Gauss-Newton steps that raise the correlation of the edge fields of all frames jointly.

Enhanced correlation coefficient: Evangelidis and Psarakis, IEEE TPAMI 30(10), 2008.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from mrfs_ros.calibration.edges import EdgeField, correlation
from mrfs_ros.calibration.views import View, thermal_field

FREEDOMS = {"similarity": 4, "affine": 6, "homography": 8}
_STEPS = 20
_SMALLEST_STEP_PX = 0.02
_SMALLEST_GAIN = 1e-5
_HALVINGS = 3


def refine(views: Sequence[View], matrix: np.ndarray, freedom: str) -> tuple[np.ndarray, float]:
    """Improve ``matrix`` (3x3, centred rgb to centred thermal coordinates) by a warp of ``freedom``.

    Returns the matrix and its score: the mean correlation of the views.
    """
    fields = [thermal_field(view, matrix) for view in views]
    score = _mean(views, fields)
    for _ in range(_STEPS):
        step = _step(views, fields, freedom)
        for _ in range(_HALVINGS):
            tried = matrix @ (np.eye(3) + step)
            tried /= tried[2, 2]
            tried_fields = [thermal_field(view, tried) for view in views]
            tried_score = _mean(views, tried_fields)
            if tried_score > score:
                break
            step /= 2
        else:
            break
        gain = tried_score - score
        matrix, fields, score = tried, tried_fields, tried_score
        if gain < _SMALLEST_GAIN or np.abs(step).max() * views[0].rgb.mask.shape[1] / 2 < _SMALLEST_STEP_PX:
            break
    return matrix, score


def score_of(views: Sequence[View], matrix: np.ndarray) -> float:
    """The mean correlation of the views under ``matrix``."""
    return _mean(views, [thermal_field(view, matrix) for view in views])


def _mean(views: Sequence[View], fields: Sequence[EdgeField]) -> float:
    return float(np.mean([correlation(view.rgb, field) for view, field in zip(views, fields)]))


def _step(views: Sequence[View], fields: Sequence[EdgeField], freedom: str) -> np.ndarray:
    """(3, 3) change of the rgb coordinates that raises the correlation most."""
    count = FREEDOMS[freedom]
    normal, toward, along = np.zeros((count, count)), np.zeros(count), np.zeros(count)
    common = 0.0
    for view, field in zip(views, fields):
        slopes, rgb, thermal = _equations(view.rgb, field, freedom)
        normal += slopes @ slopes.T
        toward += slopes @ rgb
        along += slopes @ thermal
        common += float(rgb @ thermal)
    inverse = np.linalg.pinv(normal, rcond=1e-7, hermitian=True)
    explained = float(toward @ inverse @ along)
    gain = (len(views) - float(along @ inverse @ along)) / max(common - explained, 1e-3 * len(views))
    return _matrix(inverse @ (gain * toward - along), freedom)


def _equations(rgb: EdgeField, thermal: EdgeField, freedom: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Slopes (freedom, N) of the thermal values by the warp, rgb values (N), thermal values (N), both of norm 1."""
    both = (rgb.mask & thermal.mask).astype(np.float32)
    height, width = both.shape
    x = (np.arange(width, dtype=np.float32) - (width - 1) / 2) * (2 / width)
    y = ((np.arange(height, dtype=np.float32) - (height - 1) / 2) * (2 / width))[:, None]
    per_half_width = width / 16  # Sobel's weights sum to 8
    slopes = np.empty((FREEDOMS[freedom], 2, height, width), np.float32)
    for channel in range(2):
        values = np.ascontiguousarray(thermal.values[:, :, channel])
        slope_x, slope_y = (
            cv2.Sobel(values, cv2.CV_32F, *order, scale=per_half_width) * both for order in ((1, 0), (0, 1))
        )
        _by_warp(slope_x, slope_y, x, y, slopes[:, channel])
    first, second = (np.moveaxis(field.values * both[:, :, None], 2, 0).ravel() for field in (rgb, thermal))
    scale = max(float(np.linalg.norm(second)), 1e-9)
    return slopes.reshape(len(slopes), -1) / scale, first / max(float(np.linalg.norm(first)), 1e-9), second / scale


def _by_warp(slope_x: np.ndarray, slope_y: np.ndarray, x: np.ndarray, y: np.ndarray, slopes: np.ndarray) -> None:
    """Write the slope by each parameter of ``_matrix``, in its order."""
    slopes[0], slopes[1] = slope_x, slope_y
    if len(slopes) == FREEDOMS["similarity"]:
        slopes[2], slopes[3] = slope_x * x + slope_y * y, slope_y * x - slope_x * y
        return
    slopes[2], slopes[3], slopes[4], slopes[5] = slope_x * x, slope_x * y, slope_y * x, slope_y * y
    if len(slopes) == FREEDOMS["homography"]:
        radial = slopes[2] + slopes[5]
        slopes[6], slopes[7] = -radial * x, -radial * y


def _matrix(step: np.ndarray, freedom: str) -> np.ndarray:
    if freedom == "similarity":
        right, down, grow, turn = step
        return np.array([(grow, -turn, right), (turn, grow, down), (0, 0, 0)])
    right, down, xx, xy, yx, yy, *last = step
    return np.array([(xx, xy, right), (yx, yy, down), (*(last or (0, 0)), 0)])
