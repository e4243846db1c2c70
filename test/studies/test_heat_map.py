"""Heat maps: what is high is red, what is low is blue, and padding does not decide which."""

from __future__ import annotations

import numpy as np
import pytest

from mrfs_ros.studies.heat_map import activity, coloured, heat_map


def is_red(pixels: np.ndarray) -> np.ndarray:
    red, green, blue = np.moveaxis(pixels.astype(int), -1, 0)
    return (red > 120) & (red > 2 * green) & (red > 2 * blue)


def is_blue(pixels: np.ndarray) -> np.ndarray:
    red, green, blue = np.moveaxis(pixels.astype(int), -1, 0)
    return (blue > 120) & (blue > 2 * green) & (blue > 2 * red)


def test_activity_is_the_mean_distance_from_the_channels_mean():
    features = np.zeros((2, 3, 4), np.float32)
    features[0, 0, 0], features[1] = 12, 7  # one channel varies, with mean 1; the other does not
    expected = np.full((3, 4), 0.5)
    expected[0, 0] = 5.5
    assert activity(features) == pytest.approx(expected)


def test_red_is_high_and_blue_is_low():
    ramp = np.tile(np.linspace(-3, 5, 50), (40, 1))
    picture = heat_map(ramp, 80, 200)
    assert (picture.shape, picture.dtype) == ((80, 200, 3), np.uint8)
    assert is_blue(picture[:, :10]).all() and is_red(picture[:, -10:]).all()
    assert not is_red(picture[:, :100]).any() and not is_blue(picture[:, 100:]).any()
    ends = coloured(np.array([[0.0, 1.0]]))
    assert is_blue(ends[0, 0]) and is_red(ends[0, 1])


def test_outliers_and_the_border_do_not_set_the_range():
    values = np.tile(np.linspace(0, 1, 50), (40, 1))
    expected = heat_map(values, 80, 100)
    values[0] = values[-1] = 1000
    values[20, 25] = -1000
    found = heat_map(values, 80, 100)
    assert np.abs(found[10:30].astype(int) - expected[10:30]).max() <= 6
    assert is_red(found[0]).all()


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (5, 5)])
def test_a_map_that_is_the_same_everywhere_is_blue(size):
    assert is_blue(heat_map(np.full(size, 0.3), 32, 32)).all()
