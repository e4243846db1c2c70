"""The fields of a camera's image message turned into the arrays that an engine takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mrfs_ros.errors import ImageError
from mrfs_ros.sensing.colour_formats import MOSAICS, PLAIN
from mrfs_ros.sensing.gray import to_gray

_COLOUR = {**PLAIN, **MOSAICS}
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
        expected = f"{', '.join(PLAIN)} or {', '.join(MOSAICS)}"
        raise ImageError(f"rgb image: expected encoding {expected}, got {fields.encoding!r}; {advice}", "rgb_encoding")
    _check_layout(fields, "rgb image", _COLOUR[fields.encoding].pixel)


def check_thermal(fields: ImageFields) -> None:
    """Raise ImageError unless ``thermal_image`` can read ``fields``; looks at no pixel."""
    sizes = dict.fromkeys(_GRAY, 1)
    sizes |= {name: np.dtype(pixel).itemsize for name, pixel in DEEP.items()}
    sizes |= {name: plain.pixel for name, plain in PLAIN.items()}
    if fields.encoding not in sizes:
        expected = ", ".join(sizes)
        raise ImageError(f"thermal image: expected encoding {expected}, got {fields.encoding!r}", "thermal_encoding")
    _check_layout(fields, "thermal image", sizes[fields.encoding])


def rgb_image(fields: ImageFields) -> np.ndarray:
    """Return (H, W, 3) uint8, RGB, of a colour image; a view where no reordering is needed.

    Takes rgb8, bgr8, rgba8, bgra8, 8UC3 and 8UC4 (BGR order), YUV 4:2:2 and Bayer mosaics of 8 and 16 bits, with row
    padding. ImageError otherwise.
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
    return _pixels(fields, 1, DEEP.get(fields.encoding, "u1"))[:, :, 0]


def _colour(fields: ImageFields) -> np.ndarray:
    sent = _COLOUR[fields.encoding]
    return sent.to_rgb(_pixels(fields, sent.channels, sent.dtype))


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
    if fields.encoding in PLAIN and PLAIN[fields.encoding].even and width % 2:
        raise ImageError(
            f"{name}: two pixels of {fields.encoding} share their colour: expected an even width, got {width}; "
            "let the camera driver send another width or encoding",
            "odd_width",
        )
    if len(fields.data) != step * height:
        raise ImageError(
            f"{name}: {height} rows of {step} bytes make {step * height}, but its data has {len(fields.data)} bytes",
            "data_size",
        )


def _pixels(fields: ImageFields, channels: int, dtype: str) -> np.ndarray:
    """(H, W, channels) of ``dtype`` in this machine's byte order; a view of the message's bytes where that can be."""
    sent = np.dtype(dtype).newbyteorder(">" if fields.is_bigendian else "<")
    rows = np.frombuffer(fields.data, np.uint8).reshape(fields.height, fields.step)
    pixels = rows[:, : fields.width * channels * sent.itemsize]
    if sent.itemsize > 1:
        pixels = np.ascontiguousarray(pixels).view(sent).astype(sent.newbyteorder("="), copy=False)
    return pixels.reshape(fields.height, fields.width, channels)
