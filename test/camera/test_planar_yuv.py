"""YUV 4:2:0: made here from known colours, the arithmetic written out."""

from __future__ import annotations

import array

import numpy as np
import pytest

from mrfs_ros.camera.image_fields import ImageFields, rgb_image, thermal_image
from mrfs_ros.errors import ImageError

HEIGHT, WIDTH = 12, 16
COLOURS = np.array([(200, 120, 40), (30, 90, 250), (90, 200, 90)])
SCENE = np.repeat(np.repeat(COLOURS[np.arange(48).reshape(6, 8) % 3], 2, 0), 2, 1)  # squares that share their chroma


def planes(scene: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(H, W) luma, (H / 2, W / 2) u and v, uint8, by ITU-R BT.601, 8 bits."""
    r, g, b = np.moveaxis(scene / 255, 2, 0)
    y = 0.299 * r + 0.587 * g + 0.114 * b
    u, v = 128 + 112 * (b - y) / 0.886, 128 + 112 * (r - y) / 0.701
    return tuple(plane.round().astype(np.uint8) for plane in (16 + 219 * y, u[::2, ::2], v[::2, ::2]))


def sent(encoding: str, y: np.ndarray, u: np.ndarray, v: np.ndarray, padding: int = 0) -> ImageFields:
    """What a driver sends, rows of luma with ``padding`` bytes of noise after them, rows of one chroma with half."""
    height, width = y.shape

    def padded(rows: np.ndarray, noise: int) -> bytes:
        return np.pad(rows, ((0, 0), (0, noise)), constant_values=0xEE).tobytes()

    if encoding in ("nv12", "nv21"):
        first, second = (u, v) if encoding == "nv12" else (v, u)
        chroma = padded(np.stack((first, second), 2).reshape(height // 2, width), padding)
    else:
        chroma = b"".join(padded(plane, padding // 2) for plane in ((v, u) if encoding == "yv12" else (u, v)))
    data = array.array("B", padded(y, padding) + chroma)
    return ImageFields(height, width, encoding, width + padding, data)


@pytest.mark.parametrize("padding", [0, 8])
@pytest.mark.parametrize("encoding", ["nv12", "nv21", "i420", "yuv420", "yv12"])
def test_colours_and_luma(encoding, padding):
    fields = sent(encoding, *planes(SCENE), padding)
    read = rgb_image(fields)
    assert read.dtype == np.uint8 and np.abs(read.astype(int) - SCENE).max() <= 3  # rounded twice
    grey = sent(encoding, planes(SCENE)[0], *[np.full((HEIGHT // 2, WIDTH // 2), 130, np.uint8)] * 2, padding)
    assert (thermal_image(grey) == planes(SCENE)[0]).all()  # luma as sent
    assert thermal_image(fields).shape == SCENE.shape  # in colours


def test_a_step_of_one_and_a_half_rows_means_no_padding():
    """As depthai_ros sends it: the step is all bytes by the height."""
    fields = sent("nv12", *planes(SCENE))
    told = ImageFields(HEIGHT, WIDTH, "nv12", WIDTH * 3 // 2, fields.data)
    assert (rgb_image(told) == rgb_image(fields)).all()


@pytest.mark.parametrize("convert", [rgb_image, thermal_image])
@pytest.mark.parametrize(
    "fields, reason",
    [
        (ImageFields(5, 8, "nv12", 8, bytes(60)), "odd_width"),
        (ImageFields(4, 7, "i420", 8, bytes(48)), "odd_width"),
        (ImageFields(4, 8, "nv21", 7, bytes(42)), "step"),
        (ImageFields(4, 8, "nv12", 8, bytes(47)), "data_size"),
        (ImageFields(4, 8, "nv12", 8, bytes(32)), "data_size"),
        (ImageFields(0, 8, "nv12", 8, b""), "zero_size"),
    ],
)
def test_sizes_that_do_not_fit(convert, fields, reason):
    with pytest.raises(ImageError) as error:
        convert(fields)
    assert error.value.reason == reason
