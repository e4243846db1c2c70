"""Classical fusions: by hand, by definition, and what must hold for any pair."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from plain_fusion import plain_guided_fusion, plain_laplacian_fusion

from mrfs_ros.errors import ImageError
from mrfs_ros.studies.classical_fusion import average, guided_fusion, laplacian_pyramid, maximum

METHODS = (average, maximum, laplacian_pyramid, guided_fusion)
sizes = st.tuples(st.integers(1, 40), st.integers(1, 40))
pairs = sizes.flatmap(lambda size: st.tuples(*[arrays(np.uint8, size, elements=st.integers(0, 255))] * 2))


@pytest.mark.parametrize("fuse", METHODS)
@settings(max_examples=30, deadline=None)
@given(pairs)
def test_an_image_fused_with_itself_comes_back(fuse, pair):
    np.testing.assert_array_equal(fuse(pair[0], pair[0]), pair[0])


@pytest.mark.parametrize("fuse", METHODS)
@settings(max_examples=30, deadline=None)
@given(pairs)
def test_any_pair_gives_a_grey_image_of_its_size_and_stays_as_it_was(fuse, pair):
    before = [image.copy() for image in pair]
    fused = fuse(*pair)
    assert (fused.shape, fused.dtype) == (pair[0].shape, np.uint8)
    np.testing.assert_array_equal(pair, before)


@settings(max_examples=30, deadline=None)
@given(pairs)
def test_average_and_maximum_lie_between_the_inputs(pair):
    low, high = np.minimum(*pair), np.maximum(*pair)
    assert ((low <= average(*pair)) & (average(*pair) <= high)).all()
    np.testing.assert_array_equal(maximum(*pair), high)


def test_the_pyramid_keeps_detail_and_averages_bases():
    board = (np.indices((64, 96)).sum(axis=0) % 2) * 40  # the kernel's zero: nothing of it is left one level below
    visible, thermal = (80 + board).astype(np.uint8), np.full(board.shape, 200, np.uint8)
    np.testing.assert_array_equal(laplacian_pyramid(visible, thermal), 150 + board - 20)


@pytest.mark.parametrize("shape, levels", [((48, 64), 4), ((37, 51), 4), ((9, 40), 3), ((2, 3), 1), ((1, 5), 0)])
def test_the_pyramid_is_as_defined(shape, levels):
    visible, thermal = np.random.default_rng(5).integers(0, 256, (2, *shape), np.uint8)
    expected = plain_laplacian_fusion(visible.astype(float), thermal.astype(float), levels).clip(0, 255)
    assert np.abs(laplacian_pyramid(visible, thermal) - expected).max() <= 0.5 + 1e-9


@pytest.mark.parametrize("shape", [(12, 14), (17, 9)])
def test_guided_fusion_is_as_defined(shape):
    rng = np.random.default_rng(3)
    visible, thermal = rng.integers(0, 256, (2, *shape), np.uint8)
    visible[:, :5] = 90  # so that both images have places where they stand out
    expected = plain_guided_fusion(visible, thermal)
    assert np.abs(guided_fusion(visible, thermal) - expected).max() <= 0.5 + 1e-3


def test_guided_fusion_takes_what_stands_out():
    texture = np.random.default_rng(4).integers(0, 256, (60, 80), np.uint8)
    flat = np.full(texture.shape, 30, np.uint8)
    np.testing.assert_array_equal(guided_fusion(texture, flat), texture)
    np.testing.assert_array_equal(guided_fusion(flat, texture), texture)


@pytest.mark.parametrize("fuse", METHODS)
def test_what_is_no_pair_of_grey_images(fuse):
    grey = np.zeros((8, 8), np.uint8)
    with pytest.raises(ImageError, match=r"expected images of one size \(H, W\), got \(8, 8\) and \(8, 7\)"):
        fuse(grey, grey[:, :7])
    with pytest.raises(ImageError, match=r"thermal: expected a grey image, \(H, W\) uint8, got \(8, 8\) float64"):
        fuse(grey, grey / 2)
    with pytest.raises(ImageError, match="visible: expected a grey image"):
        fuse(np.zeros((8, 8, 3), np.uint8), grey)
