"""Simulated thermal: repeatable, warm where it should be, new for every crop, night for about half of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrfs_ros.data.scenes import MATERIALS
from mrfs_ros.training.simulated_thermal import simulate

ID = {name: number for number, name in enumerate(MATERIALS)}


def street(height: int = 90, width: int = 120) -> tuple[np.ndarray, np.ndarray]:
    """Sky over road; a person, two cars and a tree stand on it. Colours are noise around grey."""
    rgb = np.random.default_rng(1).integers(90, 170, (height, width, 3), np.uint8)
    materials = np.full((height, width), ID["road"], np.uint8)
    materials[: height // 3] = ID["sky"]
    materials[30:80, 10:25] = ID["person"]
    materials[40:70, 40:60] = ID["vehicle"]
    materials[40:70, 65:85] = ID["vehicle"]
    materials[20:60, 95:110] = ID["vegetation"]
    return rgb, materials


def drawn(seed: int) -> tuple[np.ndarray, np.ndarray]:
    return simulate(*street(), np.random.default_rng(seed))


@given(st.integers(0, 2**31))
@settings(max_examples=10, deadline=None)
def test_the_same_generator_gives_the_same_images(seed):
    for one, other in zip(drawn(seed), drawn(seed)):
        assert (one == other).all()


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**31))
@settings(max_examples=40, deadline=None)
def test_any_size_and_any_materials(height, width, seed):
    rng = np.random.default_rng(seed)
    rgb = rng.integers(0, 256, (height, width, 3), np.uint8)
    before = rgb.copy()
    seen, thermal = simulate(rgb, rng.integers(0, len(MATERIALS), (height, width), np.uint8), rng)
    assert (seen.shape, seen.dtype) == ((height, width, 3), np.uint8)
    assert (thermal.shape, thermal.dtype) == ((height, width), np.uint8)
    assert (rgb == before).all()


def test_no_two_crops_look_alike():
    images = [drawn(seed)[1].astype(float) for seed in range(12)]
    for number, image in enumerate(images):
        for other in images[:number]:
            assert np.abs(image - other).mean() > 5


def test_people_are_warmer_than_the_sky_and_mostly_than_the_road():
    _, materials = street()
    above_road = 0
    for seed in range(60):
        thermal = drawn(seed)[1].astype(float)
        mean = {name: thermal[materials == ID[name]].mean() for name in ("person", "sky", "road")}
        assert mean["person"] > mean["sky"] + 20
        above_road += mean["person"] > mean["road"]
    assert above_road > 45


def test_each_car_has_its_own_temperature():
    differences = []
    for seed in range(40):
        thermal = drawn(seed)[1].astype(float)
        differences.append(abs(thermal[40:70, 40:60].mean() - thermal[40:70, 65:85].mean()))
    assert np.median(differences) > 8


def test_texture_follows_the_luma_of_either_sign():
    """On a plain road the detail of rgb comes through, brighter or darker, and changes from crop to crop."""
    rgb = np.full((60, 80, 3), 100, np.uint8)
    rgb[:, ::16] = 200
    slopes = []
    for seed in range(60):
        thermal = simulate(rgb, np.full((60, 80), ID["road"], np.uint8), np.random.default_rng(seed))[1].astype(float)
        slopes.append(thermal[:, ::16].mean() - thermal[:, 8::16].mean())
    assert min(slopes) < -10
    assert max(slopes) > 10


def test_half_of_the_crops_are_night():
    rgb, _ = street()
    same = [bool((drawn(seed)[0] == rgb).all()) for seed in range(200)]
    assert 70 < sum(same) < 130
    nights = [drawn(seed)[0].mean() for seed in range(200) if not same[seed]]  # some have a lamp before the camera
    assert np.median(nights) < 0.85 * rgb.mean()


def test_people_are_warmer_at_night():
    rgb, materials = street()
    mean = {True: [], False: []}
    for seed in range(200):
        seen, thermal = drawn(seed)
        warmth = float(thermal[materials == ID["person"]].mean()) - float(thermal[materials == ID["road"]].mean())
        mean[bool((seen == rgb).all())].append(warmth)
    assert np.mean(mean[False]) > np.mean(mean[True]) + 5


@pytest.mark.parametrize("name", MATERIALS)
def test_a_scene_of_one_material(name):
    rgb, _ = street()
    thermal = simulate(rgb, np.full(rgb.shape[:2], ID[name], np.uint8), np.random.default_rng(3))[1]
    assert np.ptp(thermal) > 20
