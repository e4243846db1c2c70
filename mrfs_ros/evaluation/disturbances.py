"""Disturbances of a thermal camera beside a colour camera, applied to good pairs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from mrfs_ros.data.dataset import DatasetPair

GOLDEN_ANGLE = np.pi * (3 - np.sqrt(5.0))

Images = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Disturbance:
    """``apply(pair, other, index)`` gives rgb and thermal of ``pair``; ``other`` is an earlier pair of that size.

    ``level`` and ``unit`` say how much of ``name`` it is.
    """

    name: str
    level: float
    unit: str
    apply: Callable[[DatasetPair, DatasetPair, int], Images]


def disturbances(
    shifts: tuple[float, ...] = (2, 5, 10, 20), noises: tuple[float, ...] = (10, 20, 40)
) -> list[Disturbance]:
    """None, thermal shifted [pixels], noisy [grey levels], frozen on an earlier frame, missing; rgb missing."""
    return [
        Disturbance("none", 0, "", lambda pair, other, index: (pair.rgb, pair.thermal)),
        *(Disturbance("shift", by, "px", _shifting(by)) for by in shifts),
        *(Disturbance("noise", deviation, "grey levels", _noising(deviation)) for deviation in noises),
        Disturbance("thermal frozen", 1, "", lambda pair, other, index: (pair.rgb, other.thermal)),
        Disturbance("thermal missing", 1, "", lambda pair, other, index: (pair.rgb, np.zeros_like(pair.thermal))),
        Disturbance("rgb missing", 1, "", lambda pair, other, index: (np.zeros_like(pair.rgb), pair.thermal)),
    ]


def shifted(thermal: np.ndarray, by: float, index: int) -> np.ndarray:
    """(H, W) uint8 moved by ``by`` pixels in a direction that differs from index to index; the border is repeated."""
    angle = index * GOLDEN_ANGLE
    moved = np.float32([[1, 0, by * np.cos(angle)], [0, 1, by * np.sin(angle)]])
    return cv2.warpAffine(thermal, moved, thermal.shape[::-1], borderMode=cv2.BORDER_REPLICATE)


def noisy(thermal: np.ndarray, deviation: float, index: int) -> np.ndarray:
    """(H, W) uint8 with normal noise of ``deviation`` grey levels, the same for the same index."""
    noise = np.random.default_rng(index).normal(0, deviation, thermal.shape)
    return np.clip(np.rint(thermal + noise), 0, 255).astype(np.uint8)


def _shifting(by: float) -> Callable[[DatasetPair, DatasetPair, int], Images]:
    return lambda pair, other, index: (pair.rgb, shifted(pair.thermal, by, index))


def _noising(deviation: float) -> Callable[[DatasetPair, DatasetPair, int], Images]:
    return lambda pair, other, index: (pair.rgb, noisy(pair.thermal, deviation, index))
