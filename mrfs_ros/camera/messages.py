"""Camera messages, of a live topic or out of a bag, turned into the arrays that an engine takes.

A message is anything with the fields of sensor_msgs/Image or sensor_msgs/CompressedImage.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from mrfs_ros.camera.camera_images import CameraImages
from mrfs_ros.camera.compressed_depth import CompressedDepth, is_compressed_depth
from mrfs_ros.camera.conversion import OWN, Conversion
from mrfs_ros.camera.image_fields import DEEP, GRAY, ImageFields, check_rgb, check_thermal
from mrfs_ros.camera.image_header import ImageHeader, read_header
from mrfs_ros.config import MAX_IMAGE_PIXELS
from mrfs_ros.errors import ImageError
from mrfs_ros.types import CAMERAS, RGB

_LATEST_S = 2**31 - 100  # near the end of a stamp's range, sums overflow


def stamp_ns(message: Any) -> int:
    """The stamp in the message's header [ns]."""
    return message.header.stamp.sec * 10**9 + message.header.stamp.nanosec


class OutputHeader(NamedTuple):
    """Fields of the std_msgs/Header of everything that is made of a pair."""

    stamp: Any  # builtin_interfaces/Time
    frame_id: str


def output_header(rgb: Any | None, thermal: Any | None, reference: str) -> OutputHeader:
    """The header of what is made of two messages, at most one of them None: a camera that is missing.

    Args:
        rgb: Message of the visible camera.
        thermal: Message of the thermal camera.
        reference: "rgb" or "thermal": whose stamp it carries, if that camera is there.

    Returns:
        That stamp, and the frame_id of the camera whose pixel grid the results are on: rgb's, unless it is missing.
    """
    first, second = (rgb, thermal) if reference == "rgb" else (thermal, rgb)
    stamped, grid = second if first is None else first, thermal if rgb is None else rgb
    return OutputHeader(stamped.header.stamp, grid.header.frame_id)


def check_message(camera: int, message: Any, max_pixels: int = MAX_IMAGE_PIXELS, *, stamped: bool = True) -> None:
    """Raise ImageError for an image of ``RGB`` or ``THERMAL`` that cannot be read, without touching its pixels.

    What else is wrong with a compressed image only shows when it is read.

    Args:
        camera: ``RGB`` or ``THERMAL``.
        message: Its message.
        max_pixels: So many a compressed image may have by its header.
        stamped: Its stamp counts.
    """
    if stamped and not 0 <= message.header.stamp.sec <= _LATEST_S:
        raise ImageError(f"stamp: expected 0 to {_LATEST_S} s, got {message.header.stamp.sec} s", "bad_stamp")
    if not is_compressed(message):
        (check_rgb if camera == RGB else check_thermal)(_fields(message))
    elif is_compressed_depth(message.format):
        if camera == RGB:
            raise ImageError(f"{_name(message, 'rgb')}: expected colours, got depth or thermal values", "rgb_encoding")
        _depth(message).check(max_pixels)
    else:
        read_header(message.data, _name(message, CAMERAS[camera]), CAMERAS[camera], max_pixels)


def is_compressed(message: Any) -> bool:
    """Is it a CompressedImage?"""
    return hasattr(message, "format")


class CameraMessages:
    """Messages of an rgb and a thermal camera as arrays; arguments: as for ``CameraImages``."""

    def __init__(
        self,
        say: Callable[[str], None],
        max_pixels: int = MAX_IMAGE_PIXELS,
        conversion: Conversion = OWN,
    ):
        self._images = CameraImages(say, max_pixels, conversion)

    def rgb(self, message: Any) -> np.ndarray:
        """(H, W, 3) uint8, RGB, of a visible camera's message; ImageError says why when there is none in it."""
        if not is_compressed(message):
            return self._images.rgb(_fields(message))
        return self._images.encoded_rgb(message.data, _name(message, "rgb"), message.format.partition(";")[0].strip())

    def thermal(self, message: Any) -> np.ndarray:
        """(H, W) uint8, uint16, int16 or float32 of a thermal message; ImageError when there is none in it.

        Call it in order, unless the message stands alone (``stands_alone``).
        """
        if not is_compressed(message):
            return self._images.thermal(_fields(message))
        if is_compressed_depth(message.format):
            return _depth(message).decode(self._images.max_pixels)
        return self._images.encoded_thermal(message.data, _name(message, "thermal"), deep=True)


def stands_alone(message: Any) -> bool:
    """Is a thermal message, which ``check_message`` let through, 8-bit grey: read without knowing those before it?"""
    if not is_compressed(message):
        return message.encoding in GRAY
    if is_compressed_depth(message.format):
        return False
    header = _header(message)
    return (header.channels, header.bits) == (1, 8)


def is_deep(message: Any) -> bool:
    """Has a thermal message, which ``check_message`` let through, values of more than 8 bits?"""
    if not is_compressed(message):
        return message.encoding in DEEP
    return is_compressed_depth(message.format) or _header(message).bits > 8


def _header(message: Any) -> ImageHeader:
    return read_header(message.data, _name(message, "thermal"), "thermal", 2**62)


def _fields(message: Any) -> ImageFields:
    big = bool(message.is_bigendian)
    return ImageFields(message.height, message.width, message.encoding, message.step, message.data, big)


def _depth(message: Any) -> CompressedDepth:
    return CompressedDepth(bytes(message.data), message.format, _name(message, "thermal"))


def _name(message: Any, camera: str) -> str:
    return f"compressed {camera} image ({message.format})"
