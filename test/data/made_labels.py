"""Label files written sample by sample, so that no image library's idea of them is the oracle."""

from __future__ import annotations

import struct
import zlib

import numpy as np

GREY, COLOUR, PALETTE, GREY_ALPHA, COLOUR_ALPHA = 0, 2, 3, 4, 6
VOC = np.array(
    [[sum((i >> (3 * j + c) & 1) << (7 - j) for j in range(8)) for c in range(3)] for i in range(256)], np.uint8
)
"""The colour map of Pascal VOC, which labelme and CVAT write: bits of the index, dealt to the channels."""


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(
    samples: np.ndarray, bits: int = 8, kind: int = GREY, *, palette=None, transparency=b"", orientation=0
) -> bytes:
    """A PNG of ``samples`` (H, W) or (H, W, channels), each of ``bits``; ``orientation``: of its EXIF chunk, if any."""
    rows = samples.reshape(len(samples), -1)
    height, width = samples.shape[:2]
    if bits == 16:
        packed = rows.astype(">u2").view(np.uint8).reshape(height, -1)
    else:
        every_bit = rows[:, :, None].astype(np.uint16) >> np.arange(bits - 1, -1, -1) & 1
        packed = np.packbits(every_bit.reshape(height, -1).astype(np.uint8), axis=1)
    lines = b"".join(b"\0" + row.tobytes() for row in packed)
    parts = [b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0))]
    if palette is not None:
        parts.append(chunk(b"PLTE", np.asarray(palette, np.uint8).tobytes()))
    if transparency:
        parts.append(chunk(b"tRNS", transparency))
    if orientation:
        parts.append(chunk(b"eXIf", exif(orientation)))
    return b"".join((*parts, chunk(b"IDAT", zlib.compress(lines)), chunk(b"IEND", b"")))


def exif(orientation: int) -> bytes:
    """TIFF header and one entry, the orientation (tag 274), as EXIF wants it."""
    return b"MM\0*\0\0\0\x08" + struct.pack(">HHHIHHI", 1, 274, 3, 1, orientation, 0, 0)


def upright(stored: np.ndarray, orientation: int) -> np.ndarray:
    """The picture that a file with ``stored`` rows and this EXIF orientation (1 to 8) shows (EXIF 2.3, table 6)."""
    rows = {
        1: stored, 2: stored[:, ::-1], 3: stored[::-1, ::-1], 4: stored[::-1],
        5: stored.swapaxes(0, 1), 6: stored[::-1].swapaxes(0, 1),
        7: stored[::-1, ::-1].swapaxes(0, 1), 8: stored[:, ::-1].swapaxes(0, 1),
    }  # fmt: skip
    return rows[orientation]
