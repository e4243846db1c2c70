"""Camera messages, of a live topic or out of a bag, turned into the arrays that an engine takes.

A message is anything with the fields of sensor_msgs/Image or sensor_msgs/CompressedImage.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mrfs_ros.errors import ImageError
from mrfs_ros.sensing.encoded import check_encoded, decode_rgb, decode_thermal
from mrfs_ros.sensing.image_fields import DEEP, ImageFields, check_rgb, check_thermal, rgb_image, thermal_image
from mrfs_ros.sensing.pair_source import CAMERAS, RGB

_LATEST_S = 2**31 - 100  # near the end of a stamp's range, sums overflow


def stamp_ns(message: Any) -> int:
    """The stamp in the message's header [ns]."""
    return message.header.stamp.sec * 10**9 + message.header.stamp.nanosec


def check_message(camera: int, message: Any, *, stamped: bool = True) -> None:
    """Raise ImageError for an image of ``RGB`` or ``THERMAL`` that cannot be read, without touching its pixels.

    What else is wrong with a compressed image only shows when it is read. ``stamped``: its stamp counts.
    """
    if stamped and not 0 <= message.header.stamp.sec <= _LATEST_S:
        raise ImageError(f"stamp: expected 0 to {_LATEST_S} s, got {message.header.stamp.sec} s", "bad_stamp")
    if is_compressed(message):
        check_encoded(message.data, f"compressed {CAMERAS[camera]} image ({message.format})", CAMERAS[camera])
    else:
        (check_rgb if camera == RGB else check_thermal)(_fields(message))


def is_compressed(message: Any) -> bool:
    """Is it a CompressedImage?"""
    return hasattr(message, "format")


def rgb_array(message: Any) -> np.ndarray:
    """(H, W, 3) uint8, RGB, of a colour image message; ImageError says why when there is none in it."""
    if is_compressed(message):
        return decode_rgb(message.data, f"compressed rgb image ({message.format})")
    return rgb_image(_fields(message))


def thermal_values(message: Any) -> np.ndarray:
    """(H, W) uint8, uint16, int16 or float32 of a thermal image message; ImageError when there is none in it."""
    if is_compressed(message):
        return decode_thermal(message.data, f"compressed thermal image ({message.format})", deep=True)
    return thermal_image(_fields(message))


def thermal_dtype(message: Any) -> np.dtype:
    """The type of the values of a thermal message that ``check_message`` let through, without decoding it."""
    if not is_compressed(message):
        return np.dtype(DEEP.get(message.encoding, "u1"))
    head = bytes(message.data[:26])
    deep = head.startswith(b"\x89PNG") and head[24:25] == b"\x10"  # the bit depth in its header
    return np.dtype(np.uint16 if deep or head.startswith((b"II", b"MM")) else np.uint8)


def _fields(message: Any) -> ImageFields:
    big = bool(message.is_bigendian)
    return ImageFields(message.height, message.width, message.encoding, message.step, message.data, big)
