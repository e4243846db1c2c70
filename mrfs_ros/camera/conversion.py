"""Conversion of an image message's fields to pixels: the package's own, and the kinds of fields that it is tried on."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from hashlib import sha256
from typing import NamedTuple

import numpy as np

from mrfs_ros.camera.colour_formats import GREY, MOSAICS, PLAIN
from mrfs_ros.camera.image_fields import DEEP, GRAY, ImageFields, rgb_image, thermal_image

HEIGHT, WIDTH = 6, 8  # of the images that a conversion is tried on
PADDING = 4  # bytes behind each row, where rows are padded


class Conversion(NamedTuple):
    """``rgb`` and ``thermal`` take checked fields; their results are as of ``rgb_image`` and ``thermal_image``."""

    rgb: Callable[[ImageFields], np.ndarray] = rgb_image
    thermal: Callable[[ImageFields], np.ndarray] = thermal_image


OWN = Conversion()
"""The package's own."""


class Kind(NamedTuple):
    """What a conversion's result may depend on besides the pixels."""

    camera: str
    encoding: str
    is_bigendian: bool
    padded: bool


def kind_of(camera: str, fields: ImageFields, pixel: int) -> Kind:
    """The kind of ``fields`` of the camera "rgb" or "thermal", at ``pixel`` bytes a pixel."""
    return Kind(camera, fields.encoding, bool(fields.is_bigendian), fields.step != fields.width * pixel)


@cache
def pixel_bytes(camera: str) -> dict[str, int]:
    """Encodings whose pixels lie one after the other, and the bytes of a pixel of each."""
    if camera == "rgb":
        return {name: sent.pixel for name, sent in {**PLAIN, **MOSAICS, **GREY}.items()}
    return {**dict.fromkeys(GRAY, 1), **{name: np.dtype(pixel).itemsize for name, pixel in DEEP.items()}}


def trial_images() -> dict[Kind, ImageFields]:
    """An image of random bytes for each kind; the same in every process."""
    rng, images = np.random.default_rng(0), {}
    for camera in ("rgb", "thermal"):
        for encoding, pixel in pixel_bytes(camera).items():
            for is_bigendian in (False, True):
                for padding in (0, PADDING):
                    step = WIDTH * pixel + padding
                    data = rng.integers(0, 128, (HEIGHT, step), np.uint8).tobytes()  # no float32 that is none
                    images[Kind(camera, encoding, is_bigendian, bool(padding))] = ImageFields(
                        HEIGHT, WIDTH, encoding, step, data, is_bigendian
                    )
    return images


def digest_of(pixels: np.ndarray) -> str:
    """SHA-256 of shape, type and values."""
    return sha256(repr((pixels.shape, pixels.dtype.str)).encode() + np.ascontiguousarray(pixels).tobytes()).hexdigest()
