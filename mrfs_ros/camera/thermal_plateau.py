"""The levels of a thermal window spread by how many pixels have them: a plateau histogram, steady in time."""

from __future__ import annotations

import numpy as np

FILLED = (0.1, 0.7)  # of the narrowest window: a scene that fills less is noise, one that fills more is none


class Plateau:
    """``curve``: (levels,) float64, 0 to 1, what each level becomes. ``off``: how far it is from the newest frame's."""

    def __init__(self, levels: np.ndarray, most: float, filled: float):
        """Of a first frame; as for ``follow``."""
        self.curve = _wanted(levels, most, filled)
        self.off = 0.0

    def follow(self, levels: np.ndarray, most: float, filled: float, *, part: float = 0.0, step: float = 0.0) -> None:
        """Go ``part`` of the way to the curve of ``levels``, the pixels at each, and on by at most ``step``.

        None counts for more than a share of ``most``. ``filled``: the range of the scene over the narrowest window;
        the less it is, the straighter the curve, because what is left of a flat scene is noise.
        """
        wanted = _wanted(levels, most, filled)
        self.curve = self.curve + part * (wanted - self.curve)
        self.curve = self.curve + np.clip(wanted - self.curve, -step, step)
        self.off = float(np.abs(wanted - self.curve).max())


def _wanted(levels: np.ndarray, most: float, filled: float) -> np.ndarray:
    counts = np.minimum(levels, max(1.0, most * levels.sum()))
    low, high = FILLED
    part = min(max((filled - low) / (high - low), 0.0), 1.0)
    return part * np.cumsum(counts) / counts.sum() + (1 - part) * np.linspace(0, 1, len(levels))
