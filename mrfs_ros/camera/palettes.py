"""Colour palettes of thermal cameras: which one an image was coloured by, and its levels back."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np

# Those of OpenCV, but for the cyclic, the nearly grey, and autumn, which is a part of hot. Where an image fits several,
# the first counts.
_OPENCV = (
    "inferno", "hot", "rainbow", "turbo", "plasma", "magma", "viridis", "parula", "cividis", "ocean", "winter",
    "summer", "spring", "cool", "deepgreen",
)  # fmt: skip
_SWAPPED = " with red and blue swapped"  # as where a driver calls OpenCV's BGR rgb8
_SAMPLE = 1024  # pixels that are looked at
_FEW = 100  # of them that all palettes are compared with
_COLOURED = 32  # the highest channel above the lowest: more is no noise of a JPEG or an analogue grabber
_FIT = 12.0  # mean distance of a sample to the colours of its palette; of scenes in natural colours it is over 20
_ALIKE = 1.25, 1.0  # times the best fit, and plus this: fits as well
# Luma, and chroma of less weight: JPEG and video keep less of it.
_WEIGHTS = np.diag([3, 1, 1]) @ np.array([[0.299, 0.587, 0.114], [-0.169, -0.331, 0.5], [0.5, -0.419, -0.081]])
_MATRIX = _WEIGHTS.astype(np.float32).T
_CHUNK = 1024  # colours that are compared at once
_BITS = 7  # of each channel that a level depends on: the palette's table stays in the processor's cache
_UNKNOWN = -1


class Palette:
    """``colours``: (256, 3) uint8, RGB, from cold to hot."""

    def __init__(self, name: str, colours: np.ndarray):
        self.name, self.colours = name, colours
        self._weighed = colours.astype(np.float32) @ _MATRIX
        self._levels: np.ndarray | None = None  # of every colour, in 7 bits a channel, that was met

    def nearest(self, colours: np.ndarray) -> np.ndarray:
        """(N,) the levels whose colours are the most like (N, 3) ``colours``."""
        weighed = colours.astype(np.float32) @ _MATRIX
        parts = (weighed[start : start + _CHUNK, :, None] for start in range(0, len(colours), _CHUNK))
        # Not as a matrix product: so small ones wait for BLAS's threads where the processor is busy.
        found = [
            sum((part[:, k] - self._weighed[:, k]) ** 2 for k in range(3)).argmin(1).astype(np.uint8) for part in parts
        ]
        return np.concatenate(found) if found else np.empty(0, np.uint8)

    def levels(self, rgb: np.ndarray) -> np.ndarray:
        """(H, W) uint8 of (H, W, 3) uint8 RGB: each pixel's level. Colours that were met before cost a look-up."""
        if self._levels is None:
            self._levels = np.full(1 << 3 * _BITS, _UNKNOWN, np.int16)
            self._levels[_packed(self.colours)] = np.arange(256)
        packed = _packed(rgb)
        levels = self._levels.take(packed)
        if levels.min(initial=0) == _UNKNOWN:
            new = np.unique(packed[levels == _UNKNOWN])
            self._levels[new] = self.nearest(_unpacked(new))
            levels = self._levels.take(packed)
        return levels.astype(np.uint8)

    def misfit(self, colours: np.ndarray, levels: np.ndarray | None = None) -> float:
        """Mean distance, in the worst channel, of (N, 3) uint8 ``colours`` to those of ``levels``, or the nearest."""
        nearest = self.colours[self.nearest(colours) if levels is None else levels]
        return float(np.abs(colours.astype(np.int16) - nearest).max(1).mean())


def _packed(colours: np.ndarray) -> np.ndarray:
    """(...) int32 of (..., 3) uint8: the upper bits of the three channels as one number."""
    red, green, blue = ((colours[..., channel] >> 8 - _BITS).astype(np.int32) for channel in range(3))
    return red << 2 * _BITS | green << _BITS | blue


def _unpacked(numbers: np.ndarray) -> np.ndarray:
    """(N, 3): the middle of the colours that have these numbers."""
    channels = np.stack((numbers >> 2 * _BITS, numbers >> _BITS, numbers), 1) & (1 << _BITS) - 1
    width = 1 << 8 - _BITS
    return channels * width + (width - 1) / 2


@cache
def known_palettes() -> tuple[Palette, ...]:
    """All that can be undone, those that thermal cameras have the most first."""
    share = np.linspace(0, 1, 256)
    iron = np.stack((np.sqrt(share), share**3, np.clip(np.sin(2 * np.pi * share), 0, 1)), 1)  # gnuplot's 7, 5, 15
    tables = {"jet": _of_opencv("jet"), "iron": np.rint(255 * iron).astype(np.uint8)}
    tables |= {name: _of_opencv(name) for name in _OPENCV}
    swapped = {name + _SWAPPED: np.ascontiguousarray(table[:, ::-1]) for name, table in tables.items()}
    return tuple(Palette(name, table) for name, table in {**tables, **swapped}.items())


def _of_opencv(name: str) -> np.ndarray:
    levels = np.arange(256, dtype=np.uint8)
    return np.ascontiguousarray(cv2.applyColorMap(levels, getattr(cv2, f"COLORMAP_{name.upper()}"))[:, 0, ::-1])


def sample(rgb: np.ndarray) -> np.ndarray:
    """(N, 3): about a thousand pixels of (H, W, 3), evenly spread."""
    height, width = rgb.shape[:2]
    step = max(1, round((height * width / _SAMPLE) ** 0.5))
    return np.ascontiguousarray(rgb[step // 2 :: step, step // 2 :: step].reshape(-1, 3))


def coloured(colours: np.ndarray) -> np.ndarray:
    """(N,) bool: which of (N, 3) uint8 ``colours`` are no grey."""
    return colours.max(1) - colours.min(1) > _COLOURED


def find_palette(colours: np.ndarray) -> Palette | None:
    """The palette that (N, 3) uint8 ``colours`` of an image are from; None if they are from no known one."""
    vivid = colours[coloured(colours)]
    few = vivid[:: max(1, len(vivid) // _FEW)]
    maybe = [palette for palette in known_palettes() if palette.misfit(few) < 2 * _FIT] if len(vivid) else []
    fits = [(palette.misfit(vivid), palette) for palette in maybe]
    good = [(misfit, palette) for misfit, palette in fits if misfit < _FIT and palette.misfit(colours) < _FIT]
    if not good:
        return None
    times, plus = _ALIKE
    limit = times * min(misfit for misfit, _ in good) + plus
    return next(palette for misfit, palette in good if misfit <= limit)
