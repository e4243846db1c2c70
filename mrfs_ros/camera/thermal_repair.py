"""Repair of what a thermal sensor did not measure: holes, and dead pixels."""

from __future__ import annotations

import cv2
import numpy as np

_ABSURD = 1e6  # no camera counts so far, nothing is so hot


def is_value(values: np.ndarray) -> np.ndarray:
    """(H, W) bool: where float32 ``values`` are any that a camera means; the others are NaN, infinite, or absurd."""
    return np.abs(values) < _ABSURD  # False for NaN


def without_holes(values: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """``values`` with the median of all in its holes, and where (bool) these are, None if it has none.

    Only float32 can have holes; it needs at least one value.
    """
    if values.dtype != np.float32 or (good := is_value(values)).all():
        return values, None
    return np.where(good, values, np.median(values[good])), ~good


def neighbourhood(values: np.ndarray) -> np.ndarray:
    """The median of the 3x3 around each of (H, W) uint8, uint16, int16 or float32 ``values``, of their type."""
    if values.dtype != np.int16:
        return cv2.medianBlur(np.ascontiguousarray(values), 3)
    shifted = (values.astype(np.int32) + 32768).astype(np.uint16)  # OpenCV has none of int16; the order is the same
    return (cv2.medianBlur(shifted, 3).astype(np.int32) - 32768).astype(np.int16)


def repaired(values: np.ndarray, around: np.ndarray, holes: np.ndarray | None, span: float) -> np.ndarray:
    """``values`` with those of ``around``, their ``neighbourhood``, in place of holes and dead pixels.

    Dead is what lies further than ``span`` from its neighbourhood.
    """
    wide = np.dtype(np.int32) if values.dtype == np.int16 else values.dtype  # for the difference
    bad = cv2.absdiff(np.ascontiguousarray(values, wide), around.astype(wide, copy=False)) > span
    if holes is not None:
        bad |= holes
    return np.where(bad, around, values) if bad.any() else values
