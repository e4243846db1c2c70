"""Mosaics and YUV of colour cameras: made here from known colours, the arithmetic written out."""

from __future__ import annotations

import array
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from mrfs_ros.camera.camera_images import CameraImages
from mrfs_ros.camera.colour_formats import MOSAICS, PLAIN
from mrfs_ros.camera.image_fields import ImageFields, rgb_image, thermal_image
from mrfs_ros.errors import ImageError

HEIGHT, WIDTH = 24, 32
LEFT, RIGHT = (200, 120, 40), (30, 90, 250)


@pytest.fixture(scope="module")
def scene() -> np.ndarray:
    """(24, 32, 3) uint8, RGB: two halves of one colour each."""
    image = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    image[:, : WIDTH // 2], image[:, WIDTH // 2 :] = LEFT, RIGHT
    return image


def mosaic(scene: np.ndarray, pattern: str) -> np.ndarray:
    """(H, W): of each pixel the one colour that the sensor's filter lets through."""
    channel = np.array(["rgb".index(colour) for colour in pattern]).reshape(2, 2)
    rows, columns = np.indices(scene.shape[:2])
    return np.take_along_axis(scene, channel[rows % 2, columns % 2][..., None], 2)[..., 0]


def yuv(scene: np.ndarray, order: str) -> np.ndarray:
    """(H, W, 2) uint8 by the equations of ITU-R BT.601, 8 bits: luma 16 to 235, chroma 16 to 240 around 128."""
    r, g, b = np.moveaxis(scene / 255, 2, 0)
    y = 0.299 * r + 0.587 * g + 0.114 * b
    luma, u, v = 16 + 219 * y, 128 + 112 * (b - y) / 0.886, 128 + 112 * (r - y) / 0.701
    first, second = np.where(np.arange(scene.shape[1]) % 2, v, u), luma
    packed = np.stack((first, second) if order == "uyvy" else (second, first), 2)
    return packed.round().astype(np.uint8)


def sent(pixels: np.ndarray, encoding: str, padding: int = 0, big: bool = False) -> ImageFields:
    """What a driver sends of ``pixels``, each row followed by ``padding`` bytes of noise."""
    rows = np.ascontiguousarray(pixels).view(np.uint8).reshape(pixels.shape[0], -1)
    padded = np.pad(rows, ((0, 0), (0, padding)), constant_values=0xEE)
    return ImageFields(*pixels.shape[:2], encoding, padded.shape[1], array.array("B", padded.tobytes()), big)


def flat(image: np.ndarray) -> np.ndarray:
    """The columns whose neighbours are of their own colour."""
    return np.delete(image, [WIDTH // 2 - 1, WIDTH // 2], 1)


@pytest.mark.parametrize("padding", [0, 6])
@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
def test_mosaics_become_rgb(scene, pattern, padding):
    read = rgb_image(sent(mosaic(scene, pattern), f"bayer_{pattern}8", padding))
    assert read.dtype == np.uint8 and read.shape == scene.shape
    assert (flat(read) == flat(scene)).all()


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
def test_mosaics_of_16_bits(scene, pattern, big):
    deep = mosaic(scene, pattern).astype(np.uint16) * 257
    deep[0, 0] += 100  # less than half a grey level
    read = rgb_image(sent(deep.astype(">u2" if big else "<u2"), f"bayer_{pattern}16", 4, big))
    assert read.dtype == np.uint8
    assert (flat(read) == flat(scene)).all()


@pytest.mark.parametrize("padding", [0, 3])
@pytest.mark.parametrize("encoding, order", [
    ("yuv422", "uyvy"), ("uyvy", "uyvy"), ("yuv422_yuy2", "yuyv"), ("yuyv", "yuyv"),
])  # fmt: skip
def test_yuv_becomes_rgb(scene, encoding, order, padding):
    fields = sent(yuv(scene, order), encoding, padding)
    read = rgb_image(fields)
    assert read.flags.c_contiguous and read.dtype == np.uint8
    assert np.abs(read.astype(int) - scene).max() <= 2  # rounded twice
    assert (thermal_image(fields) == read).all()  # a thermal camera in colours


@pytest.mark.parametrize("noise", [0, 12])
@pytest.mark.parametrize("encoding, luma", [("yuv422", 1), ("uyvy", 1), ("yuv422_yuy2", 0), ("yuyv", 0)])
def test_luma_of_a_grey_thermal_camera_is_as_it_was_sent(encoding, luma, noise):
    """Full range: what is below 16 and above 235 stays apart."""
    packed = np.full((8, 256, 2), 128, np.uint8)
    packed[:, :, 1 - luma] += np.random.default_rng(0).integers(0, noise + 1, (8, 256), np.uint8)  # of a grabber
    packed[:, :, luma] = np.arange(256)
    read = thermal_image(sent(packed, encoding, 6))
    assert read.shape == (8, 256) and (read == np.arange(256)).all()


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("encoding", ["rgb16", "bgr16", "16UC3", "rgba16", "bgra16", "16UC4"])
def test_colours_of_16_bits(scene, encoding, big):
    deep = scene.astype(np.uint16) * 257
    deep[0, 0] += 100  # less than half a grey level
    pixels = deep if encoding.startswith("rgb") else deep[:, :, ::-1]
    if encoding in ("rgba16", "bgra16", "16UC4"):
        pixels = np.dstack((pixels, np.full(scene.shape[:2], 9, np.uint16)))
    read = rgb_image(sent(pixels.astype(">u2" if big else "<u2"), encoding, 4, big))
    assert read.dtype == np.uint8 and (read == scene).all()


@pytest.mark.parametrize("highest, told", [(1023, True), (4095, True), (5000, False), (65535, False), (0, False)])
@pytest.mark.parametrize("encoding", ["mono16", "rgb16", "bayer_rggb16"])
def test_bits_that_are_not_shifted_to_the_top_are_said_once(encoding, highest, told):
    said = []
    camera = CameraImages(said.append)
    deep = np.zeros((HEIGHT, WIDTH, 3 if encoding == "rgb16" else 1), "<u2")
    deep[3, 5, -1] = highest
    for _ in range(3):
        camera.rgb(sent(deep, encoding))
    assert [
        f"rgb images ({encoding}) use {highest} of 65535 levels" in text for text in said if "grey" not in text
    ] == [True] * told


@pytest.mark.parametrize("encoding, factor", [("mono8", 1), ("8UC1", 1), ("mono16", 257)])
def test_a_grey_visible_camera_is_r_g_b(scene, encoding, factor):
    grey = scene[:, :, 0]
    read = rgb_image(sent(grey.astype(np.uint16 if factor > 1 else np.uint8) * factor, encoding, 5))
    assert read.dtype == np.uint8 and (read == grey[:, :, None]).all() and read.shape == scene.shape


@pytest.mark.parametrize("encoding", ["yuv422", "yuyv"])
@pytest.mark.parametrize("convert, name", [(rgb_image, "rgb"), (thermal_image, "thermal")])
def test_pixels_that_share_a_colour_come_in_pairs(encoding, convert, name):
    with pytest.raises(ImageError, match=f"{name} image: two pixels of {encoding} .* even width, got 7") as error:
        convert(ImageFields(4, 7, encoding, 14, bytes(56)))
    assert error.value.reason == "odd_width"


def test_a_mosaic_is_no_thermal_image():
    with pytest.raises(ImageError, match="thermal image: expected encoding mono8") as error:
        thermal_image(ImageFields(4, 8, "bayer_rggb8", 8, bytes(32)))
    assert error.value.reason == "thermal_encoding"


@pytest.mark.parametrize("encoding", ["bayer_rggb16", "yuv422"])
def test_two_bytes_a_pixel_are_asked_for(encoding):
    with pytest.raises(ImageError, match="needs a step of at least 16 bytes, got 8"):
        rgb_image(ImageFields(4, 8, encoding, 8, bytes(32)))


@pytest.fixture(scope="module")
def cv_bridge():
    module = pytest.importorskip("cv_bridge", reason="compares with cv_bridge, which only ROS installations have")
    trial = "from cv_bridge.boost.cv_bridge_boost import cvtColor2; import numpy as np\n"
    trial += "cvtColor2(np.zeros((4, 4, 3), np.uint8), 'bgr8', 'rgb8')"
    if subprocess.run([sys.executable, "-c", trial], capture_output=True).returncode:  # it would take us along
        pytest.skip("this cv_bridge crashes: built for another NumPy?")
    return module.CvBridge()


@pytest.mark.parametrize("encoding", [*MOSAICS, "yuv422", "yuv422_yuy2", "bgr8", "bgra8"])
def test_as_cv_bridge_does(encoding, cv_bridge):
    size = {**PLAIN, **MOSAICS}[encoding].pixel
    pixels = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH * size), np.uint8)
    fields = ImageFields(HEIGHT, WIDTH, encoding, pixels.shape[1], array.array("B", pixels.tobytes()))
    message = SimpleNamespace(**vars(fields))
    assert (rgb_image(fields) == cv_bridge.imgmsg_to_cv2(message, "rgb8")).all()
