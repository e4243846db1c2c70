"""False colours: found, undone where the palette is known, and never seen in grey images or visible scenes."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest

from mrfs_ros.camera.camera_images import CameraImages
from mrfs_ros.camera.encoded import encode_jpeg
from mrfs_ros.camera.gray import to_gray
from mrfs_ros.camera.image_fields import ImageFields
from mrfs_ros.camera.palettes import find_palette, known_palettes, sample

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
RAMP = np.tile(np.arange(256, dtype=np.uint8), (96, 1))
NAMES = [palette.name for palette in known_palettes() if " " not in palette.name]


@cache
def thermal_scene(number: int = 0) -> np.ndarray:
    """(256, 320) uint8, a street in the dark by a thermal camera."""
    files = sorted((SAMPLES / "thermal").glob("*.jpg"))
    return cv2.resize(cv2.imread(str(files[number]), 0), (320, 256), interpolation=cv2.INTER_AREA)


def visible_scenes() -> list[np.ndarray]:
    files = sorted((SAMPLES / "rgb").glob("*.jpg"))
    return [cv2.imread(str(file), cv2.IMREAD_COLOR)[::4, ::4, ::-1] for file in files]


def opencv(name: str, levels: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8, RGB, by OpenCV itself."""
    return cv2.applyColorMap(levels, getattr(cv2, f"COLORMAP_{name.upper()}"))[:, :, ::-1]


def coloured(name: str, levels: np.ndarray) -> np.ndarray:
    if name == "iron":  # gnuplot's rgbformulae 7,5,15
        x = levels / 255
        rgb = np.stack((np.sqrt(x), x**3, np.maximum(np.sin(np.radians(360 * x)), 0)), 2)
        return np.rint(255 * rgb).astype(np.uint8)
    return opencv(name, levels)


def raw(rgb: np.ndarray, encoding: str = "rgb8") -> ImageFields:
    sent = np.ascontiguousarray(rgb if encoding == "rgb8" else rgb[:, :, ::-1])
    return ImageFields(*rgb.shape[:2], encoding, 3 * rgb.shape[1], sent.reshape(-1))


class Camera:
    """A thermal camera's images read one after the other; ``told``: what was said of them."""

    def __init__(self):
        self.told: list[str] = []
        self._images = CameraImages(self.told.append)

    def raw(self, rgb: np.ndarray, encoding: str = "rgb8") -> np.ndarray:
        return self._images.thermal(raw(rgb, encoding))

    def jpeg(self, rgb: np.ndarray, quality: int) -> np.ndarray:
        return self._images.encoded_thermal(encode_jpeg(np.ascontiguousarray(rgb), quality), "x")


def test_which_are_known():
    assert {"jet", "iron", "inferno", "hot", "rainbow", "turbo", "plasma", "magma", "viridis"} <= set(NAMES)


@pytest.mark.parametrize("levels", [RAMP, thermal_scene()], ids=["ramp", "scene"])
@pytest.mark.parametrize("name", NAMES)
def test_every_level_comes_back(name, levels):
    """Neighbours whose colours differ by one in one channel may be taken for each other."""
    camera = Camera()
    for _ in range(3):
        off = np.abs(camera.raw(coloured(name, levels), "bgr8").astype(int) - levels)
        assert off.max() <= (0 if name in ("jet", "hot", "rainbow", "turbo") else 2)
        assert (off > 1).mean() < 0.03 and off.mean() <= 0.55
    assert len(camera.told) == 1
    assert f"thermal images are in false colours, palette {name}: undone" in camera.told[0]


@pytest.mark.parametrize("name", NAMES)
def test_after_jpeg(name):
    """Of a ramp within two or three levels, of a scene with edges, whose colours JPEG halves in size, nearly so."""
    off = np.abs(Camera().jpeg(coloured(name, RAMP), 90).astype(int) - RAMP)
    assert np.percentile(off, 90) <= 2 and np.percentile(off, 99) <= 3
    camera = Camera()
    off = np.abs(camera.jpeg(coloured(name, thermal_scene()), 90).astype(int) - thermal_scene())
    assert np.median(off) <= 1 and np.percentile(off, 90) <= 6
    assert f"palette {name}: undone" in camera.told[0]


@pytest.mark.parametrize("name", ["inferno", "hot", "rainbow", "turbo", "iron"])
def test_a_driver_that_swaps_red_and_blue(name):
    camera = Camera()
    off = np.abs(camera.raw(coloured(name, thermal_scene())[:, :, ::-1]).astype(int) - thermal_scene())
    assert off.max() <= 2 and f"palette {name} with red and blue swapped: undone" in camera.told[0]


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("quality", [30, 75, 95])
def test_grey_as_colour_is_grey_with_noise_of_jpeg_and_grabbers(number, quality):
    grey = np.repeat(thermal_scene(number)[:, :, None], 3, 2)
    noisy = np.clip(grey + np.random.default_rng(0).normal(0, 5, grey.shape), 0, 255).astype(np.uint8)
    tinted = np.clip(grey + np.array([6, 0, -6]), 0, 255).astype(np.uint8)
    camera = Camera()
    assert (camera.raw(grey) == thermal_scene(number)).all()
    for image in (grey, noisy, tinted):
        read = camera.jpeg(image, quality)
        assert np.abs(read.astype(int) - to_gray(image)).mean() < 6
    assert camera.told == []


def test_a_cross_hair_and_a_scale_on_a_grey_image_are_no_palette():
    image = np.repeat(thermal_scene()[:, :, None], 3, 2)
    image[120:124], image[:, 158:162] = (255, 0, 0), (0, 255, 0)
    image[:, -8:] = opencv("jet", np.tile(np.linspace(255, 0, 256).astype(np.uint8)[:, None], (1, 8)))
    camera = Camera()
    assert (camera.raw(image) == to_gray(image)).all() and camera.told == []


def test_a_cross_hair_on_false_colours_changes_nothing_around_it():
    image = coloured("inferno", thermal_scene())
    image[120:122], image[:, 158:160] = 255, 255
    read = Camera().raw(image)
    assert np.abs(read[130:, 170:].astype(int) - thermal_scene()[130:, 170:]).max() <= 1


def test_colours_of_no_known_palette_are_said_once_and_their_luma_is_taken():
    stops = np.array([(0, 60, 0), (200, 0, 200), (0, 200, 255), (90, 40, 0), (180, 255, 120)], float)
    table = np.stack([np.interp(np.arange(256), np.linspace(0, 255, 5), channel) for channel in stops.T], 1)
    image = table.astype(np.uint8)[thermal_scene()]
    camera = Camera()
    for _ in range(40):
        assert (camera.raw(image) == to_gray(image)).all()
    assert len(camera.told) == 1
    assert "colours of no known palette (jet, iron, inferno" in camera.told[0]
    assert "their luma is taken, which is no temperature" in camera.told[0]


def test_visible_scenes_are_from_no_palette():
    """So that swapped inputs are told, not undone."""
    scenes = visible_scenes()
    assert len(scenes) >= 10
    assert [find_palette(sample(scene)) for scene in scenes] == [None] * len(scenes)
    camera = Camera()
    camera.raw(scenes[0])
    assert "rgb and thermal are swapped" in camera.told[0]


def test_dark_frames_before_are_no_matter_and_a_change_of_palette_is_followed():
    camera = Camera()
    black = np.full((*RAMP.shape, 3), 3, np.uint8)
    assert (camera.raw(black) == 3).all() and camera.told == []
    assert (camera.raw(coloured("jet", RAMP)) == RAMP).all()
    assert np.abs(camera.raw(coloured("hot", RAMP)).astype(int) - RAMP).max() <= 1
    grey = np.repeat(RAMP[:, :, None], 3, 2)
    assert (camera.raw(grey) == RAMP).all()  # white hot
    assert (camera.raw(coloured("jet", RAMP)) == RAMP).all()
    assert [text.split(":")[0].rsplit(" ", 1)[1] for text in camera.told] == ["jet", "hot"]


def test_false_colours_as_yuv():
    """A grabber's: two pixels share their chroma."""
    levels = cv2.GaussianBlur(thermal_scene(), (0, 0), 4)
    rgb = coloured("jet", levels)
    yuv = cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV_I420).reshape(-1)
    camera = CameraImages((told := []).append)
    read = camera.thermal(ImageFields(*levels.shape, "i420", levels.shape[1], yuv))
    assert np.median(np.abs(read.astype(int) - levels)) <= 2 and "palette jet: undone" in told[0]


def test_luma_of_unknown_colours_in_yuv_is_as_sent():
    packed = np.empty((96, 256, 2), np.uint8)
    packed[:, :, 0], packed[:, :, 1] = RAMP, np.where(np.arange(256) % 2, 40, 200)  # one tint for all
    camera = CameraImages((told := []).append)
    assert (camera.thermal(ImageFields(96, 256, "yuyv", 512, packed.reshape(-1))) == RAMP).all()
    assert "no known palette" in told[0]
