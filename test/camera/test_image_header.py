"""Headers of encoded images: sizes as other writers mean them, and what is refused before it is decoded."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrfs_ros.camera.image_header import read_header
from mrfs_ros.errors import ImageError

MANY = 2**40
GREY = np.random.default_rng(0).integers(0, 256, (37, 52), np.uint8)
RGB = np.random.default_rng(1).integers(0, 256, (37, 52, 3), np.uint8)


def encoded(pixels: np.ndarray, suffix: str, *settings: int) -> bytes:
    return cv2.imencode(suffix, pixels, list(settings))[1].tobytes()


def header(content: bytes, max_pixels: int = MANY):
    return read_header(content, "x", "rgb", max_pixels)


@pytest.mark.parametrize(
    "content, channels, bits",
    [
        (encoded(GREY, ".png"), 1, 8),
        (encoded(RGB, ".png"), 3, 8),
        (encoded(np.dstack((RGB, GREY)), ".png"), 4, 8),
        (encoded(GREY.astype(np.uint16), ".png"), 1, 16),
        (encoded(GREY, ".jpg"), 1, 8),
        (encoded(RGB, ".jpg"), 3, 8),
        (encoded(RGB, ".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1, cv2.IMWRITE_JPEG_RST_INTERVAL, 2), 3, 8),
        (encoded(RGB, ".bmp"), 3, 8),
        (encoded(RGB, ".webp", cv2.IMWRITE_WEBP_QUALITY, 80), 3, 8),
        (encoded(RGB, ".webp", cv2.IMWRITE_WEBP_QUALITY, 101), 3, 8),  # lossless
        (encoded(np.dstack((RGB, GREY)), ".webp", cv2.IMWRITE_WEBP_QUALITY, 80), 3, 8),  # extended
        (encoded(GREY, ".tiff"), 1, 8),
        (encoded(RGB, ".tiff"), 3, 8),
        (encoded(GREY.astype(np.uint16), ".tiff"), 1, 16),
    ],
)
def test_sizes_and_kinds(content, channels, bits):
    found = header(content)
    assert (found.height, found.width, found.channels, found.bits, found.pages) == (37, 52, channels, bits, 1)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
def test_tiff_of_both_orders_and_sizes_of_numbers(order, big):
    """Pages are counted; a thumbnail, a mask and a circle of pages are none."""
    number = "Q" if big else "I"
    start = (b"II" if order == "<" else b"MM") + struct.pack(order + "H", 43 if big else 42)
    start += struct.pack(order + "HHQ", 8, 0, 16) if big else struct.pack(order + "I", 8)
    entry = order + "HH" + number
    room = 8 if big else 4

    def directory(place: int, kind: int, last: bool) -> bytes:
        values = {254: (4, kind), 256: (4, 52), 257: (3, 37), 258: (3, 16), 277: (3, 1)}
        body = struct.pack(order + ("Q" if big else "H"), len(values))
        for tag, (form, value) in values.items():
            body += struct.pack(entry, tag, form, 1) + struct.pack(order + "HI"[form == 4], value).ljust(room, b"\0")
        after = place + len(body) + struct.calcsize(order + number)
        return body + struct.pack(order + number, len(start) if last else after)  # the last leads back to the first

    content = start
    for at, kind in enumerate((0, 1, 2, 4, 2)):
        content += directory(len(content), kind, at == 4)
    found = header(content)
    assert (found.height, found.width, found.channels, found.bits) == (37, 52, 1, 16)
    assert found.pages == 3


def test_pages_that_opencv_wrote_are_counted():
    done, content = cv2.imencodemulti(".tiff", [GREY, GREY, GREY]) if hasattr(cv2, "imencodemulti") else (False, None)
    if not done:
        pytest.skip("this OpenCV writes no TIFF of several pages to memory")
    assert header(content.tobytes()).pages == 3


def png_of_zeros(height: int, width: int) -> bytes:
    """A valid grey PNG of a few kilobytes, however large it is."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(width + 1)) for _ in range(height)) + packer.flush()
    start = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", start) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_a_png_of_kilobytes_that_would_be_144_million_pixels():
    content = png_of_zeros(12000, 12000)
    assert len(content) < 200_000
    with pytest.raises(
        ImageError,
        match=r"x: its header says 12000x12000 \(HxW\), 144 million pixels: expected at most",
    ) as error:
        header(content, 64_000_000)
    assert error.value.reason == "rgb_too_large"


@pytest.mark.parametrize(
    "content",
    [
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">IIBBBBB", 2**15, 2**15, 8, 2, 0, 0, 0),
        b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0\xff\xc2\0\x11\x08" + struct.pack(">HH", 65500, 65500) + b"\3",
        b"BM" + bytes(12) + struct.pack("<IiiHH", 40, 2**15, -(2**15), 1, 24),
        b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + b"\xff\x7f\0" + b"\xff\x7f\0",
        b"RIFF\0\0\0\0WEBPVP8 \0\0\0\0\0\0\0\x9d\x01\x2a\xff\x3f\xff\x3f",
        b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f" + struct.pack("<I", 2**28 - 1),
        b"II*\0\x08\0\0\0\2\0" + struct.pack("<HHIIHHIII", 256, 4, 1, 2**20, 257, 4, 1, 2**20, 0),
    ],
    ids=["png", "jpeg", "bmp", "webp extended", "webp", "webp lossless", "tiff"],
)  # fmt: skip
def test_headers_of_absurd_sizes_are_enough_to_refuse(content):
    with pytest.raises(ImageError, match=r"its header says .* million pixels: expected at most 64 million"):
        header(content, 64_000_000)


def test_the_limit_is_allowed():
    content = encoded(GREY, ".png")
    assert header(content, GREY.size).width == 52
    with pytest.raises(ImageError, match=r"expected at most 0\.001923 million"):
        header(content, GREY.size - 1)


@pytest.mark.parametrize("content", [b"", b"\xff", b"GIF89a", b"hello, world", b"RIFF\0\0\0\0WAVE" + bytes(40)])
def test_what_is_no_image(content):
    with pytest.raises(ImageError, match="x: is no image that OpenCV reads") as error:
        header(content)
    assert error.value.reason == "rgb_damaged"


WHOLE = [encoded(GREY, suffix) for suffix in (".png", ".jpg", ".bmp", ".tiff")] + [encoded(RGB, ".webp")]


@given(st.sampled_from(WHOLE), st.integers(0, 3000), st.binary(max_size=8), st.integers(0, 200))
def test_damage_gives_a_header_or_an_image_error(content, end, patch, place):
    broken = bytearray(content[:end])
    broken[place : place + len(patch)] = patch
    try:
        found = header(bytes(broken))
        assert found.height > 0 and found.width > 0
    except ImageError as error:
        assert error.reason == "rgb_damaged" or "header says" in str(error)


def test_any_buffer_is_read():
    content = encoded(GREY, ".jpg")
    for buffer in (np.frombuffer(content, np.uint8), memoryview(content), bytearray(content)):
        assert header(buffer).height == 37
