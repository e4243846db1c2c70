"""Byte order: a flag that is wrong is found on images of cameras, a right one is never doubted."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from mrfs_ros.camera.byte_order import ByteOrder, looks_swapped
from mrfs_ros.camera.camera_images import CameraImages
from mrfs_ros.camera.image_fields import ImageFields


def scene(low: float, high: float, noise: float, size=(120, 160)) -> np.ndarray:
    """(H, W) float: objects of any sizes between ``low`` and ``high``, with the noise of a sensor."""
    rng = np.random.default_rng(0)
    shapes = sum(cv2.resize(rng.random((n, n)), size[::-1], interpolation=cv2.INTER_CUBIC) / n for n in (3, 6, 12))
    shapes = (shapes - shapes.min()) / np.ptp(shapes)
    return low + (high - low) * shapes + rng.normal(0, noise, size)


KINDS = {
    "counts of 14 bits": scene(7000, 9500, 15).astype(np.uint16),
    "centikelvin": scene(28500, 31000, 8).astype(np.uint16),
    "a narrow scene": scene(8100, 8700, 20).astype(np.uint16),
    "signed": scene(-900, 4000, 12).astype(np.int16),
    "degrees": scene(12.0, 45.0, 0.1).astype(np.float32),
    "kelvin": scene(285.0, 320.0, 0.1).astype(np.float32),
}
NEVER = {
    "8 bits in the high byte": (scene(10, 240, 2).astype(np.uint16)) << 8,
    "8 bits in the low byte": scene(10, 240, 2).astype(np.uint16),
    "8 bits in both": scene(10, 240, 2).astype(np.uint16) * 257,
    "14 bits shifted to the top": scene(3000, 12000, 10).astype(np.uint16) << 2,
    "noise alone": scene(8192, 8192, 20).astype(np.uint16),
    "noise of all bits": np.random.default_rng(1).integers(0, 65536, (120, 160)).astype(np.uint16),
    "one value": np.full((120, 160), 8000, np.uint16),
    "no value": np.full((120, 160), np.nan, np.float32),
    "few pixels": scene(7000, 9500, 15).astype(np.uint16).byteswap()[:8, :8],
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_order_is_found_and_the_right_one_is_not_doubted(kind):
    assert looks_swapped(KINDS[kind].byteswap())
    assert not looks_swapped(KINDS[kind])


@pytest.mark.parametrize("counts", [3, 8, 37, 150])
def test_of_real_scenes(counts):
    files = sorted((Path(__file__).resolve().parents[2] / "samples/thermal").glob("*.jpg"))
    assert files
    for file in files:
        values = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE).astype(np.uint16) * counts + 7000
        assert looks_swapped(values.byteswap()) and not looks_swapped(values), file


@pytest.mark.parametrize("kind", NEVER)
def test_what_shows_no_order_is_left_as_it_is(kind):
    assert not looks_swapped(NEVER[kind])


def test_a_decision_stays_and_is_sought_in_the_first_frames_only():
    good, flat = KINDS["centikelvin"], NEVER["noise alone"]
    order = ByteOrder()
    assert (order.mended(flat) == flat).all()  # shows nothing
    assert (order.mended(good.byteswap()) == good).all()
    assert (order.mended(flat.byteswap()) == flat).all() and order.is_swapped
    late = ByteOrder()
    for _ in range(10):
        late.mended(good)
    assert (late.mended(good.byteswap()) == good.byteswap()).all() and not late.is_swapped


@pytest.mark.parametrize("flag", [False, True])
@pytest.mark.parametrize("encoding, kind", [("16UC1", "centikelvin"), ("32FC1", "degrees"), ("16SC1", "signed")])
def test_a_thermal_camera_with_a_wrong_flag_is_read_right_and_said_once(encoding, kind, flag):
    values = KINDS[kind]
    data = values.astype(values.dtype.newbyteorder("<" if flag else ">")).tobytes()  # the opposite of the flag
    told = []
    camera = CameraImages(told.append)
    for _ in range(3):
        step = values.dtype.itemsize * values.shape[1]
        assert (camera.thermal(ImageFields(*values.shape, encoding, step, data, flag)) == values).all()
    assert len(told) == 1
    assert f"thermal images ({encoding}, is_bigendian {int(flag)}) are far smoother with their bytes swapped" in told[0]
    assert f"let the camera driver send is_bigendian {1 - flag}" in told[0]


@pytest.mark.parametrize("encoding, channels", [("mono16", 1), ("rgb16", 3), ("bgra16", 4)])
def test_a_visible_camera_with_a_wrong_flag(encoding, channels):
    grey = scene(2000, 60000, 300).astype(np.uint16)
    pixels = np.repeat(grey[:, :, None], channels, 2)
    told = []
    camera = CameraImages(told.append)
    step = 2 * channels * grey.shape[1]
    right = camera.rgb(ImageFields(*grey.shape, encoding, step, pixels.astype("<u2").tobytes(), False))
    assert not any("bytes swapped" in text for text in told)
    wrong = camera.rgb(ImageFields(*grey.shape, encoding, step, pixels.astype(">u2").tobytes(), False))
    assert (wrong == right).all()
    assert [
        text
        for text in told
        if f"rgb images ({encoding}, is_bigendian 0) are far smoother with their bytes swapped" in text
    ]
