"""Warps as tables: bilinear values against a plain restatement, edges, what lies outside."""

from __future__ import annotations

import numpy as np
import pytest

from mrfs_ros.errors import ImageError
from mrfs_ros.geometry.warp import make_warp, outside_fused, within
from mrfs_ros.types import UNLABELLED, FusionResult


def bilinear(thermal: np.ndarray, x: float, y: float) -> float:
    """The value at (x, y), the border continued; in float64."""
    column, row = int(np.floor(x)), int(np.floor(y))
    right, down = x - column, y - row
    values = [
        [thermal[min(max(row + j, 0), len(thermal) - 1), min(max(column + i, 0), len(thermal[0]) - 1)] for i in (0, 1)]
        for j in (0, 1)
    ]
    return np.array([1 - down, down]) @ np.array(values, float) @ np.array([1 - right, right])


def test_values_are_bilinear_at_32nds_of_a_pixel():
    rng = np.random.default_rng(3)
    thermal = rng.integers(0, 256, (30, 40), np.uint8)
    sources = rng.integers(-16, 30 * 32 - 17, (24, 33, 2)) / 32
    warp = make_warp(sources, (30, 40))
    expected = [[bilinear(thermal, *sources[y, x]) for x in range(33)] for y in range(24)]
    assert warp.valid.all()
    assert np.abs(warp(thermal) - np.array(expected)).max() <= 0.5 + 1e-9


def test_floats_are_bilinear_and_none_where_nothing_is_seen_or_a_hole_has_weight():
    """Sources between and at whole pixels, beside the borders and beyond; holes at a border, a corner and inside."""
    rng = np.random.default_rng(3)
    values = rng.uniform(-40, 500, (30, 40)).astype(np.float32)
    values[0, 0] = values[12:14, 20] = values[29, 7] = np.nan
    sources = rng.integers(-2 * 32, 42 * 32, (60, 70, 2)) / 32
    sources[:20] = sources[:20].round()  # where a neighbour has no weight, its hole does not count
    warp = make_warp(sources, (30, 40))
    known = np.nan_to_num(values)
    expected = np.array([[bilinear(known, *source) for source in row] for row in sources])
    share_of_holes = np.array([[bilinear(np.isnan(values), *source) for source in row] for row in sources])
    expected[(share_of_holes > 0) | ~warp.valid] = np.nan
    moved = warp.floats(values)
    assert moved.dtype == np.float32 and np.isnan(expected).any() and np.isfinite(expected[:20]).any()
    np.testing.assert_allclose(moved, expected, atol=1e-3)


def test_outside_is_black_and_not_valid():
    sources = np.full((4, 5, 2), 7.0)
    sources[0, 0], sources[1, 1], sources[2, 2], sources[3, 3] = (-0.51, 3), (np.nan, 3), (3, 9.5), (1e9, -1e9)
    warp = make_warp(sources, (10, 12))
    assert (warp(np.full((10, 12), 200, np.uint8)) == np.where(warp.valid, 200, 0)).all()
    assert sorted(zip(*np.nonzero(~warp.valid))) == [(0, 0), (1, 1), (2, 2), (3, 3)]
    assert (warp.valid == within(sources, (10, 12))).all()


def test_tables_cannot_be_spoilt():
    warp = make_warp(np.zeros((4, 5, 2)), (10, 12))
    for table in (warp.whole, warp.parts, warp.valid):
        with pytest.raises(ValueError, match="read-only"):
            table[0, 0] = 0


def test_outside_is_the_rgb_image_without_labels():
    rng = np.random.default_rng(1)
    fused, rgb = rng.integers(0, 256, (2, 40, 50, 3), np.uint8)
    result = FusionResult(fused, rng.integers(0, 9, (40, 50), np.uint8))
    valid = np.zeros((40, 50), bool)
    valid[10:30, 5:45] = True
    outside = outside_fused(result, rgb, valid)
    assert (outside.fused[valid] == fused[valid]).all() and (outside.fused[~valid] == rgb[~valid]).all()
    assert (outside.labels[valid] == result.labels[valid]).all() and (outside.labels[~valid] == UNLABELLED).all()
    assert outside_fused(result, rgb, np.ones((40, 50), bool)) is result
    with pytest.raises(ImageError, match="expected rgb"):
        outside_fused(result, rgb[:-1], valid)
    with pytest.raises(ImageError, match="valid"):
        outside_fused(result, rgb, valid[:-1])
