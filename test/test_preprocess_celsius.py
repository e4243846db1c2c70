"""Preprocessing to degrees Celsius on the rgb grid: every way there, holes, and images that tell no temperature."""

from __future__ import annotations

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from warps import HOMOGRAPHY, SIZE, THERMAL_SIZE

from mrfs_ros.config import NodeConfig
from mrfs_ros.errors import ImageError
from mrfs_ros.preprocess import Preprocessor

HEADER = SimpleNamespace(stamp=SimpleNamespace(sec=1, nanosec=0), frame_id="")
CENTIKELVIN = {"thermal_unit": "centikelvin"}
SCALED = {"thermal_unit": "scaled", "thermal_scale": 0.04, "thermal_offset": -273.15}


def message(pixels: np.ndarray, encoding: str) -> SimpleNamespace:
    return SimpleNamespace(
        header=HEADER, height=pixels.shape[0], width=pixels.shape[1], encoding=encoding, step=pixels.strides[0],
        data=pixels.tobytes(), is_bigendian=0,
    )  # fmt: skip


def compressed(pixels: np.ndarray, form: str, before: bytes = b"") -> SimpleNamespace:
    return SimpleNamespace(header=HEADER, format=form, data=before + cv2.imencode(".png", pixels)[1].tobytes())


def slope(size: tuple[int, int]) -> np.ndarray:
    """(H, W) degrees: a tenth of a degree a column, half a degree a row."""
    return 15 + np.arange(size[1]) * 0.1 + np.arange(size[0])[:, None] * 0.5


def celsius(thermal, config: NodeConfig, size: tuple[int, int] = SIZE) -> np.ndarray | None:
    preprocessor = Preprocessor(config, print)
    rgb = message(np.zeros((*size, 3), np.uint8), "rgb8")
    return preprocessor.celsius(thermal, preprocessor.register(rgb, thermal, preprocessor.grey(thermal)))


@pytest.mark.parametrize(
    "settings, encoding, values",
    [
        (CENTIKELVIN, "16UC1", lambda degrees: ((degrees + 273.15) * 100).round().astype(np.uint16)),
        (CENTIKELVIN, "mono16", lambda degrees: ((degrees + 273.15) * 100).round().astype(np.uint16)),
        ({"thermal_unit": "celsius"}, "32FC1", lambda degrees: degrees.astype(np.float32)),
        ({"thermal_unit": "kelvin"}, "32FC1", lambda degrees: (degrees + 273.15).astype(np.float32)),
        (SCALED, "mono16", lambda degrees: ((degrees + 273.15) / 0.04).round().astype(np.uint16)),
        ({**SCALED, "thermal_scale": 0.25, "thermal_offset": 0.0}, "mono8", lambda d: (d * 4).round().astype(np.uint8)),
    ],
)
def test_degrees_of_one_grid_are_those_of_the_camera(settings, encoding, values):
    degrees = slope(SIZE)
    for more in ({}, {"thermal_window": "percentile", "thermal_invert": True}):
        image = celsius(message(values(degrees), encoding), NodeConfig(**settings, **more))
        assert image.shape == SIZE and image.dtype == np.float32
        np.testing.assert_allclose(image, degrees, atol=0.126 if encoding == "mono8" else 0.021)


def test_degrees_of_encoded_images():
    degrees = slope(SIZE)
    centikelvin = ((degrees + 273.15) * 100).round().astype(np.uint16)
    for thermal in (
        compressed(centikelvin, "mono16; png compressed "),
        compressed(centikelvin, "16UC1; compressedDepth png", b"\0" * 12),
    ):
        np.testing.assert_allclose(celsius(thermal, NodeConfig(**CENTIKELVIN)), degrees, atol=0.006)


def test_the_calibration_moves_degrees_as_it_moves_grey(tmp_path):
    (tmp_path / "calib.yaml").write_text(HOMOGRAPHY)  # 4 right, 3 down
    degrees = slope(THERMAL_SIZE).astype(np.float32)
    degrees[20, 30] = np.nan
    image = celsius(message(degrees, "32FC1"), NodeConfig(thermal_unit="celsius", calibration=f"{tmp_path}/calib.yaml"))
    expected = np.full(SIZE, np.nan, np.float32)
    expected[3 : 3 + THERMAL_SIZE[0], 4 : 4 + THERMAL_SIZE[1]] = degrees
    assert image.shape == SIZE
    np.testing.assert_allclose(image, expected, atol=1e-4)


@pytest.mark.parametrize("size, inner", [((96, 128), slice(1, -1)), ((24, 32), slice(None))])
def test_another_resolution_is_scaled_and_a_hole_stays_one(size, inner):
    degrees = slope(SIZE).astype(np.float32)
    scale = size[0] / SIZE[0]
    exact = (
        15 + ((np.arange(size[1]) + 0.5) / scale - 0.5) * 0.1 + ((np.arange(size[0]) + 0.5) / scale - 0.5)[:, None] / 2
    )
    config = NodeConfig(thermal_unit="celsius")
    np.testing.assert_allclose(
        celsius(message(degrees, "32FC1"), config, size)[inner, inner], exact[inner, inner], atol=1e-4
    )
    degrees[20, 30] = np.inf
    image = celsius(message(degrees, "32FC1"), config, size)
    rows, columns = np.nonzero(np.isnan(image))
    assert np.isnan(image[round(20.5 * scale - 0.5), round(30.5 * scale - 0.5)])
    assert np.ptp(rows) <= 2 * scale and np.ptp(columns) <= 2 * scale  # by one pixel of the camera at most
    known = np.isfinite(image)
    known[[0, -1]] = known[:, [0, -1]] = False
    np.testing.assert_allclose(image[known], exact[known], atol=1e-4)


def test_without_rgb_degrees_are_on_the_thermal_grid():
    preprocessor = Preprocessor(NodeConfig(**CENTIKELVIN), print)
    thermal = message(np.full(THERMAL_SIZE, 29315, np.uint16), "mono16")
    images = preprocessor.register(None, thermal, preprocessor.grey(thermal))
    np.testing.assert_allclose(preprocessor.celsius(thermal, images), np.full(THERMAL_SIZE, 20.0), atol=1e-3)
    assert preprocessor.celsius(None, images) is None


GREY, COLOURS = np.full(SIZE, 100, np.uint8), np.full((*SIZE, 3), 100, np.uint8)


@pytest.mark.parametrize(
    "settings, thermal",
    [
        ({}, message(np.full(SIZE, 8000, np.uint16), "mono16")),  # counts
        ({}, message(GREY, "mono8")),
        (CENTIKELVIN, message(GREY, "mono8")),  # grey, whatever the unit of deep values
        ({"thermal_unit": "celsius"}, compressed(GREY, "mono8; png compressed ")),
        (SCALED, message(COLOURS, "rgb8")),
        (SCALED, message(np.ascontiguousarray(COLOURS[:, :, :2]), "yuv422")),
        (SCALED, compressed(COLOURS, "bgr8; png compressed ")),
    ],
)
def test_what_tells_no_temperature_has_no_image_of_degrees(settings, thermal):
    assert celsius(thermal, NodeConfig(**settings)) is None


def test_a_damaged_image_is_refused():
    preprocessor = Preprocessor(NodeConfig(**CENTIKELVIN), print)
    thermal = compressed(np.full(SIZE, 29315, np.uint16), "mono16; png compressed ")
    images = preprocessor.register(None, thermal, preprocessor.grey(thermal))
    thermal.data = thermal.data[:60]
    with pytest.raises(ImageError, match="damaged"):
        preprocessor.celsius(thermal, images)


def test_a_scale_without_effect_is_told_when_it_is_set():
    told: list[str] = []
    first = Preprocessor(NodeConfig(thermal_scale=0.04), told.append)
    text = "thermal_scale has no effect: it is for thermal_unit: scaled, not counts"
    assert told == [text]
    first.updated(NodeConfig(thermal_scale=0.04, slop_s=0.5))
    first.updated(NodeConfig(**SCALED))
    assert told == [text]
    assert first.updated(NodeConfig(**SCALED))._scale != first._scale
