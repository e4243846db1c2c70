"""``encoder_side: auto``: which sides are tried, and which of them holds a rate; the times are given."""

from __future__ import annotations

import pytest

from mrfs_ros.engine import encoder_rate
from mrfs_ros.engine.encoder_rate import FRAMES, median_ms, side_for_rate, tried_sides


@pytest.mark.parametrize(
    "short, file_side, expected",
    [
        (480, 0, [480, 360, 240, 168, 120]),
        (480, 240, [240, 168, 120]),
        (480, 300, [300, 240, 168, 120]),
        (480, 480, [480, 360, 240, 168, 120]),
        (200, 240, [200, 150, 100, 70, 50]),  # the file's is larger than the image
        (720, 360, [360, 252, 180]),
        (96, 0, [96, 72, 48, 34]),  # a quarter is too small
        (32, 0, [32]),
    ],
)
def test_sides_from_the_weights_files_down(short, file_side, expected):
    assert tried_sides(short, file_side) == expected


TIMES = {480: 137.0, 360: 80.0, 240: 29.5, 168: 20.0, 120: 15.0}


@pytest.mark.parametrize(
    "rate_hz, chosen, measured",
    [
        (5, 480, [480]),
        (10, 360, [480, 360]),
        (30, 240, [480, 360, 240]),  # 30 ms of 33.3 at most
        (31, 168, [480, 360, 240, 168]),
        (60, 120, [480, 360, 240, 168, 120]),
    ],
)
def test_the_largest_that_holds_the_rate_with_a_reserve(rate_hz, chosen, measured):
    asked = []
    side = side_for_rate(list(TIMES), lambda side: asked.append(side.pixels) or TIMES[side.pixels], rate_hz)
    assert side.pixels == chosen
    assert asked == measured  # smaller ones need not be
    assert f"auto: the largest that holds {rate_hz} Hz, {900 / rate_hz:.1f} ms a pair at most" in side.reason
    assert side.reason.endswith("measured " + ", ".join(f"{s}: {TIMES[s]:.1f} ms" for s in measured))


def test_if_none_holds_it_is_the_smallest_and_says_so():
    side = side_for_rate(list(TIMES), lambda side: TIMES[side.pixels], 100)
    assert side.pixels == 120
    assert side.reason.startswith("auto: the smallest, but none holds 100 Hz, 9.0 ms a pair at most")


def test_a_side_of_auto_leaves_smaller_images_at_their_own_size():
    side = side_for_rate([240], lambda side: 1.0, 30)
    assert side.size((480, 640)) == (240, 320)
    assert side.size((100, 200)) is None


def test_the_median_is_of_calls_behind_the_first():
    calls = []
    assert median_ms(lambda: calls.append(len(calls))) >= 0
    assert len(calls) == FRAMES + 1


def test_one_slow_pair_is_not_the_time_of_a_pair(monkeypatch):
    """By a clock of its own: a first pair of 9 s that plans memory, six of 10 ms, and one of 1 s among them."""
    now_s, durations_s = [0.0], iter([9.0, 0.01, 0.01, 0.01, 1.0, 0.01, 0.01, 0.01])

    def run() -> None:
        now_s[0] += next(durations_s)

    monkeypatch.setattr(encoder_rate.time, "perf_counter", lambda: now_s[0])
    assert median_ms(run) == pytest.approx(10)
    assert next(durations_s, None) is None
