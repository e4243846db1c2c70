"""Residual misalignment: the shift of each block of the image, measured on frames that the fit never saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from mrfs_ros.calibration.views import View, thermal_field

_BLOCKS = (3, 4)
_REACH = 0.025  # of the width: the largest shift that is looked for
_LEAST_KNOWN = 0.7  # of a block's pixels
_LEAST_PEAK = 0.2
_LEAST_MARGIN = 1.15  # of the peak over the next one


@dataclass(frozen=True)
class Residual:
    """``shifts``: (N, 2) x, y [share of the width] of the blocks that could be measured, of ``blocks``."""

    shifts: np.ndarray
    blocks: int

    def median_px(self, width: int) -> float:
        """The median length of the shifts for an image ``width`` pixels wide; NaN without any."""
        return float(np.median(np.hypot(*self.shifts.T))) * width if len(self.shifts) else float("nan")


def residual(views: Sequence[View], matrix: np.ndarray) -> Residual:
    """Shifts left under ``matrix`` (3x3, centred rgb to centred thermal coordinates), over all ``views`` jointly."""
    width = views[0].rgb.mask.shape[1]
    reach = max(3, round(_REACH * width))
    fields = [thermal_field(view, matrix) for view in views]
    rows, columns = _spread(fields[0].mask, _BLOCKS, reach)
    shifts = []
    for top, bottom in pairwise(rows):
        for left, right in pairwise(columns):
            inner = np.s_[top:bottom, left:right]
            outer = np.s_[top - reach : bottom + reach, left - reach : right + reach]
            maps = [
                cv2.matchTemplate(view.rgb.values[outer], field.values[inner], cv2.TM_CCORR_NORMED)
                for view, field in zip(views, fields)
                if field.mask[inner].size
                and field.mask[inner].mean() >= _LEAST_KNOWN
                and np.abs(field.values[inner]).max() > 0
            ]
            if maps and (shift := _peak(np.mean(maps, axis=0), reach)) is not None:
                shifts.append(shift)
    return Residual(np.array(shifts).reshape(-1, 2) / width, _BLOCKS[0] * _BLOCKS[1])


def _spread(mask: np.ndarray, blocks: tuple[int, int], reach: int) -> list[list[int]]:
    """Borders of blocks, rows and columns, over what ``mask`` encloses, ``reach`` from the image's edge."""
    borders = []
    for axis, count in enumerate(blocks):
        known = np.flatnonzero(mask.any(axis=1 - axis))
        first, last = (known[0], known[-1] + 1) if len(known) else (0, 0)
        low, high = max(first, reach), max(min(last, mask.shape[axis] - reach), max(first, reach))
        borders.append(np.linspace(low, high, count + 1).astype(int).tolist())
    return borders


def _peak(scores: np.ndarray, reach: int) -> tuple[float, float] | None:
    """(x, y) [pixels] of the peak from the middle, to parts of a pixel; None if none stands out."""
    row, column = np.unravel_index(np.argmax(scores), scores.shape)
    peak = scores[row, column]
    others = scores.copy()
    others[max(0, row - 4) : row + 5, max(0, column - 4) : column + 5] = -1
    if peak < _LEAST_PEAK or peak < _LEAST_MARGIN * others.max():
        return None
    return (
        column + parabola(scores[row], column) - reach,
        row + parabola(scores[:, column], row) - reach,
    )


def parabola(values: np.ndarray, at: int) -> float:
    """-0.5 to 0.5: where the parabola through the values around the largest one, ``at``, has its top."""
    if not 0 < at < len(values) - 1:
        return 0.0
    before, top, after = values[at - 1 : at + 2]
    bend = before - 2 * top + after
    return float(np.clip((before - after) / (2 * bend), -0.5, 0.5)) if bend < 0 else 0.0
