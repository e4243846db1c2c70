"""Warps, and pairs to warp, for tests."""

from __future__ import annotations

import numpy as np

from mrfs_ros.geometry.warp import Warp, make_warp
from mrfs_ros.preprocess import PairImages

SIZE, THERMAL_SIZE = (48, 64), (40, 50)
HOMOGRAPHY = """kind: homography
thermal_size: [40, 50]
rgb_size: [48, 64]
matrix: [[1.0, 0.0, 4.0], [0.0, 1.0, 3.0], [0.0, 0.0, 1.0]]
"""


def shifted(size: tuple[int, int], thermal_size: tuple[int, int], right: float = 4.0, down: float = 3.0) -> Warp:
    """Thermal images of ``thermal_size`` (h, w) lie so many pixels right of and below rgb's origin, ``size`` (H, W)."""
    x, y = np.meshgrid(np.arange(size[1]), np.arange(size[0]))
    return make_warp(np.stack((x - right, y - down), axis=-1), thermal_size)


def pairs(count: int, warp: Warp | None) -> list[PairImages]:
    """Pairs of noise, rgb of ``SIZE`` and thermal of ``THERMAL_SIZE``, or of ``SIZE`` without a warp."""
    rng = np.random.default_rng(count)
    size = SIZE if warp is None else THERMAL_SIZE
    return [
        PairImages(rng.integers(0, 256, (*SIZE, 3), np.uint8), rng.integers(0, 256, size, np.uint8), warp)
        for _ in range(count)
    ]
