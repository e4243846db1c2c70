"""Crops: the sensors stay aligned, padding is marked, and every setting does what it says and nothing else."""

from __future__ import annotations

from dataclasses import astuple, fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrfs_ros.data.dataset import DatasetPair
from mrfs_ros.training.augment import AugmentConfig, Crop, augment
from mrfs_ros.types import UNLABELLED

PLAIN = AugmentConfig(mirror=0.0, scale_low=1.0, scale_high=1.0)
GEOMETRY = {"mirror", "scale_low", "scale_high", "short_side", "balanced_crops", "copied_objects"}
EVERYTHING = AugmentConfig(
    balanced_crops=0.5, rgb_gamma=0.5, rgb_gain=0.2, rgb_noise=8, rgb_blur=0.5, thermal_gain=0.3, thermal_offset=25,
    thermal_noise=5, thermal_blur=0.5, thermal_inversion=0.3, misalignment=3, drop_rgb=0.1, drop_thermal=0.1,
)  # fmt: skip
SEEDS = st.integers(0, 2**31)
SHIFT = 40  # added to coordinates, so that no pixel of a coordinate frame is 0


def coordinate_pair(height: int = 150, width: int = 200, axis: int = 1) -> DatasetPair:
    """Red is the column and green the row of a pixel (+ SHIFT); thermal and label are one of them, by ``axis``."""
    rows, columns = np.indices((height, width)).astype(np.uint8) + np.uint8(SHIFT)
    along = (rows, columns)[axis]
    return DatasetPair("coordinates", np.dstack((columns, rows, along)), along.copy(), along.copy())


def random_pair(height: int, width: int, seed: int = 0) -> DatasetPair:
    """Noise without zeros, so that a zero can only be padding; labels 0 to 8 and some 255."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 9, (height, width), np.uint8)
    label[rng.random((height, width)) < 0.1] = UNLABELLED
    grey = [rng.integers(1, 256, shape, np.uint8) for shape in ((height, width, 3), (height, width))]
    return DatasetPair("random", grey[0], grey[1], label)


def crop_of(pair: DatasetPair, size: tuple[int, int], config: AugmentConfig, seed: int = 0) -> Crop:
    return augment(pair, size, config, np.random.default_rng(seed))


def equal(a: Crop, b: Crop) -> bool:
    return all((x == y).all() for x, y in zip(astuple(a), astuple(b)))


def difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a.astype(int) - b


@given(SEEDS)
@settings(max_examples=20, deadline=None)
def test_the_same_generator_gives_the_same_crop(seed):
    pair = random_pair(50, 60)
    assert equal(crop_of(pair, (32, 48), EVERYTHING, seed), crop_of(pair, (32, 48), EVERYTHING, seed))


def test_other_generators_give_other_crops():
    pair = random_pair(50, 60)
    crops = [crop_of(pair, (32, 48), AugmentConfig(), seed) for seed in range(10)]
    assert not any(equal(a, b) for i, a in enumerate(crops) for b in crops[:i])


def test_the_pair_stays_as_it_is():
    """The dataset's cache hands out the same arrays again and again."""
    pair = random_pair(50, 60)
    before = [image.copy() for image in (pair.rgb, pair.thermal, pair.label)]
    for seed in range(30):
        crop = crop_of(pair, (40, 50), EVERYTHING, seed)
        for image in astuple(crop):
            image[:] = 7
    for image, old in zip((pair.rgb, pair.thermal, pair.label), before):
        assert (image == old).all()


SCALES = st.tuples(st.floats(0.1, 4), st.floats(0.1, 4)).map(sorted)


@given(
    st.integers(1, 70), st.integers(1, 70), st.integers(1, 80), st.integers(1, 80), SCALES, st.booleans(), SEEDS
)  # fmt: skip
@settings(max_examples=120, deadline=None)
def test_any_frame_gives_a_crop_of_any_size(height, width, rows, columns, scales, plain, seed):
    """Frames smaller than the crop, a single pixel, results one pixel high: all sizes and types hold."""
    config = replace(PLAIN if plain else EVERYTHING, scale_low=scales[0], scale_high=scales[1])
    crop = crop_of(random_pair(height, width), (rows, columns), config, seed)
    assert crop.rgb.shape == (rows, columns, 3)
    assert crop.thermal.shape == crop.label.shape == crop.valid.shape == (rows, columns)
    assert {image.dtype for image in astuple(crop)} == {np.dtype(np.uint8)}
    assert set(np.unique(crop.label)) <= {*range(9), UNLABELLED}
    assert crop.valid.any()
    padding = crop.valid == 0
    assert (crop.rgb[padding] == 0).all()
    assert (crop.thermal[padding] == 0).all()
    assert (crop.label[padding] == UNLABELLED).all()


@given(
    st.integers(1, 70), st.integers(1, 70), st.integers(1, 80), st.integers(1, 80), st.floats(0.1, 4), SEEDS
)  # fmt: skip
@settings(max_examples=120, deadline=None)
def test_padding_is_what_the_scaled_frame_does_not_fill_and_no_more(height, width, rows, columns, scale, seed):
    """A frame that is large enough leaves no line of padding at an edge, whatever the scale."""
    config = replace(PLAIN, mirror=0.5, scale_low=scale, scale_high=scale)
    pair = replace(random_pair(height, width), label=np.ones((height, width), np.uint8))
    crop = crop_of(pair, (rows, columns), config, seed)
    drawn = np.exp(np.log(scale))
    filled = min(rows, max(1, round(height * drawn))), min(columns, max(1, round(width * drawn)))
    inside = np.argwhere(crop.valid)
    assert crop.valid.max() == 1
    assert len(inside) == filled[0] * filled[1]
    assert tuple(inside.max(axis=0) - inside.min(axis=0) + 1) == filled  # one rectangle
    for image in (crop.rgb.min(axis=2), crop.rgb.max(axis=2), crop.thermal):
        assert ((image == 0) == (crop.valid == 0)).all()
    assert ((crop.label == UNLABELLED) == (crop.valid == 0)).all()


def test_padding_falls_on_all_sides():
    pair = random_pair(20, 30)
    corners = {tuple(np.argwhere(crop_of(pair, (40, 50), PLAIN, seed).valid)[0]) for seed in range(60)}
    rows, columns = zip(*corners)
    assert (min(rows), max(rows), min(columns), max(columns)) == (0, 20, 0, 20)


@given(SEEDS, st.floats(0.5, 2), st.sampled_from((0, 1)), st.sampled_from((0.0, 0.5, 1.0)), st.integers(30, 150))
@settings(max_examples=80, deadline=None)
def test_sensors_and_label_stay_aligned(seed, scale, axis, mirror, rows):
    """Through scale, crop, mirror and padding, to within a pixel of the frame."""
    config = AugmentConfig(mirror=mirror, scale_low=scale, scale_high=scale)
    crop = crop_of(coordinate_pair(axis=axis), (rows, 96), config, seed)
    inside = crop.valid == 1
    coordinate = crop.rgb[:, :, 1 - axis][inside]  # red is the column, green the row
    assert np.abs(difference(crop.thermal[inside], coordinate)).max() <= 1
    assert np.abs(difference(crop.label[inside], coordinate)).max() <= 1
    assert np.unique(coordinate).size > 10  # there was something to compare


@given(SEEDS, st.floats(0.5, 2))
@settings(max_examples=40, deadline=None)
def test_scale_and_mirror(seed, scale):
    """A pixel to the right in the crop is 1/scale pixels to the right in the frame, to the left when mirrored."""
    pair = coordinate_pair()
    for mirror, sign in ((0.0, 1), (1.0, -1)):
        config = replace(PLAIN, mirror=mirror, scale_low=scale, scale_high=scale)
        crop = crop_of(pair, (64, 96), config, seed)
        inside = np.argwhere(crop.valid)
        (top, left), (bottom, right) = inside.min(axis=0), inside.max(axis=0)
        columns, rows = (crop.rgb[top : bottom + 1, left : right + 1, i].astype(float) for i in (0, 1))
        assert sign * (columns[0, -1] - columns[0, 0]) == pytest.approx((right - left) / scale, rel=0.04, abs=1.5)
        assert rows[-1, 0] - rows[0, 0] == pytest.approx((bottom - top) / scale, rel=0.04, abs=1.5)


@pytest.mark.parametrize("height, width", [(60, 80), (120, 160), (160, 120), (300, 400)])
def test_frames_of_all_sizes_are_brought_to_one_short_side(height, width):
    config = replace(PLAIN, short_side=90, scale_low=0.5, scale_high=0.5)
    frame = DatasetPair("ramp", *(np.full(shape, 9, np.uint8) for shape in ((height, width, 3), (height, width))), None)
    crop = crop_of(replace(frame, label=np.ones((height, width), np.uint8)), (100, 100), config)
    inside = np.argwhere(crop.valid)
    assert sorted(inside.max(axis=0) - inside.min(axis=0) + 1) == [45, 60]


def test_mirror_falls_on_half_of_the_crops():
    pair = coordinate_pair()
    mirrored = 0
    for seed in range(200):
        red = crop_of(pair, (64, 96), replace(PLAIN, mirror=0.5), seed).rgb[0, :, 0]
        mirrored += red[0] > red[-1]
    assert 70 < mirrored < 130


def test_crops_and_scales_reach_everything_that_they_may():
    pair, corners, scales = coordinate_pair(60, 80), set(), []
    for seed in range(400):
        crop = crop_of(pair, (50, 70), PLAIN, seed)
        corners.add((crop.rgb[0, 0, 1] - SHIFT, crop.rgb[0, 0, 0] - SHIFT))
        wide = crop_of(coordinate_pair(), (40, 40), replace(PLAIN, scale_low=0.5, scale_high=2), seed).rgb[0, :, 0]
        scales.append(39 / (int(wide[-1]) - wide[0]))
    rows, columns = map(set, zip(*corners))
    assert rows == columns == set(range(11))
    assert min(scales) < 0.55
    assert max(scales) > 1.8
    assert 0.4 < np.mean(np.array(scales) < 1) < 0.6  # halving is as likely as doubling


def test_pixels_are_untouched_without_photometric_settings():
    """At scale 1 a crop is a piece of the frame, mirrored or not; larger than the frame, it is the frame."""
    assert all(getattr(AugmentConfig(), f.name) == 0 for f in fields(AugmentConfig) if f.name not in GEOMETRY)
    noise, where = random_pair(150, 200), coordinate_pair()
    for seed in range(10):
        crop = crop_of(noise, (64, 96), PLAIN, seed)
        column, row = crop_of(where, (64, 96), PLAIN, seed).rgb[0, 0, :2].astype(int) - SHIFT
        for image, frame in zip(astuple(crop), (noise.rgb, noise.thermal, noise.label)):
            assert (image == frame[row : row + 64, column : column + 96]).all()
        crop = crop_of(noise, (170, 210), replace(PLAIN, mirror=1.0), seed)
        inside = crop.valid == 1
        for image, frame in zip(astuple(crop), (noise.rgb, noise.thermal, noise.label)):
            assert (image[inside].reshape(frame.shape) == frame[:, ::-1]).all()


RGB_KNOBS = [
    {"headlights": 1.0}, {"rgb_gamma": 0.5}, {"rgb_gain": 0.2}, {"rgb_noise": 10}, {"rgb_blur": 1.0}, {"drop_rgb": 1.0},
]  # fmt: skip
THERMAL_KNOBS = [
    {"thermal_gain": 0.3}, {"thermal_offset": 20}, {"thermal_noise": 10}, {"thermal_blur": 1.0},
    {"thermal_inversion": 1.0}, {"misalignment": 4}, {"drop_thermal": 1.0},
]  # fmt: skip


def test_no_photometric_setting_is_left_out_here():
    knobs = {name for knob in (*RGB_KNOBS, *THERMAL_KNOBS) for name in knob}
    assert knobs == {f.name for f in fields(AugmentConfig)} - GEOMETRY


@pytest.mark.parametrize(
    "sensor, knob",
    [*(("rgb", knob) for knob in RGB_KNOBS), *(("thermal", knob) for knob in THERMAL_KNOBS)],
    ids=lambda value: value if isinstance(value, str) else next(iter(value)),
)
def test_each_setting_changes_its_own_sensor_alone(sensor, knob):
    pair = random_pair(80, 90)
    pair = replace(pair, rgb=pair.rgb // 2)  # dark enough for headlights
    geometry = AugmentConfig(scale_low=0.9, scale_high=1.5)  # the frame always fills the crop
    changed = []
    for seed in range(10):
        before = crop_of(pair, (48, 64), geometry, seed)
        after = crop_of(pair, (48, 64), replace(geometry, **knob), seed)
        changed += [f.name for f in fields(Crop) if (getattr(before, f.name) != getattr(after, f.name)).any()]
    assert set(changed) == {sensor}
    assert len(changed) >= 8  # a drawn strength may come out as next to nothing


def both(
    knob: dict, seed: int, height: int = 60, width: int = 70, pair: DatasetPair | None = None
) -> tuple[Crop, Crop]:
    """The same crop without and with ``knob``."""
    pair = pair or random_pair(80, 90)
    return crop_of(pair, (height, width), PLAIN, seed), crop_of(pair, (height, width), replace(PLAIN, **knob), seed)


@given(SEEDS)
@settings(max_examples=20, deadline=None)
def test_rgb_gain_and_gamma_stay_in_their_range(seed):
    before, after = both({"rgb_gain": 0.2}, seed)
    old = before.rgb.astype(float)
    assert (after.rgb >= np.minimum(0.8 * old, 255) - 1).all()
    assert (after.rgb <= np.minimum(1.2 * old, 255) + 1).all()
    before, after = both({"rgb_gamma": 0.5}, seed)
    old = before.rgb / 255
    assert (after.rgb >= 255 * old ** np.exp(0.5) - 1).all()
    assert (after.rgb <= 255 * old ** np.exp(-0.5) + 1).all()


def test_rgb_gain_tints_and_gamma_does_not():
    grey = DatasetPair(
        "grey", np.full((80, 90, 3), 100, np.uint8), np.ones((80, 90), np.uint8), np.zeros((80, 90), np.uint8)
    )
    tints = [both({"rgb_gain": 0.2}, seed, pair=grey)[1].rgb[0, 0] for seed in range(10)]
    greys = [both({"rgb_gamma": 0.5}, seed, pair=grey)[1].rgb[0, 0] for seed in range(30)]
    assert all(np.unique(colour).size > 1 for colour in tints)
    assert all(np.unique(colour).size == 1 for colour in greys)
    assert min(colour[0] for colour in greys) < 80 < 120 < max(colour[0] for colour in greys)  # nights and days


@given(SEEDS)
@settings(max_examples=20, deadline=None)
def test_thermal_offset_and_gain_are_one_number_a_crop(seed):
    rng = np.random.default_rng(3)
    middle = replace(random_pair(80, 90), thermal=rng.integers(100, 156, (80, 90), np.uint8))  # nothing saturates
    before, after = both({"thermal_offset": 20}, seed, pair=middle)
    offset = np.unique(difference(after.thermal, before.thermal))
    assert offset.size == 1
    assert abs(offset[0]) <= 20
    before, after = both({"thermal_gain": 0.3}, seed, pair=middle)
    slope = np.polyfit(before.thermal.ravel(), after.thermal.ravel(), 1)[0]
    assert 0.69 <= slope <= 1.31
    assert after.thermal.mean() == pytest.approx(before.thermal.mean(), abs=0.5)


def test_offsets_and_gains_go_both_ways_and_do_not_wrap_around():
    pair = random_pair(80, 90)
    signs = set()
    for seed in range(10):
        before, after = both({"thermal_offset": 100}, seed, pair=pair)
        change = difference(after.thermal, before.thermal)
        signs.add(np.sign(change.sum()))
        assert (change >= 0).all() or (change <= 0).all()  # a wrapped value would go the other way
    assert signs == {-1, 1}


@pytest.mark.parametrize("sensor", ["rgb", "thermal"])
def test_noise(sensor):
    pair = random_pair(80, 90)
    flat = replace(pair, rgb=np.full((80, 90, 3), 128, np.uint8), thermal=np.full((80, 90), 128, np.uint8))
    deviations = []
    for seed in range(30):
        noise = difference(getattr(both({f"{sensor}_noise": 10}, seed, pair=flat)[1], sensor), 128)
        assert abs(noise.mean()) < 0.6
        deviations.append(noise.std())
    assert max(deviations) < 10.5
    assert min(deviations) < 3
    assert max(deviations) > 7


@pytest.mark.parametrize("sensor", ["rgb", "thermal"])
def test_blur(sensor):
    for seed in range(10):
        before, after = (getattr(crop, sensor).astype(float) for crop in both({f"{sensor}_blur": 1.0}, seed))
        assert after.std() < before.std()
        assert after.mean() == pytest.approx(before.mean(), abs=1.5)
    blurred = sum((np.diff(getattr(crop, sensor)) != np.diff(getattr(plain, sensor))).any()
                  for plain, crop in (both({f"{sensor}_blur": 0.5}, seed) for seed in range(100)))  # fmt: skip
    assert 30 < blurred < 70


def test_thermal_inversion():
    inverted = 0
    for seed in range(100):
        before, after = both({"thermal_inversion": 1.0}, seed)
        assert (after.thermal == 255 - before.thermal).all()
        inverted += (both({"thermal_inversion": 0.3}, seed)[1].thermal != before.thermal).any()
    assert 15 < inverted < 45


def test_misalignment_moves_thermal_up_to_so_far():
    moved = []
    for seed in range(60):
        for axis in (0, 1):
            crop = both({"misalignment": 6}, seed, pair=coordinate_pair(axis=axis))[1]
            shift = difference(crop.thermal, crop.rgb[:, :, 1 - axis])
            assert np.abs(shift).max() <= 7
            middle = shift[10:-10, 10:-10]
            assert np.ptp(middle) <= 1  # all of it by the same
            moved.append(middle.mean())
    assert min(moved) < -4
    assert max(moved) > 4
    assert abs(np.mean(moved)) < 1


def test_never_both_sensors_are_lost():
    lost = {"rgb": 0, "thermal": 0}
    for seed in range(300):
        crop = both({"drop_rgb": 0.3, "drop_thermal": 0.5}, seed)[1]
        black = [sensor for sensor in lost if not getattr(crop, sensor).any()]
        assert len(black) <= 1
        for sensor in black:
            lost[sensor] += 1
    assert 60 < lost["rgb"] < 120
    assert 120 < lost["thermal"] < 180


def test_one_sensor_always_lost():
    for seed in range(50):
        crop = both({"drop_rgb": 0.5, "drop_thermal": 0.5}, seed)[1]
        assert crop.rgb.any() != crop.thermal.any()


def labelled_pair(*patches: tuple[int, np.ndarray | tuple], background: int = 0) -> DatasetPair:
    label = np.full((150, 200), background, np.uint8)
    for number, where in patches:
        label[where] = number
    return replace(coordinate_pair(), label=label)


def crops_with(
    number: int, pair: DatasetPair, balanced: float, size: tuple[int, int] = (32, 32), crops: int = 100
) -> int:
    config = replace(PLAIN, mirror=0.5, balanced_crops=balanced)
    return sum((crop_of(pair, size, config, seed).label == number).any() for seed in range(crops))


def test_balanced_crops_find_small_objects():
    pair = labelled_pair((2, np.s_[100:105, 30:34]))
    uniform, half, all_of_them = (crops_with(2, pair, share) for share in (0.0, 0.5, 1.0))
    assert uniform < 20
    assert 40 < half < 75
    assert all_of_them == 100


def test_a_small_class_counts_as_much_as_a_large_one():
    pair = labelled_pair((1, np.s_[:60, 60:]), (2, np.s_[140, 5]))
    assert crops_with(2, pair, 0.0) < 10
    assert 35 < crops_with(2, pair, 1.0) < 65


@given(st.integers(0, 149), st.integers(0, 199), st.integers(1, 60), st.integers(1, 60), st.floats(1, 4), SEEDS)
@settings(max_examples=80, deadline=None)
def test_a_balanced_crop_holds_its_object(row, column, height, width, scale, seed):
    """Wherever it lies and however small the crop is."""
    config = replace(PLAIN, mirror=0.5, scale_low=scale, scale_high=scale, balanced_crops=1.0)
    crop = crop_of(labelled_pair((4, (row, column))), (height, width), config, seed)
    assert (crop.label == 4).any()


@pytest.mark.parametrize("background", [0, UNLABELLED])
def test_frames_without_objects_are_cut_anywhere(background):
    pair = labelled_pair((UNLABELLED, np.s_[:10, :10]), background=background)
    config = replace(PLAIN, balanced_crops=1.0)
    corners = {tuple(crop_of(pair, (32, 32), config, seed).rgb[0, 0]) for seed in range(50)}
    assert len(corners) > 40
