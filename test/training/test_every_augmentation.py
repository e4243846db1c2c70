"""Every field of ``AugmentConfig`` changes the crops of one pair; a new field fails here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mrfs_ros.data.dataset import DatasetPair
from mrfs_ros.training.augment import AugmentConfig, augment
from mrfs_ros.training.copied_objects import Donors
from mrfs_ros.training.label_survey import survey

PLAIN = {"mirror": 0.0, "scale_low": 1.0, "scale_high": 1.0}
CROPS = 8


class Pairs(list):
    """One pair as a dataset."""

    config = SimpleNamespace(root="pairs")


def pairs() -> Pairs:
    """Noise of both cameras, with one small object of class 3 in a corner."""
    rng = np.random.default_rng(2)
    label = np.zeros((96, 128), np.uint8)
    label[4:20, 4:20] = 3
    rgb, thermal = (rng.integers(1, 256, shape, np.uint8) for shape in ((96, 128, 3), (96, 128)))
    return Pairs([DatasetPair("noise", rgb, thermal, label)])


def crops(config: AugmentConfig, *parts: str) -> Any:
    """These parts of some crops, from the same random numbers whatever the settings are."""
    datasets = [pairs()]
    objects = survey(datasets, objects=True).objects
    donors = Donors(datasets, objects, config.short_side) if config.copied_objects else None
    made = [
        augment(
            datasets[0][0], (32, 32), config, np.random.default_rng(seed), donors if config.copied_objects else None
        )
        for seed in range(CROPS)
    ]
    return [getattr(crop, part).tobytes() for crop in made for part in parts]


def rgb(config: AugmentConfig) -> Any:
    return crops(config, "rgb")


def thermal(config: AugmentConfig) -> Any:
    return crops(config, "thermal")


def label(config: AugmentConfig) -> Any:
    return crops(config, "label")


def rgb_at_night(config: AugmentConfig) -> Any:
    frame = pairs()[0]
    frame = replace(frame, rgb=frame.rgb // 4)
    return [augment(frame, (32, 32), config, np.random.default_rng(seed)).rgb.tobytes() for seed in range(CROPS)]


def whole_frame(config: AugmentConfig) -> Any:
    """How much of a crop is filled, where frames are smaller than it."""
    frame = pairs()[0]
    return [int(augment(frame, (200, 200), config, np.random.default_rng(seed)).valid.sum()) for seed in range(CROPS)]


# Field: what it changes, the settings beside it, and its other value.
OBSERVED: dict[str, tuple[Callable[[AugmentConfig], Any], dict[str, Any], Any]] = {
    "mirror": (rgb, PLAIN, 1.0),
    "scale_low": (whole_frame, PLAIN, 0.5),
    "scale_high": (whole_frame, PLAIN, 2.0),
    "short_side": (whole_frame, PLAIN, 48),
    "balanced_crops": (label, PLAIN, 1.0),
    "copied_objects": (label, PLAIN, 0.9),
    "headlights": (rgb_at_night, PLAIN, 1.0),
    "rgb_gamma": (rgb, PLAIN, 0.5),
    "rgb_gain": (rgb, PLAIN, 0.3),
    "rgb_noise": (rgb, PLAIN, 10.0),
    "rgb_blur": (rgb, PLAIN, 1.0),
    "thermal_gain": (thermal, PLAIN, 0.3),
    "thermal_offset": (thermal, PLAIN, 20.0),
    "thermal_noise": (thermal, PLAIN, 10.0),
    "thermal_blur": (thermal, PLAIN, 1.0),
    "thermal_inversion": (thermal, PLAIN, 1.0),
    "misalignment": (thermal, PLAIN, 4.0),
    "drop_rgb": (rgb, PLAIN, 1.0),
    "drop_thermal": (thermal, PLAIN, 1.0),
}


@pytest.mark.parametrize("name", [spec.name for spec in fields(AugmentConfig)])
def test_a_setting_changes_what_is_observed(name):
    assert name in OBSERVED, f"a setting that no test observes: say in OBSERVED what {name} changes"
    observe, beside, other = OBSERVED[name]
    config = AugmentConfig(**beside)
    assert observe(config) == observe(config)
    assert observe(config) != observe(replace(config, **{name: other}))


def test_nothing_is_left_over():
    assert OBSERVED.keys() == {spec.name for spec in fields(AugmentConfig)}
