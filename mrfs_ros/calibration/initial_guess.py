"""Initial place of the thermal image on the rgb image, as a person can tell it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mrfs_ros.calibration.search import similarity
from mrfs_ros.calibration.views import to_homography
from mrfs_ros.errors import ConfigError
from mrfs_ros.geometry.camera_models import Homography, Size


def centred(thermal_size: Size, rgb_size: Size) -> Homography:
    """Of somebody who knows nothing: thermal in the middle of the rgb image, as wide as it. Sizes are (H, W)."""
    return placed((1.0, 0.0, 0.0), thermal_size, rgb_size)


def placed(numbers: Sequence[float], thermal_size: Size, rgb_size: Size) -> Homography:
    """Of (scale, right, down) or (scale, right, down, degrees): thermal ``scale`` times as wide as rgb.

    Its middle lies so many rgb pixels right and down of that of rgb; it is turned clockwise. ConfigError for others.
    """
    if len(numbers) not in (3, 4) or not np.isfinite(numbers).all() or not numbers[0] > 0:
        given = ",".join(f"{number:g}" for number in numbers)
        raise ConfigError(f"--initial: expected SCALE,DX,DY or SCALE,DX,DY,DEGREES with a scale above 0, got {given}")
    scale, right, down, *turn = numbers
    half = rgb_size[1] / 2
    matrix = similarity(scale, turn[0] if turn else 0.0, (right / half, down / half))
    return Homography(to_homography(matrix, thermal_size, rgb_size), thermal_size, rgb_size)
