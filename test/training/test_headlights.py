"""Headlights: in dark images only, brighter everywhere, the same for the same random numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrfs_ros.data.dataset import DatasetPair
from mrfs_ros.training.augment import AugmentConfig, augment
from mrfs_ros.training.headlights import DARK, lit


def street(mean: int, height: int = 60, width: int = 80) -> np.ndarray:
    return np.random.default_rng(1).integers(mean - 20, mean + 21, (height, width, 3)).astype(np.uint8)


@given(st.integers(1, 50), st.integers(1, 50), st.integers(0, 2**31))
@settings(max_examples=30, deadline=None)
def test_any_size_is_lit_and_never_darkened(height, width, seed):
    rgb = street(30, height, width)
    before = rgb.copy()
    image = lit(rgb, np.random.default_rng(seed))
    assert (image.shape, image.dtype) == (rgb.shape, np.uint8)
    assert (image >= rgb).all()
    assert (image == lit(rgb, np.random.default_rng(seed))).all()
    assert (rgb == before).all()


def test_light_is_a_patch_and_not_a_veil_over_the_image():
    shares = [float((lit(street(30), np.random.default_rng(seed)) > street(30) + 20).mean()) for seed in range(40)]
    assert max(shares) > 0.1
    assert np.median(shares) < 0.5


@pytest.mark.parametrize("mean", [30, 60, 90])
def test_the_darker_the_image_the_more_the_lights_show(mean):
    def added(level: int) -> float:
        images = (lit(street(level), np.random.default_rng(seed)) for seed in range(20))
        return float(np.mean([image.astype(int) - street(level) for image in images]))

    assert added(mean) > added(mean + 25)


def test_by_day_nothing_changes():
    day = street(int(DARK) + 5)
    assert all((lit(day, np.random.default_rng(seed)) == day).all() for seed in range(10))


def test_thermal_and_labels_of_a_crop_do_not_show_them():
    label = np.zeros((60, 80), np.uint8)
    label[10:30, 10:30] = 1
    pair = DatasetPair("night", street(30), street(90)[..., 0], label)
    config = AugmentConfig(scale_low=1, scale_high=1, mirror=0)
    plain, with_lights = (
        augment(pair, (60, 80), replace(config, headlights=share), np.random.default_rng(3)) for share in (0.0, 1.0)
    )
    assert (with_lights.rgb != plain.rgb).any()
    assert (with_lights.thermal == plain.thermal).all()
    assert (with_lights.label == plain.label).all()
