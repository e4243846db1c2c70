"""Encodings of a visible camera's sensor_msgs/Image, and how the bytes of each become RGB.

All of it with NumPy and OpenCV, to the pixels of cv_bridge, which the node uses where it can.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

_FULL_16 = 257  # of 16 bits in one of 8: 65535 is 255


@dataclass(frozen=True)
class ColourFormat:
    """``to_rgb`` takes (H, W, ``channels``) of ``dtype`` and returns (H, W, 3) uint8, RGB, a view where that can be.

    ``luma``: of YUV 4:2:2 the channel that is the luma; the width is even there, because two pixels share their colour.
    """

    channels: int
    to_rgb: Callable[[np.ndarray], np.ndarray]
    dtype: str = "u1"
    luma: int | None = None

    @property
    def pixel(self) -> int:
        """Bytes of a pixel."""
        return self.channels * np.dtype(self.dtype).itemsize


def _as_sent(pixels: np.ndarray) -> np.ndarray:
    return pixels


def _reordered(order: tuple[int, int, int], pixels: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(pixels[:, :, order])


def _converted(kind: str, pixels: np.ndarray) -> np.ndarray:
    """By one of OpenCV's conversions; what it gives in 16 bits, 65535 being white, in 8."""
    import cv2  # here: asking whether a message can be read needs none of it

    return in_8_bits(cv2.cvtColor(np.ascontiguousarray(pixels), getattr(cv2, f"COLOR_{kind}")))


def _deep_reordered(order: tuple[int, int, int], pixels: np.ndarray) -> np.ndarray:
    return in_8_bits(_reordered(order, pixels))


def in_8_bits(pixels: np.ndarray) -> np.ndarray:
    """Visible ``pixels`` of uint8 as they are, of uint16 as uint8: 65535 is white."""
    import cv2

    return pixels if pixels.dtype == np.uint8 else cv2.convertScaleAbs(pixels, alpha=1 / _FULL_16)


_RGB, _BGR = (0, 1, 2), (2, 1, 0)
_UYVY = ColourFormat(2, partial(_converted, "YUV2RGB_UYVY"), luma=1)
_YUYV = ColourFormat(2, partial(_converted, "YUV2RGB_YUY2"), luma=0)
PLAIN = {
    "rgb8": ColourFormat(3, _as_sent),
    "bgr8": ColourFormat(3, partial(_reordered, _BGR)),
    "8UC3": ColourFormat(3, partial(_reordered, _BGR)),
    "rgba8": ColourFormat(4, partial(_reordered, _RGB)),
    "bgra8": ColourFormat(4, partial(_reordered, _BGR)),
    "8UC4": ColourFormat(4, partial(_reordered, _BGR)),
    "rgb16": ColourFormat(3, partial(_deep_reordered, _RGB), "u2"),
    "bgr16": ColourFormat(3, partial(_deep_reordered, _BGR), "u2"),
    "16UC3": ColourFormat(3, partial(_deep_reordered, _BGR), "u2"),
    "rgba16": ColourFormat(4, partial(_deep_reordered, _RGB), "u2"),
    "bgra16": ColourFormat(4, partial(_deep_reordered, _BGR), "u2"),
    "16UC4": ColourFormat(4, partial(_deep_reordered, _BGR), "u2"),
    "yuv422": _UYVY,  # ROS calls it so; newer drivers say uyvy
    "uyvy": _UYVY,
    "yuv422_yuy2": _YUYV,
    "yuyv": _YUYV,
}
"""Every pixel has its colour. 8UC3 to 16UC4 are OpenCV's own types: BGR(A). YUV: BT.601, video range."""
MOSAICS = {
    f"bayer_{pattern}{bits}": ColourFormat(1, partial(_converted, f"Bayer{opencvs}2RGB"), dtype)
    for bits, dtype in ((8, "u1"), (16, "u2"))
    for pattern, opencvs in (("rggb", "BG"), ("bggr", "RG"), ("gbrg", "GR"), ("grbg", "GB"))
}
"""One colour a pixel, the others from its neighbours (bilinear). ROS names a pattern by its first two rows, OpenCV by
the second and third pixel of the second row."""
GREY = {
    "mono8": ColourFormat(1, partial(_converted, "GRAY2RGB")),
    "8UC1": ColourFormat(1, partial(_converted, "GRAY2RGB")),
    "mono16": ColourFormat(1, partial(_converted, "GRAY2RGB"), "u2"),
}
"""No colour: r = g = b."""
