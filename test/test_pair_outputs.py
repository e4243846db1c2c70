"""Outputs of a pair: each against what it should be made of, and made once."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from made_frames import made_frame

from mrfs_ros.config import CONFIDENT_OUTPUTS, OUTPUTS, THERMAL_OUTPUTS, NodeConfig
from mrfs_ros.draw import alignment, overlay
from mrfs_ros.pair_outputs import COMPRESSED, IMAGES, OBJECTS, POINT, TEMPERATURES, PairOutputs, output_message
from mrfs_ros.types import MFNET


class Plain:
    """A stand-in for a kind of messages: what it is given."""

    def image(self, pixels, encoding):
        return pixels, encoding

    def compressed(self, content, kind):
        return content, kind

    def detections(self, objects):
        return objects

    def points(self, points):
        return points


@pytest.fixture
def made() -> PairOutputs:
    """A pair with one object of class 6, 20 x 20 pixels from (5, 10) on, on rows as warm as their number."""
    plain = made_frame(5).made
    confidence = np.full(plain.result.labels.shape, 204, np.uint8)
    celsius = np.repeat(np.arange(48, dtype=np.float32)[:, None], 64, axis=1)
    return replace(plain, result=replace(plain.result, confidence=confidence), degrees=lambda: celsius)


def test_every_output_can_be_made(made):
    assert {*IMAGES, *COMPRESSED, OBJECTS, TEMPERATURES} == set(OUTPUTS)
    assert {*CONFIDENT_OUTPUTS, *THERMAL_OUTPUTS} <= set(OUTPUTS)
    assert all(output_message(name, made, Plain()) is not None for name in OUTPUTS)


def test_images(made):
    result, images = made.result, made.images
    coloured = overlay(result.fused, result.labels, MFNET, opacity=made.config.overlay_opacity)
    expected = {
        "segmentation": (result.labels, "mono8"),
        "segmentation_color": (MFNET.palette()[result.labels], "rgb8"),
        "overlay": (coloured, "rgb8"),
        "alignment": (alignment(images.rgb, images.thermal), "rgb8"),
        "confidence": (result.confidence, "mono8"),
        "thermal": (made.celsius, "32FC1"),
        "fused": (result.fused, "rgb8"),
    }
    assert set(expected) == set(IMAGES)
    for name, (pixels, encoding) in expected.items():
        got, kind = output_message(name, made, Plain())
        assert kind == encoding and got.dtype == pixels.dtype and (got == pixels).all()


def test_compressed_images(made):
    content, kind = output_message("segmentation/compressed", made, Plain())
    assert kind == "png" and (cv2.imdecode(np.frombuffer(content, np.uint8), -1) == made.result.labels).all()
    sizes = []
    for quality in (20, 90):
        asked = replace(made, config=NodeConfig(jpeg_quality=quality))
        for name in ("fused", "overlay"):
            content, kind = output_message(f"{name}/compressed", asked, Plain())
            pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB)
            (expected, _) = output_message(name, asked, Plain())
            assert kind == "jpeg" and np.abs(pixels.astype(int) - expected).mean() < 12
            sizes.append(len(content))
    assert sizes[:2] < sizes[2:]


def test_objects_and_their_temperatures(made):
    (found,) = output_message(OBJECTS, made, Plain())
    assert (found.class_id, found.class_name, found.score) == (6, "guardrail", pytest.approx(0.8))
    assert (found.x, found.y, found.width, found.height, found.area) == (5, 10, 20, 20, 400)
    assert (found.mean_celsius, found.max_celsius) == (pytest.approx(19.5), 29.0)
    points = output_message(TEMPERATURES, made, Plain())
    assert points.dtype == POINT and points.itemsize == 28
    assert points[0].tolist() == pytest.approx((*found.center, 0, 6, 0.8, 19.5, 29.0))


def test_without_degrees_there_is_no_temperature_and_objects_are_there(made):
    cold = replace(made, degrees=lambda: None)
    assert output_message("thermal", cold, Plain()) is output_message(TEMPERATURES, cold, Plain()) is None
    (found,) = output_message(OBJECTS, cold, Plain())
    assert found.mean_celsius is found.max_celsius is None


def test_a_pair_without_objects(made):
    empty = replace(made, result=replace(made.result, labels=np.zeros((48, 64), np.uint8)))
    assert output_message(OBJECTS, empty, Plain()) == []
    assert len(output_message(TEMPERATURES, empty, Plain())) == 0


def test_what_several_outputs_show_is_made_once(made):
    asked = []
    counted = replace(made, degrees=lambda: asked.append(1) or made.celsius)
    for name in OUTPUTS:
        output_message(name, counted, Plain())
    assert asked == [1]
    assert output_message("overlay", counted, Plain())[0] is counted.overlay
