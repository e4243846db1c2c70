"""Rates, drops and latencies against numbers worked out by hand."""

from __future__ import annotations

import pytest

from mrfs_ros.ros.statistics import RateMeter, Statistics

S = 10**9


def test_rate_is_events_over_their_span():
    meter = RateMeter()
    assert meter.rate_hz() == 0.0
    for i in range(11):
        meter.note(100 * S + i * S // 10)
    assert meter.rate_hz() == pytest.approx(10.0)
    assert meter.count == 11


def test_old_events_leave_the_window():
    meter = RateMeter()
    for i in range(10):
        meter.note(i * S // 2)
    assert meter.rate_hz(now_ns=5 * S) == pytest.approx(2.0)
    assert meter.rate_hz(now_ns=60 * S) == 0.0


def test_a_clock_that_jumps_back_starts_anew_and_keeps_the_count():
    meter = RateMeter()
    for i in range(5):
        meter.note(1000 * S + i * S)
    for i in range(5):
        meter.note(i * S // 4)
    assert meter.rate_hz() == pytest.approx(4.0)
    assert meter.count == 10


def test_events_at_one_time_are_no_rate():
    meter = RateMeter()
    meter.note(5)
    meter.note(5)
    assert meter.rate_hz() == 0.0


def test_drops_are_counted_by_reason():
    statistics = Statistics()
    assert [statistics.drop("step"), statistics.drop("step"), statistics.drop("too_old")] == [1, 2, 1]
    assert statistics.drops() == {"step": 2, "too_old": 1}


def test_latency_quantiles():
    statistics = Statistics()
    assert statistics.latency_ms(0.5) == 0.0
    for milliseconds in range(100, 0, -1):
        statistics.note_latency(milliseconds)
    assert (statistics.latency_ms(0.5), statistics.latency_ms(0.95)) == (51, 96)
    assert statistics.latency_ms(1.0) == 100


def test_the_rate_is_that_of_the_last_five_seconds():
    meter = RateMeter()
    for i in range(100):
        meter.note(i * S // 10 if i < 50 else 5 * S + (i - 50) * S // 2)
    assert meter.rate_hz() == pytest.approx(2.0)  # 10 Hz until 24.5 s ago


def test_latencies_are_those_of_the_last_300():
    statistics = Statistics()
    for milliseconds in (*[1000] * 300, *range(300)):
        statistics.note_latency(milliseconds)
    assert (statistics.latency_ms(0.0), statistics.latency_ms(1.0)) == (0, 299)


def test_images_counted_together_came_one_by_one():
    """Four within a second: of those in the window of five, half a second is left."""
    meter = RateMeter()
    meter.note(0)
    meter.note_several(4, 10**9)
    assert meter.count == 5
    assert meter.rate_hz(10**9) == pytest.approx(4)
    assert meter.rate_hz(5_500_000_000) == pytest.approx(4)
