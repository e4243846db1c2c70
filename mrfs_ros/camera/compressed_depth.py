"""Images of image_transport's compressedDepth: 16-bit counts, or float32 quantised by its inverse, as PNG or RVL.

Written from the format of compressed_depth_image_transport (ROS perception) and of RVL (Wilson, Fast Lossless Depth
Image Compression, ISS 2017).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from mrfs_ros.camera.encoded import decode_any
from mrfs_ros.camera.image_header import check_pixels, read_header
from mrfs_ros.errors import ImageError

_HEADER = struct.Struct("<iff")  # kind of quantisation, and its two parameters
_SIZE = struct.Struct("<II")  # of RVL: columns, rows
_ENCODINGS = {"16UC1": np.uint16, "mono16": np.uint16, "32FC1": np.float32}
_CAMERA = "thermal"


def is_compressed_depth(message_format: str) -> bool:
    """Does the ``format`` of a CompressedImage say so?"""
    return "compressedDepth" in message_format


@dataclass(frozen=True)
class CompressedDepth:
    """A message's ``format``, such as ``16UC1; compressedDepth png``, and its ``content``.

    Whatever else it is raises ImageError, which begins with ``name``, when it is checked or decoded.
    """

    content: bytes
    format: str
    name: str

    @property
    def dtype(self) -> np.dtype:
        """The type of its values: uint16 or float32."""
        encoding = self.format.partition(";")[0].strip()
        if encoding not in _ENCODINGS:
            raise ImageError(
                f"{self.name}: expected {', '.join(_ENCODINGS)} in compressedDepth, got {encoding!r}; let the camera "
                "send compressed or raw images",
                "thermal_encoding",
            )
        return np.dtype(_ENCODINGS[encoding])

    def check(self, max_pixels: int) -> None:
        """Raise ImageError for an encoding that is not read, damage at its beginning, or too large a size."""
        _ = self.dtype
        if len(self.content) <= _HEADER.size:
            raise self._damaged("no image after its header of 12 bytes")
        if self._is_rvl:
            height, width = self._rvl_size()
            check_pixels(height, width, self.name, _CAMERA, max_pixels)
        else:
            read_header(self._image, self.name, _CAMERA, max_pixels)

    def decode(self, max_pixels: int) -> np.ndarray:
        """(H, W) uint16, or (H, W) float32 with NaN where there was no value."""
        self.check(max_pixels)
        if self._is_rvl:
            counts = rvl_decoded(self._image[_SIZE.size :], self._rvl_size())
            if counts is None:
                raise self._damaged("its RVL data is damaged or cut off")
        else:
            counts = decode_any(self._image, self.name, _CAMERA, (np.uint16,), max_pixels)
            if counts.ndim != 2:
                raise self._damaged("expected a grey PNG, got one in colour")
        if self.dtype == np.uint16:
            return counts
        _, scale, offset = _HEADER.unpack_from(self.content)
        with np.errstate(divide="ignore"):
            values = np.float32(scale) / (counts.astype(np.float32) - np.float32(offset))
        return np.where(counts == 0, np.float32(np.nan), values)

    @property
    def _image(self) -> bytes:
        return bytes(self.content[_HEADER.size :])

    @property
    def _is_rvl(self) -> bool:
        return self.format.rstrip().endswith("rvl")

    def _rvl_size(self) -> tuple[int, int]:
        if len(self.content) < _HEADER.size + _SIZE.size:
            raise self._damaged("its RVL data is cut off")
        width, height = _SIZE.unpack_from(self.content, _HEADER.size)
        if not width or not height:
            raise self._damaged(f"its header says {height}x{width} pixels")
        return height, width

    def _damaged(self, what: str) -> ImageError:
        return ImageError(f"{self.name}: {what}", "thermal_damaged")


def rvl_decoded(data: bytes, size: tuple[int, int]) -> np.ndarray | None:
    """(H, W) uint16 of RVL ``data``; None if they do not make an image of ``size``.

    RVL is a chain of numbers: so many zeros, so many pixels that are none, the differences of these to the pixel that
    was none before, and so on. A number is groups of 3 bits, lowest first, each with a bit that says that more follow;
    a signed one has its sign in the lowest bit.
    """
    numbers = _numbers(data)
    pixels = size[0] * size[1]
    differences = np.zeros(pixels, np.int64)
    filled = np.zeros(pixels, bool)
    place = at = 0
    while at < pixels:
        if place + 2 > len(numbers):
            return None
        zeros, others = int(numbers[place]), int(numbers[place + 1])
        at, place = at + zeros, place + 2
        if at + others > pixels or place + others > len(numbers) or not zeros + others:
            return None
        differences[at : at + others] = numbers[place : place + others]
        filled[at : at + others] = True
        at, place = at + others, place + others
    signed = (differences >> 1) ^ -(differences & 1)
    counts = np.where(filled, np.cumsum(signed), 0)
    return counts.astype(np.uint16).reshape(size)


def _numbers(data: bytes) -> np.ndarray:
    """The numbers in ``data``: groups of 4 bits, the highest of each 32-bit word (little-endian) first."""
    words = np.frombuffer(data[: len(data) // 4 * 4], "<u4")
    groups = (words[:, None] >> np.arange(28, -4, -4, dtype=np.uint32) & 15).reshape(-1).astype(np.int64)
    ends = np.flatnonzero(groups < 8)
    if not len(ends):
        return ends
    groups = groups[: ends[-1] + 1]
    starts = np.concatenate(([0], ends[:-1] + 1))
    order = np.arange(len(groups)) - np.repeat(starts, np.diff(np.append(starts, len(groups))))
    return np.add.reduceat((groups & 7) << np.minimum(3 * order, 60), starts)
