"""Pairs through bag loops, clock jumps, offsets and lost cameras."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrfs_ros.pairing.approximate_time import ApproximateTime
from mrfs_ros.pairing.pair_source import PairSource
from mrfs_ros.types import RGB, THERMAL

MS = 10**6


@pytest.fixture
def said():
    return []


@pytest.fixture
def source(said):
    return make_source(said)


def make_source(said, **pairing):
    make_pairing = partial(ApproximateTime, **{"slop_s": 0.05, "queue_size": 10, **pairing})
    return PairSource(make_pairing, start_s=0.0, say=said.append)


@given(st.integers(1, 4), st.integers(6, 12), st.randoms())
def test_no_pair_is_lost_when_a_bag_loops(loops, frames, random):
    """Not even where one camera is three images ahead, so that its new loop overtakes the other's old one."""
    said = []
    source = make_source(said)
    pending = {
        camera: [(frame * 100 + camera * 5) * MS for _ in range(loops) for frame in range(frames)]
        for camera in (RGB, THERMAL)
    }
    pairs = []
    position = {RGB: 0, THERMAL: 0}
    while any(position[c] < len(pending[c]) for c in position):
        lead = position[RGB] - position[THERMAL]
        camera = RGB if lead < -2 else THERMAL if lead > 2 else random.choice((RGB, THERMAL))
        if position[camera] == len(pending[camera]):
            camera = 1 - camera
        stamp = pending[camera][position[camera]]
        pair = source.add(camera, stamp, stamp, now_s=sum(position.values()) * 0.05)
        position[camera] += 1
        if pair:
            pairs.append(pair)
    assert len(pairs) == loops * frames
    assert all(thermal - rgb == 5 * MS for rgb, thermal in pairs)


def test_a_loop_is_told_once(source, said):
    for loop in range(2):
        for frame in range(5):
            for camera in (RGB, THERMAL):
                source.add(camera, frame * 100 * MS, frame, now_s=loop * 5 + frame * 0.1)
    assert source.jumps == 1
    assert [text for text in said if "jumped back by 0.40 s" in text] == said[:1]


def test_a_single_camera_whose_clock_is_set_back_pairs_again(source):
    """It jumps, the other never does: after a second they share one pairing again."""
    assert source.add(RGB, 10_000 * MS, 0, now_s=0.0) is None
    assert source.add(THERMAL, 10_000 * MS, 0, now_s=0.0) == (0, 0)
    assert source.add(THERMAL, 9_700 * MS, 1, now_s=0.1) is None
    assert source.add(RGB, 11_200 * MS, 2, now_s=1.2) is None
    assert source.add(THERMAL, 11_210 * MS, 2, now_s=1.21) == (2, 2)


def test_jitter_is_no_jump(source, said):
    for stamp in (0, 100, 50, 120, 90):
        source.add(RGB, stamp * MS, stamp, now_s=0.0)
    assert (source.jumps, said) == (0, [])


def test_full_queues_of_future_stamps_do_not_block(said):
    """The classic bug: after a jump back, eviction of the smallest stamp throws every new message away."""
    source = make_source(said, queue_size=3)
    for stamp in range(10_000, 10_600, 100):
        source.add(RGB, stamp * MS, stamp, now_s=1.0)
    pairs = [source.add(camera, f * 100 * MS, f, now_s=2.0) for f in range(5) for camera in (RGB, THERMAL)]
    assert [pair for pair in pairs if pair] == [(f, f) for f in range(5)]


def test_a_clock_that_runs_ahead_of_the_stamps_loses_no_pair(source, said):
    """A loop in simulated time: the clock jumps while one camera's last image is still on its way."""
    assert source.add(RGB, 1100 * MS, "last rgb", now_s=0.0) is None
    source.clock_jumped_back(by_s=1.1, now_s=0.1)
    assert source.add(THERMAL, 1105 * MS, "last thermal", now_s=0.1) == ("last rgb", "last thermal")
    assert source.add(RGB, 0, "rgb", now_s=0.2) is None
    assert source.add(THERMAL, 5 * MS, "thermal", now_s=0.2) == ("rgb", "thermal")
    assert (source.jumps, len(said)) == (1, 1)  # stamps that follow the clock are no news


def test_a_camera_that_starts_late_in_the_loop(source):
    pairs = []
    for _ in range(3):
        for frame in range(20):
            pairs.append(source.add(RGB, frame * 100 * MS, frame, now_s=0.0))
            if frame >= 10:
                pairs.append(source.add(THERMAL, frame * 100 * MS + MS, frame, now_s=0.0))
    assert [pair for pair in pairs if pair] == 3 * [(frame, frame) for frame in range(10, 20)]


@pytest.mark.parametrize("offset_ms", [-300, -5000, 300, 5000])
def test_a_changed_offset_is_no_jump_of_the_time(source, said, offset_ms):
    """Both clocks run on; afterwards pairs go by the new offset, and a jump is still told."""
    for frame in range(5):
        source.add(RGB, frame * 100 * MS, frame, now_s=frame / 10)
        source.add(THERMAL, (frame * 100 - offset_ms) * MS, frame, now_s=frame / 10)
    source.thermal_offset_ns = offset_ms * MS
    assert source.pair_gap_s() is None and source.best_gap_s is None  # those were by the old one
    pairs = []
    for frame in range(5, 10):
        source.add(RGB, frame * 100 * MS, frame, now_s=frame / 10)
        pairs.append(source.add(THERMAL, (frame * 100 - offset_ms) * MS, frame, now_s=frame / 10))
    assert pairs == [(frame, frame) for frame in range(5, 10)]
    assert (said, source.jumps) == ([], 0)
    source.add(THERMAL, (900 - offset_ms - 250) * MS, "back", now_s=1.0)
    assert source.jumps == 1 and "time jumped back by 0.25 s (thermal stamps" in said[-1]


def test_constant_offset_is_taken_out(source):
    source.add(RGB, 500 * MS, "rgb", now_s=0.0)
    assert source.add(THERMAL, 580 * MS, "late", now_s=0.0) is None
    source.thermal_offset_ns = -80 * MS
    assert source.add(THERMAL, 580 * MS, "thermal", now_s=0.0) == ("rgb", "thermal")


def test_best_gap_is_signed_and_forgotten_with_a_pair(source):
    assert source.best_gap_s is None
    source.add(RGB, 0, "r", now_s=0.0)
    source.add(THERMAL, 120 * MS, "t", now_s=0.0)
    source.add(THERMAL, 90 * MS, "t", now_s=0.0)
    assert source.best_gap_s == pytest.approx(0.09)
    source.add(RGB, 170 * MS, "r", now_s=0.0)
    assert source.best_gap_s == pytest.approx(-0.05)
    source.add(RGB, 121 * MS, "r", now_s=0.0)
    assert source.best_gap_s is None


@pytest.mark.parametrize(
    "mode, sent, alone", [("rgb_only", RGB, ("frame", None)), ("thermal_only", THERMAL, (None, "frame"))]
)
def test_one_camera_goes_on_alone(source, said, mode, sent, alone):
    source.on_missing = mode
    source.add(1 - sent, 0, "other", now_s=0.0)
    assert source.add(sent, 0, "frame", now_s=0.0) is not None
    assert source.add(sent, 500 * MS, "frame", now_s=0.5) is None  # the other may still come
    assert source.add(sent, 1200 * MS, "frame", now_s=1.2) == alone
    assert source.missing() == [("thermal", "rgb")[sent]]
    assert "camera lost: no image for 1.2 s; going on with" in said[-1]
    source.add(1 - sent, 1300 * MS, "other", now_s=1.3)
    assert source.missing() == []
    assert said[-1].endswith("camera is there")
    assert source.add(sent, 1310 * MS, "frame", now_s=1.31) is not None


@pytest.mark.parametrize("mode, sent", [("drop", RGB), ("drop", THERMAL), ("rgb_only", THERMAL), ("thermal_only", RGB)])
def test_other_losses_publish_nothing(source, said, mode, sent):
    source.on_missing = mode
    source.add(1 - sent, 0, "other", now_s=0.0)
    source.add(sent, 0, "frame", now_s=0.0)
    assert source.add(sent, 1200 * MS, "frame", now_s=1.2) is None
    assert "nothing is published until it returns" in said[-1]


def test_silence_at_the_start_is_left_to_the_watchdog(source, said):
    source.watch(now_s=3.0)
    assert source.missing() == ["rgb", "thermal"]
    assert said == []


def test_the_pair_gap_is_the_median_of_the_last_31_pairs(source):
    """Neither mean nor maximum; signed, thermal minus rgb."""
    for number, gap_ms in enumerate([40] * 10 + [1, -2, 30] + [3, -4, 5, -6] * 7):
        source.add(RGB, number * 100 * MS, "rgb", now_s=number / 10)
        assert source.add(THERMAL, (number * 100 + gap_ms) * MS, "thermal", now_s=number / 10)
    assert source.pair_gap_s() == pytest.approx(0.001)
    assert source.best_gap_s is None


def test_best_gap_is_the_smallest_since_the_last_pair(source):
    for number, gap_ms in enumerate([90, -70, 80]):
        source.add(RGB, number * 1000 * MS, "rgb", now_s=number)
        assert source.add(THERMAL, (number * 1000 + gap_ms) * MS, "thermal", now_s=number) is None
    assert source.best_gap_s == pytest.approx(-0.07)


def test_best_gap_is_not_measured_to_stamps_from_before_a_jump(source):
    source.add(RGB, 100_000 * MS, 0, now_s=0.0)
    source.add(RGB, 10_000 * MS, 1, now_s=0.1)
    source.add(THERMAL, 100_100 * MS, 0, now_s=0.2)
    assert source.best_gap_s == pytest.approx(90.1)


def test_best_gap_is_not_measured_to_stamps_under_another_offset(source):
    source.add(THERMAL, 1_000 * MS, 0, now_s=0.0)
    source.thermal_offset_ns = 500 * MS
    source.add(RGB, 1_100 * MS, 0, now_s=0.1)
    assert source.best_gap_s is None
    source.add(THERMAL, 900 * MS, 1, now_s=0.2)
    assert source.best_gap_s == pytest.approx(0.3)


def test_an_image_as_new_as_the_jump_still_waits_after_it(source):
    """Thermal never went as far as rgb: what it sent belongs to the time that rgb falls back to."""
    source.add(RGB, 10_500 * MS, 0, now_s=0.0)
    source.add(THERMAL, 10_250 * MS, 0, now_s=0.0)
    assert source.add(RGB, 10_190 * MS, 1, now_s=0.1) is None
    assert source.jumps == 1
    assert source.add(RGB, 10_240 * MS, 2, now_s=0.2) == (2, 0)
