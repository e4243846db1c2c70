"""Objects copied between pairs: whole, in both sensors and in the label, lit and warmed as their new place is."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrfs_ros.data.dataset import DatasetConfig, DatasetPair, PairDataset
from mrfs_ros.data.scenes import training_dataset
from mrfs_ros.training.augment import AugmentConfig, augment
from mrfs_ros.training.copied_objects import SIZES, SMALLEST_AREA, Donors
from mrfs_ros.training.label_survey import survey
from mrfs_ros.types import MFNET

SIZE = (80, 120)


def write_dataset(root: Path, objects: dict[int, tuple[slice, slice]]) -> Path:
    """One pair: grey ground of 100 (thermal 60), red objects of 200 (thermal 180), each of its class."""
    rgb, thermal, label = np.full((*SIZE, 3), 100, np.uint8), np.full(SIZE, 60, np.uint8), np.zeros(SIZE, np.uint8)
    for number, where in objects.items():
        rgb[where], thermal[where], label[where] = (0, 0, 200), 180, number  # BGR
    for folder, image in (("rgb", rgb), ("thermal", thermal), ("label", label)):
        (root / folder).mkdir(parents=True)
        assert cv2.imwrite(str(root / folder / "a.png"), image)
    return root


def donors(root: Path, short_side: int = 0, **options) -> Donors:
    config = DatasetConfig(root=str(root), split="all", **options)
    datasets = [training_dataset(config, MFNET)]
    return Donors(datasets, survey(datasets, objects=True).objects, short_side)


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    where = np.s_[20:40, 30:60], np.s_[50:70, 80:100]
    return write_dataset(tmp_path_factory.mktemp("donors") / "data", {2: where[0], 1: where[1]})


def ground(level: int = 100, heat: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.full((*SIZE, 3), level, np.uint8), np.full(SIZE, heat, np.uint8), np.zeros(SIZE, np.uint8)


def test_one_donor_for_each_object(root):
    assert len(donors(root)) == 2


def test_small_objects_are_no_donors(tmp_path):
    side = int(SMALLEST_AREA**0.5)
    root = write_dataset(tmp_path / "data", {1: np.s_[10 : 10 + side, 10 : 10 + side]})
    assert len(donors(root)) == 0
    assert donors(root).paste(*ground(), 1.0, np.random.default_rng(0))[2].max() == 0


def test_simulated_scenes_give_none(root):
    assert len(donors(root, thermal="simulated")) == 0


@given(st.integers(0, 2**31), st.floats(0.3, 2))
@settings(max_examples=60, deadline=None)
def test_label_rgb_and_thermal_change_together(root, seed, scale):
    before = ground()
    rgb, thermal, label = donors(root).paste(*before, scale, np.random.default_rng(seed))
    pasted = label > 0
    assert set(np.unique(label)) <= {0, 1, 2}
    assert len(np.unique(label)) <= 2  # one object
    inside = cv2.erode(pasted.astype(np.uint8), np.ones((7, 7), np.uint8), borderValue=0) > 0
    outside = cv2.dilate(pasted.astype(np.uint8), np.ones((9, 9), np.uint8)) == 0
    assert (rgb[outside] == 100).all()
    assert (thermal[outside] == 60).all()
    assert (rgb[inside][:, 0] > 120).all()  # red
    assert (rgb[inside][:, 1] < 80).all()
    assert (thermal[inside] > 90).all()
    for image, original in zip(before, ground()):
        assert (image == original).all()  # the crop that was given stays as it is


def test_sizes_follow_the_scale_of_the_crop(root):
    """A person of 20x30 in its frame is SIZES times as large, times the crop's scale."""
    for scale in (0.5, 1.0):
        heights = []
        for seed in range(150):
            label = donors(root).paste(*ground(), scale, np.random.default_rng(seed))[2]
            rows = np.nonzero(label == 2)[0]
            whole = rows.size and rows.min() > 0 and rows.max() < SIZE[0] - 1
            heights += [np.ptp(rows) + 1] if whole else []
        assert SIZES[0] * 20 * scale - 2 <= min(heights) < 0.8 * 20 * scale
        assert 1.2 * 20 * scale < max(heights) <= SIZES[1] * 20 * scale + 2


def test_sizes_are_relative_to_the_short_side(root):
    """Frames of 80 brought to 40: the object is half as large."""

    def areas(short_side: int) -> float:
        rng = np.random.default_rng(0)
        own = donors(root, short_side)
        return np.mean([(own.paste(*ground(), 1.0, rng)[2] > 0).sum() for _ in range(80)])

    assert areas(40) == pytest.approx(areas(0) / 4, rel=0.35)


def test_a_dark_place_darkens_and_a_warm_place_warms(root):
    bright, dark, warm = [], [], []
    for seed in range(40):
        for levels, found, channel in (((100, 60), bright, 0), ((45, 60), dark, 0), ((100, 120), warm, 1)):
            images = donors(root).paste(*ground(*levels), 1.5, np.random.default_rng(seed))
            mask = cv2.erode((images[2] > 0).astype(np.uint8), np.ones((7, 7), np.uint8), borderValue=0) > 0
            if mask.any():
                found.append(images[channel][mask].reshape(mask.sum(), -1)[:, 0].mean())
    assert max(dark) < 0.75 * min(bright)
    assert np.mean(warm) > 195  # 180 where the ground is as warm as its own


def test_the_setting_copies_objects_into_crops(root):
    pair = DatasetPair("plain", *ground())
    shares = []
    for probability in (0.0, 0.3, 0.8):
        config = AugmentConfig(scale_low=1.0, scale_high=1.0, copied_objects=probability)
        own = donors(root)
        crops = [augment(pair, (60, 90), config, np.random.default_rng(seed), own) for seed in range(150)]
        shares.append(np.mean([bool(((crop.label == 1) | (crop.label == 2)).any()) for crop in crops]))
    assert shares[0] == 0
    assert 0.2 < shares[1] < 0.4
    assert shares[2] > 0.7


def test_the_same_generator_copies_the_same(root):
    one, other = (donors(root).paste(*ground(), 1.0, np.random.default_rng(4)) for _ in range(2))
    assert all((a == b).all() for a, b in zip(one, other))


def test_pairs_of_a_dataset_are_left_as_they_are(root):
    dataset = PairDataset(DatasetConfig(root=str(root), split="all"), MFNET)
    before = [image.copy() for image in (dataset[0].rgb, dataset[0].thermal, dataset[0].label)]
    own = Donors([dataset], survey([dataset], objects=True).objects)
    for seed in range(20):
        own.paste(*ground(), 1.0, np.random.default_rng(seed))
    assert all((a == b).all() for a, b in zip(before, (dataset[0].rgb, dataset[0].thermal, dataset[0].label)))
