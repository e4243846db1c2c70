"""Fields of a camera's image message (sensor_msgs/Image) turned into arrays."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mrfs_ros.camera.colour_formats import GREY, MOSAICS, PLAIN
from mrfs_ros.camera.planar_yuv import PLANAR, check_planar, luma_and_chroma, planar_to_rgb
from mrfs_ros.errors import ImageError

_PACKED = {**PLAIN, **MOSAICS, **GREY}
GRAY = ("mono8", "8UC1")
DEEP = {"mono16": "u2", "16UC1": "u2", "16SC1": "i2", "32FC1": "f4"}  # and what a pixel of it is
_THERMAL = {  # encoding to bytes of a pixel
    **dict.fromkeys(GRAY, 1),
    **{name: np.dtype(pixel).itemsize for name, pixel in DEEP.items()},
    **{name: plain.pixel for name, plain in PLAIN.items()},
}
_NEUTRAL = 14  # chroma so near to 128 is none
_TINTED = 0.05  # of the pixels: fewer in colours are noise, or a cross-hair


@dataclass(frozen=True)
class ImageFields:
    """The fields of sensor_msgs/Image that say what its bytes mean; ``data`` is any uint8 buffer."""

    height: int
    width: int
    encoding: str
    step: int
    data: Any
    is_bigendian: bool = False

    @property
    def bits(self) -> int:
        """Bits of a channel."""
        if self.encoding in PLANAR:
            return 8
        dtype = DEEP.get(self.encoding) or _PACKED[self.encoding].dtype
        return 8 * np.dtype(dtype).itemsize

    def in_other_order(self) -> ImageFields:
        """The same with the other byte order."""
        return replace(self, is_bigendian=not self.is_bigendian)


def check_rgb(fields: ImageFields) -> None:
    """Raise ImageError unless ``rgb_image`` can read ``fields``; looks at no pixel."""
    if fields.encoding in PLANAR:
        _check_size(fields, "rgb image")
        check_planar(fields, "rgb image")
        return
    if fields.encoding not in _PACKED:
        thermal = fields.encoding in DEEP
        advice = "is a thermal camera on the rgb topic?" if thermal else "let the camera driver or image_proc send rgb8"
        expected = f"{', '.join([*PLAIN, *PLANAR, *GREY])} or {', '.join(MOSAICS)}"
        raise ImageError(f"rgb image: expected encoding {expected}, got {fields.encoding!r}; {advice}", "rgb_encoding")
    _check_layout(fields, "rgb image", _PACKED[fields.encoding].pixel)


def check_thermal(fields: ImageFields) -> None:
    """Raise ImageError unless ``thermal_image`` can read ``fields``; looks at no pixel."""
    if fields.encoding in PLANAR:
        _check_size(fields, "thermal image")
        check_planar(fields, "thermal image")
        return
    if fields.encoding not in _THERMAL:
        expected = ", ".join([*_THERMAL, *PLANAR])
        raise ImageError(f"thermal image: expected encoding {expected}, got {fields.encoding!r}", "thermal_encoding")
    _check_layout(fields, "thermal image", _THERMAL[fields.encoding])


def rgb_image(fields: ImageFields) -> np.ndarray:
    """Pixels of a visible camera's image; a view where no reordering is needed.

    Takes RGB and BGR of 8 and 16 bits with and without alpha, YUV 4:2:2 and 4:2:0, Bayer mosaics, grey (r = g = b),
    with row padding. Of 16 bits, 65535 is white.

    Returns:
        (H, W, 3) uint8, RGB.

    Raises:
        ImageError: Another encoding, or a size that its bytes do not have.
    """
    check_rgb(fields)
    if fields.encoding in PLANAR:
        return planar_to_rgb(fields)
    return _PACKED[fields.encoding].to_rgb(sent_pixels(fields))


def thermal_image(fields: ImageFields) -> np.ndarray:
    """Thermal values as the camera sent them; a view where that can be.

    Returns:
        (H, W) uint8 of mono8 and 8UC1, and the luma of YUV without colour, as sent; (H, W) uint16 of mono16 and 16UC1,
        int16 of 16SC1, float32 of 32FC1, in this machine's byte order; (H, W, 3) uint8, RGB, where it is in colours.

    Raises:
        ImageError: Another encoding, or a size that its bytes do not have.
    """
    check_thermal(fields)
    if (luma := luma_sent(fields)) is not None and not _is_tinted(fields):
        return luma
    if fields.encoding in PLANAR or fields.encoding in PLAIN:
        return rgb_image(fields)
    return sent_pixels(fields)[:, :, 0]


def luma_sent(fields: ImageFields) -> np.ndarray | None:
    """(H, W) uint8, the luma of a YUV image as it was sent; None for other encodings."""
    if fields.encoding in PLANAR:
        return luma_and_chroma(fields)[0]
    channel = PLAIN[fields.encoding].luma if fields.encoding in PLAIN else None
    return None if channel is None else sent_pixels(fields)[:, :, channel]


def _is_tinted(fields: ImageFields) -> bool:
    """Does a YUV image have colours?"""
    if fields.encoding in PLANAR:
        chroma = luma_and_chroma(fields)[1]
    else:
        chroma = sent_pixels(fields)[:, :, 1 - PLAIN[fields.encoding].luma]
    some = chroma[::4].astype(np.int16)
    return bool((abs(some - 128) > _NEUTRAL).mean() > _TINTED)


def sent_pixels(fields: ImageFields) -> np.ndarray:
    """(H, W, C) of the type that the encoding names, in this machine's byte order; a view where that can be.

    For encodings whose pixels lie one after the other, and fields that were checked.
    """
    if fields.encoding in DEEP:
        return _pixels(fields, 1, DEEP[fields.encoding])
    sent = _PACKED[fields.encoding]
    return _pixels(fields, sent.channels, sent.dtype)


def _check_size(fields: ImageFields, name: str) -> None:
    height, width = fields.height, fields.width
    if height <= 0 or width <= 0:
        raise ImageError(f"{name}: expected a size of at least 1x1 pixels, got {height}x{width} (HxW)", "zero_size")


def _check_layout(fields: ImageFields, name: str, pixel: int) -> None:
    """ImageError unless the bytes are as many as the size says, at ``pixel`` bytes a pixel."""
    _check_size(fields, name)
    height, width, step = fields.height, fields.width, fields.step
    if step < width * pixel:
        least = width * pixel
        raise ImageError(
            f"{name}: {fields.encoding} of width {width} needs a step of at least {least} bytes, got {step}", "step"
        )
    if fields.encoding in PLAIN and PLAIN[fields.encoding].luma is not None and width % 2:
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
