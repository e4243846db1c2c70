"""Statistics of a thermal frame for its window: quantiles, and differences from other frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_BULK = (5.0, 25.0, 50.0, 75.0, 95.0)
FLAT = 0.1  # of a scene's contrast: what a closed shutter leaves of it
REACH = 3.0  # of the bulk's range: ends further off than this would leave the bulk too few grey levels
_ALIKE = 0.15  # of a move: so much may the quantiles differ in it
_SHAPE = 0.1  # of the contrast: likewise
_MOST = 80.0  # percent of the pixels: so many must move alike
_HALF = 0.5  # of their move: likewise
_STRIDE = 4  # every 4th pixel of every 4th row tells the quantiles well enough,
_COARSE = 2  # and every 2nd of these, place by place, what has changed


@dataclass(frozen=True)
class Scene:
    """``ends``: the two percentiles that a window goes by. ``bulk``: the values at 5, 25, 50, 75 and 95 %.

    ``sample``: (h, w) float32, every 8th pixel of every 8th row.
    """

    ends: tuple[float, float]
    bulk: np.ndarray
    sample: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray, holes: np.ndarray | None, percentile: float) -> Scene:
        """Of a frame without dead pixels; ``percentile`` and 100 - ``percentile`` are its ends.

        ``holes`` (bool), which are filled, count for none of the quantiles.
        """
        sample = values[::_STRIDE, ::_STRIDE].astype(np.float32)
        known = sample if holes is None else sample[~holes[::_STRIDE, ::_STRIDE]]
        low, high, *bulk = np.percentile(
            known if known.size else sample, (percentile, 100 - percentile, *_BULK)
        ).tolist()
        reach = REACH * (bulk[4] - bulk[0])
        ends = max(low, bulk[0] - reach), min(high, bulk[4] + reach)
        return cls(ends, np.array(bulk), sample[::_COARSE, ::_COARSE])

    @property
    def middle(self) -> np.ndarray:
        """At 25, 50 and 75 %: what crosses the scene hardly moves these."""
        return self.bulk[1:4]

    @property
    def spread(self) -> float:
        """From 25 to 75 %."""
        return float(self.bulk[3] - self.bulk[1])

    def is_flat_beside(self, other: Scene) -> bool:
        """Is hardly anything left of the contrast of ``other``?"""
        whole, others = (q.bulk[4] - q.bulk[0] for q in (self, other))
        return bool(whole < FLAT * others and self.spread < FLAT * other.spread)

    def changed(self, background: np.ndarray, least: float) -> float:
        """The share of pixels, 0 to 1, that are off by more than ``least`` from ``background``, a sample."""
        if self.sample.shape != background.shape:
            return 1.0
        return float((np.abs(self.sample - background) > least).mean())

    def offset_from(self, other: Scene, *, least: float, slack: float) -> float:
        """By how much everything is higher than in ``other``; 0 if not all moved alike, or by less than ``least``.

        Alike: most of the pixels, to half of the move, as after a correction that is not the same everywhere; or, for a
        camera that moves, the quantiles, to a lesser share of the move and to ``slack``. Both: at most to a share of
        the contrast.
        """
        if self.sample.shape == other.sample.shape:
            moves = self.sample - other.sample
            offset = float(np.median(moves))
            tolerance = min(_HALF * abs(offset), _SHAPE * float(other.bulk[4] - other.bulk[0]))
            if abs(offset) > least and np.percentile(np.abs(moves - offset), _MOST) <= tolerance:
                return offset
        moves = self.bulk - other.bulk
        offset = float(np.median(moves))
        tolerance = min(_ALIKE * abs(offset), _SHAPE * other.spread) + slack
        return offset if abs(offset) > least and np.abs(moves - offset).max() <= tolerance else 0.0
