"""max_rate_hz: how many pairs pass, by their stamps; jitter, jumps of the time, another limit."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrfs_ros.pairing.rate_limit import JITTER, RateLimit

S = 10**9


def passed(stamps_ns, max_rate_hz: float) -> list[int]:
    limit = RateLimit()
    return [stamp for stamp in stamps_ns if limit.passes(int(stamp), max_rate_hz)]


@pytest.mark.parametrize(
    "camera_hz, max_hz, expected_hz", [(30, 10, 10), (30, 7, 7), (30, 30, 30), (9, 10, 9), (60, 1, 1)]
)
def test_the_mean_rate_is_the_limit_though_stamps_jitter(camera_hz, max_hz, expected_hz):
    rng = np.random.default_rng(0)
    stamps = np.arange(60 * camera_hz) * S // camera_hz + rng.integers(-2_000_000, 2_000_001, 60 * camera_hz)
    assert len(passed(np.sort(stamps), max_hz)) == pytest.approx(60 * expected_hz, rel=0.02)


def test_every_third_of_a_steady_camera_passes():
    stamps = [number * S // 30 for number in range(31)]
    assert passed(stamps, 10.0) == stamps[::3]


def test_no_limit_is_none():
    assert passed([0, 0, 1, 5], 0.0) == [0, 0, 1, 5]


@given(st.lists(st.integers(0, 20 * S), min_size=1, max_size=200), st.sampled_from([0.5, 1.0, 10.0]))
def test_none_comes_sooner_than_a_period_less_the_jitter(stamps, max_rate_hz):
    found = passed(sorted(stamps), max_rate_hz)
    assert all((b - a) / 1e9 * max_rate_hz >= 1 - JITTER - 1e-6 for a, b in pairwise(found))


@given(st.lists(st.integers(0, 20 * S), min_size=1, max_size=200), st.sampled_from([0.5, 1.0, 10.0]))
def test_no_stretch_of_time_has_more_than_the_limit_allows(stamps, max_rate_hz):
    found = passed(sorted(stamps), max_rate_hz)
    for first in range(len(found)):
        for last in range(first + 1, len(found)):
            allowed = (found[last] - found[first]) / 1e9 * max_rate_hz + 1 + 2 * JITTER
            assert last - first + 1 <= allowed + 1e-6


def test_time_that_jumps_back_does_not_block():
    limit = RateLimit()
    assert limit.passes(100 * S, 1.0)
    assert limit.passes(5 * S, 1.0)
    assert not limit.passes(5 * S + S // 2, 1.0)
    assert limit.passes(6 * S, 1.0)


def test_time_that_jumps_ahead_makes_no_burst():
    limit = RateLimit()
    assert [limit.passes(stamp, 1.0) for stamp in (0, 100 * S, 100 * S + S // 10, 101 * S)] == [True, True, False, True]


def test_a_higher_limit_holds_at_once():
    limit = RateLimit()
    assert limit.passes(0, 0.01)
    assert not limit.passes(S, 0.01)
    assert limit.passes(S, 10.0)
