"""Tolerances of camera models: what counts as one aspect, and as a rotation."""

from __future__ import annotations

import numpy as np
import pytest

from mrfs_ros.errors import ConfigError
from mrfs_ros.geometry.camera_models import CameraModel, Stereo, aspect_agrees

MODEL = CameraModel((240, 320), "plumb_bob", ((400, 0, 160), (0, 400, 120), (0, 0, 1)), ())


@pytest.mark.parametrize("width, agrees", [(627, False), (628, True), (640, True), (652, True), (653, False)])
def test_aspects_agree_within_two_percent(width, agrees):
    assert aspect_agrees((480, 640), (480, width)) == agrees
    assert aspect_agrees((480, width), (480, 640)) == agrees


@pytest.mark.parametrize("stretch, fits", [(3e-4, True), (2e-3, False)])
def test_a_rotation_is_one_within_four_digits(stretch, fits):
    """R of four digits is off by less than a thousandth; R R^T is off by twice the stretch."""
    rotation = tuple(map(tuple, np.diag([1 + stretch, 1, 1]).tolist()))
    if fits:
        stereo = Stereo(MODEL, MODEL, rotation, (0.1, 0, 0), 5)
        assert np.array_equal(stereo.R, rotation)
    else:
        with pytest.raises(ConfigError, match="R: expected a rotation"):
            Stereo(MODEL, MODEL, rotation, (0.1, 0, 0), 5)
