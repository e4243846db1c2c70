"""File names that are stamps: read as what they say, paired by the nearest in time and never by chance."""

from __future__ import annotations

from datetime import datetime, timezone

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrfs_ros.data.names import Partners, partners
from mrfs_ros.data.stamped_names import nearest_in_time, stamp_ns

SECOND = 10**9
START = 1_610_001_234 * SECOND


@pytest.mark.parametrize(
    "name, stamp",
    [
        ("1610001234.123456", START + 123_456_000),
        ("frame_1610001234.25000", START + 250_000_000),
        ("1610001234_123456789", START + 123_456_789),
        ("1610001234-123456", START + 123_456_000),
        ("1610001234250", START + 250_000_000),
        ("left1610001234250001", START + 250_001_000),
        ("1610001234250001002_rgb", START + 250_001_002),
        ("12.500", 12_500_000_000),
        ("2021-01-07T06-33-54.250", START + 250_000_000),
        ("20210107_063354250001", START + 250_001_000),
        ("20210107063354250", START + 250_000_000),
        ("IMG_2021-01-07 06_33_54,250Z", START + 250_000_000),
    ],
)
def test_stamps(name, stamp):
    assert datetime.fromtimestamp(START / SECOND, timezone.utc).isoformat() == "2021-01-07T06:33:54+00:00"
    assert stamp_ns(name) == stamp


@pytest.mark.parametrize(
    "name", ["", "a", "000123", "frame_1610001234", "20210107_063354", "20211307_063354250", "1.2", "12345678901234",
             "1610001234.250_1610001235.250", "1610001234_25", "0001.12"],
)  # fmt: skip
def test_other_names_have_none(name):
    assert stamp_ns(name) is None


def written(stamps) -> list[str]:
    return [f"{stamp // SECOND}.{stamp % SECOND:09d}" for stamp in stamps]


def test_cameras_of_two_rates_with_lost_images():
    """30 and 9 Hz: every thermal image gets the rgb image at most half a period of rgb away, if it is there."""
    rgb = [START + i * SECOND // 30 for i in range(60)]
    thermal = [START + 4_000_000 + i * SECOND // 9 for i in range(18)]
    lost = set(rgb[20:26])
    kept = [stamp for stamp in rgb if stamp not in lost]
    found, rule = nearest_in_time(written(kept), written(thermal))
    expected = {}
    for stamp in thermal:
        nearest = min(rgb, key=lambda other: abs(other - stamp))
        if nearest not in lost and abs(nearest - stamp) < SECOND / 60:
            expected[written([nearest])[0]] = written([stamp])[0]
    assert 0 < len(expected) < len(thermal)
    assert found == expected
    gaps = [abs(stamp_ns(one) - stamp_ns(other)) / SECOND for one, other in expected.items()]
    assert rule == f"stamps, less than 0.017 s apart (median {np.median(gaps):.3f} s, largest {max(gaps):.3f} s)"


@given(
    st.lists(st.integers(0, 2000), min_size=1, max_size=12, unique=True),
    st.lists(st.integers(0, 2000), min_size=1, max_size=12, unique=True),
)
@settings(deadline=None)
def test_partners_are_nearest_both_ways(milliseconds, others):
    first, second = ([START + ms * 1_000_000 for ms in folder] for folder in (milliseconds, others))
    found, rule = nearest_in_time(written(first), written(second))
    assert rule.startswith("stamps, less than 0.") and ("nearest" in rule) == (not found)
    assert len(set(found.values())) == len(found)
    for name, other in found.items():
        gap = abs(stamp_ns(name) - stamp_ns(other))
        assert gap < 100_000_000
        assert all(abs(stamp_ns(name) - stamp) >= gap for stamp in second)
        assert all(abs(stamp_ns(other) - stamp) >= gap for stamp in first)


def test_cameras_a_second_apart_are_no_pairs():
    rule = "stamps, less than 0.030 s apart (the nearest are 1.000 s apart)"
    assert nearest_in_time(written([START]), written([START + SECOND])) == ({}, rule)
    assert partners(written([START]), written([START + SECOND]), options="") == Partners({}, rule)
    assert nearest_in_time([], written([START])) == ({}, "")


@pytest.mark.parametrize("other", ["notes", "1610001234.100000", "1610001234.190000"])
def test_one_name_that_is_no_stamp_of_its_own_leaves_it_to_the_other_rules(other):
    """The second is the stamp of another file."""
    names = ["1610001234.100000000", other]
    found = nearest_in_time(names, ["1610001234.110000000", "1610001234.200000000"])[0]
    assert bool(found) == (other == "1610001234.190000")


def test_stamps_come_before_names_that_are_the_same_by_chance():
    names, others = (
        written([START, START + 50_000_000, START + 100_000_000]),
        written([START, START + 51_000_000, START + 99_000_000]),
    )
    got = partners(names, others, options="--rgb-name, --thermal-name")
    assert [other for _, other in got.of.values()] == others
    assert [common for common, _ in got.of.values()] == names
    same = partners(names, names, options="--rgb-name, --thermal-name")
    assert same.rule == "" and list(same.of) == names
