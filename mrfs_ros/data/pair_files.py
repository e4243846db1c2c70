"""The two images of a pair read from its files: two of them, or one of four channels."""

from __future__ import annotations

import filecmp
from pathlib import Path

import numpy as np

from mrfs_ros.camera.image_io import read_rgb, read_rgb_thermal, read_thermal
from mrfs_ros.config import MAX_IMAGE_PIXELS
from mrfs_ros.errors import ImageError


def read_pair(rgb: Path, thermal: Path, max_pixels: int = MAX_IMAGE_PIXELS) -> tuple[np.ndarray, np.ndarray]:
    """Return (H, W, 3) uint8 RGB and (h, w) uint8 thermal.

    One file given twice, or its copy, must have thermal in its fourth channel, as MFNet's files do: ImageError for
    the same picture twice, and for what ``read_rgb`` and ``read_thermal`` refuse, such as more than ``max_pixels``.
    """
    if not _are_one(rgb, thermal):
        return read_rgb(rgb, max_pixels), read_thermal(thermal, max_pixels)
    try:
        images = read_rgb_thermal(rgb, max_pixels)
    except ImageError as error:
        raise ImageError(
            f"{error}; it is given as rgb and as thermal: give each camera's own file", error.reason
        ) from error
    if images[1].min() == images[1].max():
        raise ImageError(
            f"{rgb}: is given as rgb and as thermal, but its fourth channel is {images[1].min()} everywhere, "
            "transparency and no thermal image: give each camera's own file",
            "thermal_encoding",
        )
    return images


def _are_one(first: Path, second: Path) -> bool:
    try:
        return first == second or filecmp.cmp(first, second, shallow=False)
    except OSError:  # reading it says why
        return False
