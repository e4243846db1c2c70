"""Byte order of deep images: as their flag says, unless the other one makes far smoother images of them."""

from __future__ import annotations

import numpy as np

from mrfs_ros.camera.thermal_repair import is_value

_ROWS = 16  # that are looked at
_LEAST = 512  # neighbours: fewer may look smooth by chance
_ROUGH = 0.12  # noise has 1.4; a scene with its bytes swapped jumps wherever its low byte overflows
_SMOOTHER = 0.4  # times as rough as they were read; where their order is right, the other is never smoother
_FRAMES = 10  # of a camera that are looked at


class ByteOrder:
    """The byte order of one camera's images: the first that shows that the flag is wrong decides for all after it."""

    def __init__(self) -> None:
        self.is_swapped = False
        self._left = _FRAMES

    def mended(self, values: np.ndarray) -> np.ndarray:
        """(H, W) of two or four bytes each, as they were meant; call it with every image, in order."""
        if not self.is_swapped and self._left > 0:  # two threads may have passed 1
            self._left -= 1
            self.is_swapped = looks_swapped(values)
        return values.byteswap() if self.is_swapped else values


def looks_swapped(values: np.ndarray) -> bool:
    """Are (H, W) ``values`` far smoother with their bytes swapped?"""
    some = values[:: max(1, len(values) // _ROWS)]
    if some[:, 1:].size < _LEAST:
        return False
    rough = _roughness(some)
    return rough > _ROUGH and _roughness(some.byteswap()) < _SMOOTHER * rough


def _roughness(values: np.ndarray) -> float:
    """Mean difference of neighbours in a row by that to the median: 1.4 for noise, infinite for one value."""
    with np.errstate(invalid="ignore"):  # swapped bytes may be any kind of NaN
        wide = values.astype(np.float64)
    if (absurd := ~is_value(wide)).any():
        wide = np.where(absurd, 0.0, wide)
        if absurd.mean() > 0.5:  # no camera means them
            return np.inf
    spread = np.abs(wide - np.median(wide)).mean()
    return float(np.abs(np.diff(wide, axis=1)).mean() / spread) if spread else np.inf
