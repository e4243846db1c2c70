"""Linear CKA and cosine similarity against other ways to compute them, and what must not change them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrfs_ros.studies.feature_maps import BlockFeatures
from mrfs_ros.studies.similarity import linear_cka, mean_cosine, pair_similarity, similarity

SEEDS = st.integers(0, 2**32 - 1)
SIZES = st.tuples(st.integers(1, 6), st.integers(2, 5), st.integers(2, 5))


def maps(seed: int, size: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Two (C, h, w) float32 maps that share a part."""
    rng = np.random.default_rng(seed)
    common = rng.normal(size=size)
    return tuple((common + rng.normal(size=size) + rng.normal()).astype(np.float32) for _ in range(2))


def turned(seed: int, features: np.ndarray) -> np.ndarray:
    """``features`` with its channels turned into each other at random."""
    rng = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(rng.normal(size=(len(features),) * 2))
    return np.einsum("dc,chw->dhw", rotation, features.astype(np.float64))


def cka_by_kernels(first: np.ndarray, second: np.ndarray) -> float:
    """HSIC of the pixels' Gram matrices over what each has with itself: the definition, (h w)^2 large."""
    grams = [x.T @ x for x in (f.reshape(len(f), -1).astype(np.float64) for f in (first, second))]
    n = len(grams[0])
    centring = np.eye(n) - np.ones((n, n)) / n

    def hsic(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.trace(a @ centring @ b @ centring))

    k, m = grams
    return hsic(k, m) / np.sqrt(hsic(k, k) * hsic(m, m))


@settings(max_examples=40, deadline=None)
@given(SEEDS, SIZES)
def test_cka_is_that_of_the_gram_matrices(seed, size):
    first, second = maps(seed, size)
    assert linear_cka(first, second) == pytest.approx(cka_by_kernels(first, second), abs=1e-9)
    other = second[: max(1, len(second) - 1)]  # as many pixels, fewer channels
    assert linear_cka(first, other) == pytest.approx(cka_by_kernels(first, other), abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(SEEDS, SIZES, st.floats(1e-6, 1e6), st.floats(-100, 100))
def test_cka_does_not_see_turns_scales_offsets_and_order(seed, size, scale, offset):
    first, second = maps(seed, size)
    expected = linear_cka(first, second)
    assert 0 <= expected <= 1 + 1e-12
    assert linear_cka(turned(seed, first), second) == pytest.approx(expected, abs=1e-9)
    assert linear_cka(first * np.float64(scale), second) == pytest.approx(expected, abs=1e-9)
    assert linear_cka(first, second + np.float64(offset)) == pytest.approx(expected, abs=1e-9)
    assert linear_cka(second, first) == pytest.approx(expected, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(SEEDS, SIZES)
def test_equal_maps_are_alike(seed, size):
    first, _ = maps(seed, size)
    assert linear_cka(first, first) == pytest.approx(1)
    assert mean_cosine(first, 3 * first) == pytest.approx(1)
    assert mean_cosine(first, -first) == pytest.approx(-1)


@pytest.mark.parametrize("constant", [0.0, 0.1, -7e5])
def test_where_nothing_varies_cka_is_0(constant):
    first, _ = maps(0, (3, 4, 5))
    plain = np.full((3, 4, 5), constant, np.float32)
    assert linear_cka(first, plain) == linear_cka(plain, first) == linear_cka(plain, plain) == 0
    assert linear_cka(first[:, :1, :1], first[:, :1, :1]) == 0


@settings(max_examples=40, deadline=None)
@given(SEEDS, SIZES)
def test_cosine_is_the_mean_of_the_pixels(seed, size):
    first, second = maps(seed, size)
    cosines = []
    for row in range(size[1]):
        for column in range(size[2]):
            a, b = first[:, row, column].astype(float), second[:, row, column].astype(float)
            cosines.append(a @ b / np.sqrt((a @ a) * (b @ b)))
    assert mean_cosine(first, second) == pytest.approx(np.mean(cosines), abs=1e-12)


def test_vectors_of_zeros_count_as_0_in_the_cosine():
    first = np.ones((2, 2, 2), np.float32)
    second = first.copy()
    second[:, 0] = 0
    assert mean_cosine(first, second) == pytest.approx(0.5)


def test_chance_is_low_where_only_the_place_agrees():
    rng = np.random.default_rng(1)
    first = rng.normal(size=(4, 40, 40))
    found = similarity(first, first + 0.1 * rng.normal(size=first.shape))
    assert found.cka > 0.95 and found.cosine > 0.95
    assert found.cka_chance < 0.05 and abs(found.cosine_chance) < 0.05


def test_a_pair_has_its_blocks_before_and_after_in_order():
    low, high = maps(2, (3, 4, 4))
    blocks = [BlockFeatures(low, low, low, high, low), BlockFeatures(low, high, high, high, low)]
    found = pair_similarity("street", blocks)
    assert found.name == "street"
    assert [s.cka == pytest.approx(1) for s in found.before] == [True, False]
    assert [s.cka == pytest.approx(1) for s in found.after] == [False, True]
