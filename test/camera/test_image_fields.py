"""Message fields to arrays: encodings, padding, and everything that is wrong with a frame."""

from __future__ import annotations

import array
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrfs_ros.camera.image_fields import ImageFields, rgb_image, thermal_image
from mrfs_ros.errors import ImageError

RGB = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
ALPHA = np.full((5, 7, 1), 9, np.uint8)


def fields(pixels: np.ndarray, encoding: str, padding: int = 0) -> ImageFields:
    """What a camera driver sends of ``pixels``, each row followed by ``padding`` bytes of noise."""
    rows = np.ascontiguousarray(pixels).reshape(pixels.shape[0], -1).view(np.uint8)
    padded = np.hstack((rows, np.full((rows.shape[0], padding), 0xEE, np.uint8)))
    return ImageFields(*pixels.shape[:2], encoding, padded.shape[1], array.array("B", padded.tobytes()))


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize(
    "encoding, pixels",
    [
        ("rgb8", RGB),
        ("bgr8", RGB[:, :, ::-1]),
        ("8UC3", RGB[:, :, ::-1]),
        ("rgba8", np.dstack((RGB, ALPHA))),
        ("bgra8", np.dstack((RGB[:, :, ::-1], ALPHA))),
        ("8UC4", np.dstack((RGB[:, :, ::-1], ALPHA))),
    ],
)
def test_colour_encodings_become_rgb(encoding, pixels, padding):
    assert (rgb_image(fields(pixels, encoding, padding)) == RGB).all()
    assert (thermal_image(fields(pixels, encoding, padding)) == RGB).all()  # in colours


@pytest.mark.parametrize("encoding", ["mono8", "8UC1"])
@pytest.mark.parametrize("padding", [0, 3])
def test_grey_encodings_pass_unchanged(encoding, padding):
    grey = RGB[:, :, 0]
    assert (thermal_image(fields(grey, encoding, padding)) == grey).all()


def test_rgb8_is_a_view():
    sent = fields(RGB, "rgb8")
    assert np.shares_memory(rgb_image(sent), np.frombuffer(sent.data, np.uint8))


@pytest.mark.parametrize("padding", [0, 3])
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("encoding, kind", [("mono16", "u2"), ("16UC1", "u2"), ("16SC1", "i2"), ("32FC1", "f4")])
def test_deep_values_come_as_they_were_sent(encoding, kind, big, padding):
    values = (np.arange(35).reshape(5, 7) * 937 - 9000 * (kind != "u2")).astype(kind)
    sent = fields(values.astype(values.dtype.newbyteorder(">" if big else "<"))[:, :, None], encoding, padding)
    read = thermal_image(replace(sent, is_bigendian=big))
    assert read.dtype == values.dtype and (read == values).all()


def test_deep_values_need_their_bytes():
    with pytest.raises(ImageError, match="mono16 of width 7 needs a step of at least 14 bytes, got 13") as error:
        thermal_image(ImageFields(5, 7, "mono16", 13, bytes(65)))
    assert error.value.reason == "step"


@pytest.mark.parametrize(
    "convert, sent, reason, text",
    [
        (rgb_image, fields(RGB[:, :, 0], "16UC1"), "rgb_encoding", "is a thermal camera on the rgb topic?"),
        (rgb_image, fields(RGB, "nv42"), "rgb_encoding", "expected encoding rgb8, bgr8"),
        (thermal_image, fields(RGB, "jpeg"), "thermal_encoding", "expected encoding mono8"),
        (thermal_image, fields(RGB, ""), "thermal_encoding", "got ''"),
        (rgb_image, ImageFields(0, 7, "rgb8", 21, b""), "zero_size", "got 0x7"),
        (rgb_image, ImageFields(5, 0, "rgb8", 0, b""), "zero_size", "got 5x0"),
        (rgb_image, ImageFields(5, 7, "rgb8", 20, bytes(100)), "step", "step of at least 21 bytes, got 20"),
        (rgb_image, ImageFields(5, 7, "rgb8", 21, bytes(104)), "data_size", "5 rows of 21 bytes make 105"),
        (rgb_image, ImageFields(5, 7, "rgb8", 21, bytes(106)), "data_size", "its data has 106 bytes"),
        (rgb_image, ImageFields(5, 7, "rgb8", 21, b""), "data_size", "its data has 0 bytes"),
    ],
)
def test_bad_frames_are_named(convert, sent, reason, text):
    with pytest.raises(ImageError) as error:
        convert(sent)
    assert error.value.reason == reason
    assert text in str(error.value)


@given(
    height=st.integers(0, 2**32 - 1),
    width=st.integers(0, 2**32 - 1),
    step=st.integers(0, 2**32 - 1),
    encoding=st.sampled_from(["rgb8", "bgra8", "yuyv", "bayer_gbrg16", "nv12", "i420", "mono8", "mono16", "nonsense"]),
    size=st.integers(0, 64),
)
def test_any_header_gives_an_image_or_an_image_error(height, width, step, encoding, size):
    sent = ImageFields(height, width, encoding, step, bytes(size))
    for convert in (rgb_image, thermal_image):
        try:
            assert convert(sent).shape[:2] == (height, width)
        except ImageError as error:
            assert error.reason != "bad_image"
