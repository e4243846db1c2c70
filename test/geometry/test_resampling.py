"""Resampling of images with holes: no neighbour takes anything from them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrfs_ros.geometry.resampling import resized, with_holes


def scaled(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return with_holes(lambda image: resized(image, size), values)


def test_an_image_of_the_size_is_left_alone():
    values = np.array([[1, np.nan], [3, 4]], np.float32)
    np.testing.assert_array_equal(scaled(values, (2, 2)), values)
    whole = np.ones((2, 2), np.float32)
    assert scaled(whole, (2, 2)) is whole


def test_twice_the_size_is_bilinear_between_pixel_centres():
    row = scaled(np.array([[0, 10, 20, 30]] * 2, np.float32), (4, 8))
    np.testing.assert_allclose(row, [[0, 2.5, 7.5, 12.5, 17.5, 22.5, 27.5, 30]] * 4)


def test_a_quarter_of_the_size_is_the_mean_of_sixteen():
    values = np.random.default_rng(0).random((12, 16), np.float32)
    np.testing.assert_allclose(scaled(values, (3, 4)), values.reshape(3, 4, 4, 4).mean(axis=(1, 3)), rtol=1e-5)


@pytest.mark.parametrize("size, lost", [((12, 16), 4 * 4), ((6, 8), 1), ((3, 4), 1)])
def test_a_hole_takes_what_it_has_a_share_in_and_no_more(size, lost):
    values = np.full((6, 8), 20, np.float32)
    values[2, 3] = np.nan
    there = scaled(values, size)
    assert np.isnan(there).sum() == lost and (there[np.isfinite(there)] == 20).all()


@settings(max_examples=80, deadline=None)
@given(
    size=st.tuples(st.integers(1, 24), st.integers(1, 24)),
    to=st.tuples(st.integers(1, 50), st.integers(1, 50)),
    holes=st.floats(0, 0.5),
    seed=st.integers(0, 2**32 - 1),
)
def test_whatever_is_in_a_hole_leaves_no_trace(size, to, holes, seed):
    """Known pixels are those of the image with any value in its holes, and lie in the range of the known values."""
    rng = np.random.default_rng(seed)
    values = rng.uniform(-40, 500, size).astype(np.float32)
    values[rng.random(size) < holes] = np.nan
    there, gone = scaled(values, to), np.isnan(scaled(values, to))
    for filling in (-1e4, 1e4):
        filled = resized(np.where(np.isnan(values), np.float32(filling), values), to)
        np.testing.assert_allclose(there[~gone], filled[~gone], atol=1e-2)
    if not np.isnan(values).any():
        assert not gone.any()
        np.testing.assert_array_equal(there, resized(values, to))
    if (~gone).any():
        assert there[~gone].min() >= np.nanmin(values) - 1e-3 and there[~gone].max() <= np.nanmax(values) + 1e-3


def test_the_property_can_fail():
    """Filling holes before resampling, which is what it must not do."""
    values = np.full((6, 8), 20, np.float32)
    values[2, 3] = np.nan
    bled = cv2.resize(np.nan_to_num(values), (16, 12), interpolation=cv2.INTER_LINEAR)
    assert (bled[4:6, 6:8] < 20).all() and np.isnan(scaled(values, (12, 16))[4:6, 6:8]).all()
