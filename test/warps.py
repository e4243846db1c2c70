"""Warps for tests."""

from __future__ import annotations

import numpy as np

from mrfs_ros.sensing.warp import Warp, make_warp


def shifted(size: tuple[int, int], thermal_size: tuple[int, int], right: float = 4.0, down: float = 3.0) -> Warp:
    """Thermal images of ``thermal_size`` (h, w) lie so many pixels right of and below rgb's origin, ``size`` (H, W)."""
    x, y = np.meshgrid(np.arange(size[1]), np.arange(size[0]))
    return make_warp(np.stack((x - right, y - down), axis=-1), thermal_size)
