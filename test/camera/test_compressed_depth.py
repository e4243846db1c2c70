"""compressedDepth: PNG and RVL as image_transport's plugin writes them, counts and floats."""

from __future__ import annotations

import struct

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrfs_ros.camera.compressed_depth import CompressedDepth, is_compressed_depth
from mrfs_ros.errors import ImageError

PIXELS = 64_000_000
COUNTS = (29000 + np.random.default_rng(0).integers(-300, 300, (21, 34))).astype(np.uint16)
COUNTS[3:5, 7:30] = 0
PNG, RVL = "16UC1; compressedDepth png", "16UC1; compressedDepth rvl"


def sent(image: bytes, kind: str, scale: float = 0.0, offset: float = 0.0) -> CompressedDepth:
    return CompressedDepth(struct.pack("<iff", 0, scale, offset) + image, kind, "depth")


def png(counts: np.ndarray) -> bytes:
    return cv2.imencode(".png", counts)[1].tobytes()


def rvl(counts: np.ndarray) -> bytes:
    """RVL as its author's C code writes it, pixel by pixel, with the columns and rows before it."""
    nibbles: list[int] = []

    def number(value: int) -> None:
        while True:
            nibble, value = value & 7, value >> 3
            nibbles.append(nibble | (8 if value else 0))
            if not value:
                return

    flat, place, previous = counts.reshape(-1).astype(int).tolist(), 0, 0
    while place < len(flat):
        begin = place
        while place < len(flat) and not flat[place]:
            place += 1
        number(place - begin)
        end = place
        while end < len(flat) and flat[end]:
            end += 1
        number(end - place)
        for value in flat[place:end]:
            delta = value - previous
            number((delta << 1) ^ (delta >> 31))
            previous = value
        place = end
    nibbles += [0] * (-len(nibbles) % 8)
    words = [sum(n << 28 - 4 * i for i, n in enumerate(nibbles[at : at + 8])) for at in range(0, len(nibbles), 8)]
    return struct.pack("<II", counts.shape[1], counts.shape[0]) + struct.pack(f"<{len(words)}I", *words)


@pytest.mark.parametrize("kind", ["16UC1; compressedDepth", PNG, "mono16; compressedDepth png "])
def test_counts_as_png(kind):
    depth = sent(png(COUNTS), kind)
    depth.check(PIXELS)
    read = depth.decode(PIXELS)
    assert read.dtype == depth.dtype == np.uint16 and (read == COUNTS).all()


def test_counts_as_rvl():
    read = sent(rvl(COUNTS), RVL).decode(PIXELS)
    assert read.dtype == np.uint16 and (read == COUNTS).all()


@given(st.lists(st.sampled_from([0, 0, 1, 7, 8, 300, 30000, 65535]), min_size=1, max_size=60))
def test_rvl_of_any_counts(values):
    counts = np.array([values], np.uint16)
    assert (sent(rvl(counts), RVL).decode(PIXELS) == counts).all()


@pytest.mark.parametrize("kind, encode", [("png", png), ("rvl", rvl)])
def test_floats_are_quantised_by_their_inverse(kind, encode):
    """As the plugin does: scale = quantum x (quantum + 1), offset = 1 - scale / largest."""
    values = np.random.default_rng(1).uniform(10, 60, (21, 34)).astype(np.float32)
    quantum, largest = 100.0, 60.0
    scale = quantum * (quantum + 1)
    offset = 1 - scale / largest
    inverse = np.rint(scale / values + offset).astype(np.uint16)
    inverse[2, 3] = 0
    read = sent(encode(inverse), f"32FC1; compressedDepth {kind}", scale, offset).decode(PIXELS)
    assert read.dtype == np.float32 and np.isnan(read[2, 3]) and np.isnan(read).sum() == 1
    read[2, 3] = values[2, 3]
    assert np.abs(read - values).max() < 60**2 / scale  # half a quantum, and some


@pytest.mark.parametrize(
    "depth, text",
    [
        (CompressedDepth(b"", PNG, "depth"), "no image after its header of 12 bytes"),
        (CompressedDepth(bytes(12), PNG, "depth"), "no image after its header of 12 bytes"),
        (sent(b"no image", PNG), "is no image that OpenCV reads"),
        (
            sent(png(COUNTS), "8UC1; compressedDepth png"),
            "expected 16UC1, mono16, 32FC1 in compressedDepth, got '8UC1'",
        ),
        (sent(png(COUNTS.astype(np.uint8)), PNG), "expected 16 bits per channel, got uint8"),
        (sent(png(np.dstack([COUNTS] * 3)), PNG), "expected a grey PNG, got one in colour"),
        (sent(rvl(COUNTS)[:6], RVL), "its RVL data is cut off"),
        (sent(rvl(COUNTS)[:200], RVL), "its RVL data is damaged or cut off"),
        (sent(struct.pack("<II", 0, 5), RVL), "its header says 5x0 pixels"),
        (sent(struct.pack("<III", 2**15, 2**15, 0), RVL), "at most 64 million"),
        (sent(struct.pack("<IIII", 9, 9, 0, 0), RVL), "its RVL data is damaged or cut off"),
    ],
)
def test_what_cannot_be_read_is_named(depth, text):
    with pytest.raises(ImageError, match=r"^depth: ") as error:
        depth.decode(PIXELS)
    assert text in str(error.value)


@given(st.binary(max_size=80), st.sampled_from(["png", "rvl"]), st.sampled_from(["16UC1", "32FC1"]))
def test_any_bytes_give_an_image_or_an_image_error(data, kind, encoding):
    head = struct.pack("<II", 6, 4) if kind == "rvl" else b""
    try:
        assert sent(head + data, f"{encoding}; compressedDepth {kind}").decode(PIXELS).shape == (4, 6)
    except ImageError as error:
        assert error.reason != "bad_image"


def test_how_it_is_told_from_other_compressed_images():
    assert is_compressed_depth(PNG) and not is_compressed_depth("rgb8; jpeg compressed bgr8")
