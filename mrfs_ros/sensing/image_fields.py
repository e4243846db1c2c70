"""The fields of a camera's image message turned into the arrays that an engine takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mrfs_ros.errors import ImageError
from mrfs_ros.sensing.gray import to_gray

# Encoding to channels and the order that makes them RGB. 8UC3 and 8UC4 are OpenCV's own types: BGR(A).
_COLOUR = {
    "rgb8": (3, (0, 1, 2)),
    "bgr8": (3, (2, 1, 0)),
    "8UC3": (3, (2, 1, 0)),
    "rgba8": (4, (0, 1, 2)),
    "bgra8": (4, (2, 1, 0)),
    "8UC4": (4, (2, 1, 0)),
}
_GRAY = ("mono8", "8UC1")
DEEP = {"mono16": "u2", "16UC1": "u2", "16SC1": "i2", "32FC1": "f4"}  # and what a pixel of it is


@dataclass(frozen=True)
class ImageFields:
    """The fields of sensor_msgs/Image that say what its bytes mean; ``data`` is any uint8 buffer."""

    height: int
    width: int
    encoding: str
    step: int
    data: Any
    is_bigendian: bool = False


def check_rgb(fields: ImageFields) -> None:
    """Raise ImageError unless ``rgb_image`` can read ``fields``; looks at no pixel."""
    if fields.encoding not in _COLOUR:
        thermal = fields.encoding in (*_GRAY, *DEEP)
        advice = "is a thermal camera on the rgb topic?" if thermal else "let the camera driver or image_proc send rgb8"
        expected = ", ".join(_COLOUR)
        raise ImageError(f"rgb image: expected encoding {expected}, got {fields.encoding!r}; {advice}", "rgb_encoding")
    _check_layout(fields, "rgb image", _COLOUR[fields.encoding][0])


def check_thermal(fields: ImageFields) -> None:
    """Raise ImageError unless ``thermal_image`` can read ``fields``; looks at no pixel."""
    sizes = dict.fromkeys(_GRAY, 1)
    sizes |= {name: np.dtype(pixel).itemsize for name, pixel in DEEP.items()}
    sizes |= {name: channels for name, (channels, _) in _COLOUR.items()}
    if fields.encoding not in sizes:
        expected = ", ".join(sizes)
        raise ImageError(f"thermal image: expected encoding {expected}, got {fields.encoding!r}", "thermal_encoding")
    _check_layout(fields, "thermal image", sizes[fields.encoding])


def rgb_image(fields: ImageFields) -> np.ndarray:
    """Return (H, W, 3) uint8, RGB, of a colour image; a view where no reordering is needed.

    Takes rgb8, bgr8, rgba8, bgra8, 8UC3 and 8UC4 (BGR order), with row padding. ImageError otherwise.
    """
    check_rgb(fields)
    return _colour(fields)


def thermal_image(fields: ImageFields) -> np.ndarray:
    """Return (H, W) thermal values as the camera sent them; a view where that can be.

    uint8 of mono8 and 8UC1, and of the colour encodings of ``rgb_image`` (palettes) by their luma; uint16 of mono16
    and 16UC1, int16 of 16SC1, float32 of 32FC1, in this machine's byte order. ImageError otherwise.
    """
    check_thermal(fields)
    if fields.encoding in _COLOUR:
        return to_gray(_colour(fields))
    if fields.encoding in _GRAY:
        return _pixels(fields, 1)[:, :, 0]
    sent = np.dtype(DEEP[fields.encoding]).newbyteorder(">" if fields.is_bigendian else "<")
    values = np.ascontiguousarray(_pixels(fields, sent.itemsize)).view(sent)[:, :, 0]
    return values.astype(sent.newbyteorder("="), copy=False)


def _colour(fields: ImageFields) -> np.ndarray:
    channels, order = _COLOUR[fields.encoding]
    pixels = _pixels(fields, channels)
    return pixels if order == (0, 1, 2) and channels == 3 else np.ascontiguousarray(pixels[:, :, order])


def _check_layout(fields: ImageFields, name: str, pixel: int) -> None:
    """ImageError unless the bytes are as many as the size says, at ``pixel`` bytes a pixel."""
    height, width, step = fields.height, fields.width, fields.step
    if height <= 0 or width <= 0:
        raise ImageError(f"{name}: expected a size of at least 1x1 pixels, got {height}x{width} (HxW)", "zero_size")
    if step < width * pixel:
        least = width * pixel
        raise ImageError(
            f"{name}: {fields.encoding} of width {width} needs a step of at least {least} bytes, got {step}", "step"
        )
    if len(fields.data) != step * height:
        raise ImageError(
            f"{name}: {height} rows of {step} bytes make {step * height}, but its data has {len(fields.data)} bytes",
            "data_size",
        )


def _pixels(fields: ImageFields, channels: int) -> np.ndarray:
    """(H, W, channels) uint8 view of the message's bytes without the row padding; a channel is a byte."""
    rows = np.frombuffer(fields.data, np.uint8).reshape(fields.height, fields.step)
    return rows[:, : fields.width * channels].reshape(fields.height, fields.width, channels)
