"""Thermal values to grey: what the window shows, that it does not flicker, and how it takes events."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from thermal_scenes import SIZE, S, background, changes, drive, rms, shown

from mrfs_ros.camera.thermal_repair import neighbourhood, repaired, without_holes
from mrfs_ros.camera.thermal_window import ThermalWindow
from mrfs_ros.config import NodeConfig
from mrfs_ros.errors import ConfigError, ImageError

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("mode", ["auto", "percentile", "plateau"])
@pytest.mark.parametrize("hz, hot_area", [(9, 0.05), (9, 0.2), (60, 0.12)])
def test_the_background_does_not_flicker(mode, hz, hot_area):
    window = ThermalWindow(NodeConfig(thermal_window=mode))
    greys, plain = [], []
    for time_s, values in drive(hz, hot_area):
        greys.append(window.grey(values, round(time_s * S)))
        low, high = float(values.min()), float(values.max())
        plain.append((values - low) / (high - low) * 255)
    steady = changes(greys)
    assert rms(steady) < 0.2  # asked for: 0.5
    assert np.abs(steady).max() < 0.6
    assert rms(changes(plain)) > 20 * rms(steady)  # each frame by its own range: what others do
    assert window.corrections >= 1


@pytest.mark.parametrize("mode", ["percentile", "plateau"])
@pytest.mark.parametrize("hz", [9.0, 60.0])
@pytest.mark.parametrize(
    "scene",
    [
        3000 + 0.2 * (background() - 7800),  # much colder, little contrast
        12000 + 4 * (background() - 7800),  # much hotter, much contrast
        7800 + 3 * (background() - 7800),  # the same level, more contrast
    ],
)
def test_another_scene_is_settled_within_two_seconds(mode, scene, hz):
    window = ThermalWindow(NodeConfig(thermal_window=mode))
    shown(window, background(), 0.0, 5.0, hz)
    after = shown(window, scene, 5.0, 2.0, hz)
    fresh = ThermalWindow(NodeConfig(thermal_window=mode))
    right = shown(fresh, scene, 5.0, 0.5, hz)
    assert np.abs(after.astype(float) - right).mean() < 6
    assert np.percentile(after, 97) - np.percentile(after, 3) > 120


@pytest.fixture(scope="module")
def street_scenes() -> list[np.ndarray]:
    """Thermal sample frames, other places each, as counts: 8 a grey level."""
    paths = sorted((ROOT / "samples").glob("**/thermal/*.jpg"))[:4]
    assert len(paths) == 4
    return [7000.0 + 8 * cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)[::2, ::2] for path in paths]


@pytest.mark.parametrize("mode", ["percentile", "plateau"])
def test_another_place_is_settled_within_two_seconds(mode, street_scenes):
    """Whatever their histograms have in common."""
    for before in street_scenes[:2]:
        for after in street_scenes:
            window = ThermalWindow(NodeConfig(thermal_window=mode))
            shown(window, before, 0.0, 2.0, 9.0)
            grey = shown(window, after, 2.0, 2.0, 9.0)
            fresh = shown(ThermalWindow(NodeConfig(thermal_window=mode)), after, 0.0, 0.2, 9.0)
            assert np.abs(grey.astype(float) - fresh).mean() < 8


@pytest.mark.parametrize("hz", [9.0, 60.0])
def test_what_was_hot_at_first_does_not_cost_contrast_when_it_is_gone(hz):
    scene, hot = background(), background()
    hot[60:100, 50:90] = 12000
    window = ThermalWindow(NodeConfig())
    poor = shown(window, hot, 0.0, 3.0, hz)[:50].std()
    rich = shown(ThermalWindow(NodeConfig()), scene, 0.0, 1.0, hz)[:50].std()
    assert poor < 0.4 * rich
    assert shown(window, scene, 3.0, 2.0, hz)[:50].std() > 0.95 * rich


def test_what_stays_outside_the_window_comes_into_it():
    hot = background()
    hot[60:100, 50:90] = 9500
    hot[60:100, 50:70] = 9200
    window = ThermalWindow(NodeConfig())
    shown(window, background(), 0.0, 2.0)
    soon, late = shown(window, hot, 2.0, 5.0), shown(window, hot, 7.0, 8.0)
    assert (soon[61:99, 51:89] == 255).all()
    assert 150 < late[80, 60] < late[80, 80] - 10


def test_slow_drift_is_followed_unseen():
    """A camera that warms up by 2 counts a second for five minutes: never more than the rate, never out of range."""
    window = ThermalWindow(NodeConfig())
    rng = np.random.default_rng(0)
    greys = [
        window.grey((background() + 2 * t + rng.normal(0, 8, SIZE)).round().astype(np.uint16), round(t * S))
        for t in np.arange(0, 300, 0.5)
    ]
    assert rms(changes(greys)) < 0.5 * 2.55
    assert 0.03 * greys[-1].size > (greys[-1] == 255).sum() + (greys[-1] == 0).sum()


def test_grey_values_are_the_window_spread_over_all_levels():
    config = NodeConfig(thermal_window="fixed", thermal_low=1000.0, thermal_high=2000.0)
    values = np.linspace(900, 2100, 64 * 64).reshape(64, 64).round().astype(np.uint16)
    grey = ThermalWindow(config).grey(values, 0)
    exact = np.clip((values - 1000.0) / 1000 * 255, 0, 255)
    assert grey.dtype == np.uint8 and np.abs(grey - exact).max() <= 0.5 + 255 / 1023
    inverted = ThermalWindow(NodeConfig(**{**vars(config), "thermal_invert": True})).grey(values, 0)
    assert (inverted == 255 - grey).all()


@pytest.mark.parametrize(
    "unit, kind, value",
    [("centikelvin", np.uint16, 29315), ("decikelvin", np.uint16, 2931.5), ("kelvin", np.float32, 293.15),
     ("celsius", np.float32, 20.0), ("celsius", np.int16, 20),
     ("scaled", np.uint16, 7329), ("scaled", np.float32, 7328.75)],
)  # fmt: skip
def test_fixed_limits_are_degrees_where_the_unit_is_known(unit, kind, value):
    scale = {"thermal_scale": 0.04, "thermal_offset": -273.15} if unit == "scaled" else {}
    config = NodeConfig(thermal_window="fixed", thermal_unit=unit, thermal_low=0.0, thermal_high=40.0, **scale)
    window = ThermalWindow(config)
    grey = window.grey(np.full((48, 64), value).astype(kind), 0)
    assert np.abs(grey.astype(float) - 127.5).max() <= 1.5  # 20 of 0 to 40 degrees
    assert window.state == "0.0 to 40.0 C, standing"


def test_8_bits_stay_as_they_are_unless_asked():
    values = np.arange(48 * 64).reshape(48, 64).astype(np.uint8)
    window = ThermalWindow(NodeConfig())
    assert window.grey(values, 0) is values
    assert window.passes(values.dtype) and window.state == "none: 8-bit images are taken as they come"
    assert (ThermalWindow(NodeConfig(thermal_invert=True)).grey(values, 0) == 255 - values).all()
    dark = (values // 8).astype(np.uint8)
    assert ThermalWindow(NodeConfig(thermal_window="percentile")).grey(dark, 0).max() > 60  # stretched, not to noise


@pytest.mark.parametrize("mode", ["auto", "plateau"])
def test_the_widest_noise_of_a_flat_scene_is_not_stretched(mode):
    flat = np.random.default_rng(0).normal(8000, 2, SIZE).round().astype(np.uint16)
    assert ThermalWindow(NodeConfig(thermal_window=mode)).grey(flat, 0).std() < 8


def test_a_fire_leaves_the_street_its_contrast():
    """On 3 % of the image, a hundred times as hot as the street is wide."""
    scene = background()
    scene[100:, 130:] = 100 * np.ptp(scene)
    grey = ThermalWindow(NodeConfig()).grey(scene.astype(np.float32), 0)
    assert np.ptp(np.percentile(grey[:80], (5, 95))) > 255 / 8
    assert (grey[101:, 131:] == 255).all()


def test_people_one_after_another_are_let_in_once():
    """They are there for most of the time, with gaps of two seconds: no window comes and goes with them."""
    rng = np.random.default_rng(0)
    window = ThermalWindow(NodeConfig())
    greys = []
    for i in range(60 * 9):
        scene = background() + rng.normal(0, 8, SIZE)
        if i % (13 * 9) < 11 * 9:
            left = int(i % 32 / 32 * 120)
            scene[60:90, left : left + 30] = 9500
        greys.append(window.grey(scene.round().astype(np.uint16), i * S // 9))
    late = np.array([grey[:20].mean() for grey in greys[30 * 9 :]])
    assert np.ptp(late) < 4


def test_a_plateau_follows_the_histogram_within_two_seconds():
    """Two temperatures close to each other, of which one takes over from the other on 40 % of the image."""
    two, turned = (np.where(np.arange(SIZE[1]) < part, 8000.0, 8150.0) + np.zeros((SIZE[0], 1)) for part in (30, 94))
    for scene in (two, turned):
        scene += np.linspace(-20, 20, SIZE[0])[:, None]
        scene[:3], scene[3:6] = 7200, 9400
    window = ThermalWindow(NodeConfig(thermal_window="plateau"))
    shown(window, two, 0.0, 3.0)
    grey = shown(window, turned, 3.0, 2.0)
    fresh = shown(ThermalWindow(NodeConfig(thermal_window="plateau")), turned, 0.0, 0.5)
    assert np.abs(grey.astype(float) - fresh).mean() < 8


def whole(values: np.ndarray, span: float) -> np.ndarray:
    filled, holes = without_holes(values)
    return repaired(filled, neighbourhood(filled), holes, span)


@pytest.mark.parametrize("kind", [np.uint16, np.int16, np.float32])
def test_dead_pixels_and_holes_are_repaired(kind):
    scene = (background() - 7800).astype(kind) if kind == np.int16 else background().astype(kind)
    broken = scene.copy()
    broken[10, 10], broken[50, 70] = 30000, 0 if kind != np.int16 else -30000
    if kind == np.float32:
        broken[20, 20], broken[90, 100], broken[91, 100] = np.nan, np.inf, -np.inf
    fixed = whole(broken, 2000.0)
    assert fixed.dtype == kind and np.isfinite(fixed.astype(float)).all()
    assert np.abs(fixed.astype(float) - scene.astype(float)).max() < 320
    clean = ThermalWindow(NodeConfig())
    dirty = ThermalWindow(NodeConfig())
    for i in range(3):
        difference = clean.grey(scene, i * S // 10).astype(int) - dirty.grey(broken, i * S // 10)
    assert np.abs(difference).max() < 90 and np.abs(difference).mean() < 0.5


def test_hot_spots_of_several_pixels_are_no_dead_pixels():
    scene = background()
    scene[50:53, 60:63] = 16000
    assert whole(scene.astype(np.uint16), 1000.0)[51, 61] == 16000


def defects() -> dict[str, np.ndarray]:
    """Where (bool) a sensor is dead."""
    column, row, few = np.zeros((3, *SIZE), bool)
    column[:, 100], row[40] = True, True
    few[np.random.default_rng(5).random(SIZE) < 0.03] = True
    return {"column": column, "row": row, "three percent": few}


@pytest.mark.parametrize("mode", ["percentile", "plateau", "fixed"])
@pytest.mark.parametrize("kind", defects())
@pytest.mark.parametrize("value", [0, 16383])
def test_dead_rows_columns_and_many_pixels_from_the_first_frame_on(mode, kind, value):
    dead = defects()[kind]
    config = NodeConfig(thermal_window=mode, thermal_low=7500.0, thermal_high=8800.0)
    whole, broken = ThermalWindow(config), ThermalWindow(config)
    rng = np.random.default_rng(1)
    for i in range(20):
        values = (background() + rng.normal(0, 4, SIZE)).round().astype(np.uint16)
        difference = whole.grey(values, i * S // 9).astype(int) - broken.grey(np.where(dead, value, values), i * S // 9)
        assert np.abs(difference[~dead]).mean() < 1.5
        assert np.abs(difference[dead]).mean() < 6


def test_degrees_that_nobody_named_are_told_by_their_parts():
    """15 kelvin of an indoor scene fill the grey levels; whole numbers may be counts, of which 15 are noise."""
    kelvin = (288 + (background() - 7650) / 60).astype(np.float32)
    assert np.ptp(np.percentile(ThermalWindow(NodeConfig()).grey(kelvin, 0), (2, 98))) > 120
    assert np.ptp(np.percentile(ThermalWindow(NodeConfig()).grey(kelvin.round(), 0), (2, 98))) < 60


def test_a_first_image_of_whole_degrees_is_forgotten():
    """A closed shutter at the start, before the scene with its decimals."""
    kelvin = (288 + (background() - 7650) / 60).astype(np.float32)
    window = ThermalWindow(NodeConfig())
    window.grey(np.full(SIZE, 293, np.float32), 0)
    for i in range(20):
        grey = window.grey(kelvin + np.float32(0.01 * i), (1 + i) * S // 9)
    assert np.ptp(np.percentile(grey, (2, 98))) > 120


def test_what_is_missing_does_not_choose_the_window():
    """Of most rows nothing came; the others have the greys that they would have alone."""
    some = background().astype(np.float32)
    some[: int(0.92 * SIZE[0])] = np.nan
    rest = int(0.92 * SIZE[0]) // 8 * 8 + 8
    whole = ThermalWindow(NodeConfig()).grey(background().astype(np.float32)[rest:], 0)
    part = ThermalWindow(NodeConfig()).grey(some, 0)[rest:]
    assert np.abs(part[1:].astype(int) - whole[1:]).max() < 12


def test_a_frame_without_a_finite_value_is_refused_and_the_next_is_fine():
    window = ThermalWindow(NodeConfig())
    with pytest.raises(ImageError, match="no pixel has a finite value") as error:
        window.grey(np.full(SIZE, np.nan, np.float32), 0)
    assert error.value.reason == "thermal_empty"
    assert window.grey(background().astype(np.float32), S).std() > 30


def test_fixed_needs_a_range():
    with pytest.raises(ConfigError, match="fixed needs thermal_low < thermal_high, got 0 and 0"):
        NodeConfig(thermal_window="fixed")


def test_settings_that_suit():
    window = ThermalWindow(NodeConfig())
    assert window.suits(NodeConfig(slop_s=0.1)) and not window.suits(NodeConfig(thermal_rate=0.5))
    assert not window.suits(NodeConfig(thermal_scale=2.0)) and not window.suits(NodeConfig(thermal_offset=2.0))


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from([np.uint8, np.uint16, np.int16, np.float32]),
    mode=st.sampled_from(["auto", "percentile", "plateau", "fixed"]),
    stamps=st.lists(st.integers(0, 10**12), min_size=1, max_size=5),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_values_at_any_times_give_grey(kind, mode, stamps, seed):
    """Extremes, constants, infinities; stamps in any order."""
    rng = np.random.default_rng(seed)
    window = ThermalWindow(NodeConfig(thermal_window=mode, thermal_low=-5.0, thermal_high=50.0))
    for stamp_ns in stamps:
        values = rng.integers(0, 2**16, (48, 64)).astype(np.uint16).view(np.int16).astype(kind)
        if rng.random() < 0.5:
            values[:] = values[0, 0]
        if kind == np.float32:
            values[rng.random(values.shape) < 0.3] = rng.choice([np.nan, np.inf, -np.inf, 1e38, -1e38])
            values[0, 0] = 1.0
        grey = window.grey(values, stamp_ns)
        assert grey.dtype == np.uint8 and grey.shape == (48, 64)
