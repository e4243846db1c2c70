"""What a thermal window needs to know of a frame: its quantiles, and whether a shutter made it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

_BULK = (5.0, 25.0, 50.0, 75.0, 95.0)
FLAT = 0.1  # of a scene's contrast: what a closed shutter leaves of it
_ALIKE = 0.15  # of a move: so much may the quantiles differ in it
_SHAPE = 0.1  # of the contrast: likewise
_ABSURD = 1e6  # no camera counts so far, nothing is so hot
_STRIDE = 4  # every 4th pixel of every 4th row tells the quantiles well enough


def is_value(values: np.ndarray) -> np.ndarray:
    """(H, W) bool: where float32 ``values`` are any that a camera means; the others are NaN, infinite, or absurd."""
    return np.abs(values) < _ABSURD  # False for NaN


def repaired(values: np.ndarray, span: float) -> np.ndarray:
    """``values`` ((H, W) uint8, uint16, int16 or float32) without dead pixels and holes.

    A pixel further than ``span`` from the median of the 3x3 around it is dead, one that ``is_value`` denies a hole;
    both become that median. A float32 frame needs at least one value.
    """
    holes = None
    if values.dtype == np.float32 and not (good := is_value(values)).all():
        holes, values = ~good, np.where(good, values, np.median(values[good]))
    # OpenCV has no median of int16: shifted to uint16, whose order is the same
    signed = values.dtype == np.int16
    shifted = (values.astype(np.int32) + 32768).astype(np.uint16) if signed else np.ascontiguousarray(values)
    around = cv2.medianBlur(shifted, 3)
    bad = cv2.absdiff(shifted, around) > span
    if holes is not None:
        bad |= holes
    if not bad.any():
        return values
    fixed = np.where(bad, around, shifted)
    return (fixed.astype(np.int32) - 32768).astype(np.int16) if signed else fixed


@dataclass(frozen=True)
class Quantiles:
    """``ends``: the two percentiles that a window goes by. ``bulk``: the values at 5, 25, 50, 75 and 95 %."""

    ends: tuple[float, float]
    bulk: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray, percentile: float) -> Quantiles:
        """Of a frame; ``percentile`` and 100 - ``percentile`` are its ends."""
        sample = values[::_STRIDE, ::_STRIDE]
        low, high, *bulk = np.percentile(sample, (percentile, 100 - percentile, *_BULK)).tolist()
        return cls((low, high), np.array(bulk))

    @property
    def middle(self) -> np.ndarray:
        """At 25, 50 and 75 %: what crosses the scene hardly moves these."""
        return self.bulk[1:4]

    @property
    def spread(self) -> float:
        """From 25 to 75 %."""
        return float(self.bulk[3] - self.bulk[1])

    def is_flat_beside(self, other: Quantiles) -> bool:
        """Is hardly anything left of the contrast of ``other``?"""
        whole, others = (q.bulk[4] - q.bulk[0] for q in (self, other))
        return bool(whole < FLAT * others and self.spread < FLAT * other.spread)

    def moved(self, offset: float) -> Quantiles:
        """The same scene with all values higher by ``offset``."""
        return Quantiles((self.ends[0] + offset, self.ends[1] + offset), self.bulk + offset)

    def towards(self, other: Quantiles, part: float) -> Quantiles:
        """``part`` of the way to ``other``."""
        return Quantiles(self.ends, self.bulk + part * (other.bulk - self.bulk))

    def offset_from(self, other: Quantiles, slack: float) -> float | None:
        """By how much everything is higher than in ``other``; None if not all moved alike.

        Alike: to a share of the move, at most a share of the contrast, and to ``slack``.
        """
        moves = self.bulk - other.bulk
        offset = float(np.median(moves))
        tolerance = min(_ALIKE * abs(offset), _SHAPE * other.spread) + slack
        return offset if np.abs(moves - offset).max() <= tolerance else None
