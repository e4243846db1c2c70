"""Two camera messages turned into the pair of arrays that an engine takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mrfs_ros.engine.protocol import check_sizes
from mrfs_ros.sensing.messages import is_compressed, rgb_array, stamp_ns, thermal_values
from mrfs_ros.sensing.thermal_window import ThermalWindow


def check_pair_messages(rgb: Any | None, thermal: Any | None) -> None:
    """Raise ImageError for two raw images whose sizes do not make a pair, without touching their pixels."""
    if rgb is None or thermal is None or is_compressed(rgb) or is_compressed(thermal):
        return
    check_sizes((rgb.height, rgb.width), (thermal.height, thermal.width))


def thermal_grey(window: ThermalWindow, message: Any) -> np.ndarray:
    """(H, W) uint8 of a thermal message, through ``window``, which wants them in order."""
    return window.grey(thermal_values(message), stamp_ns(message))


def pair_arrays(
    rgb: Any | None, thermal: Any | None, read_thermal: Callable[[Any], np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """The arrays of two messages, see ``Engine.__call__``; a camera that is missing (None) is black.

    ``read_thermal`` makes (H, W) uint8 of a thermal message. ImageError says why when there is no image in one.
    """
    rgb_pixels = None if rgb is None else rgb_array(rgb)
    thermal_pixels = None if thermal is None else read_thermal(thermal)
    if rgb_pixels is None:
        rgb_pixels = np.zeros((*thermal_pixels.shape, 3), np.uint8)
    if thermal_pixels is None:
        thermal_pixels = np.zeros(rgb_pixels.shape[:2], np.uint8)
    return rgb_pixels, thermal_pixels
