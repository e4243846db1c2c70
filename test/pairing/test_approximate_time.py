"""Pairing: the rule of message_filters, against a plain restatement of it and against message_filters itself."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrfs_ros.errors import ConfigError
from mrfs_ros.pairing.approximate_time import ApproximateTime

MS = 10**6


class PlainRule:
    """The rule as slowly as it reads: keep the latest stamps; take the nearest partner closer than slop."""

    def __init__(self, slop_ns: int, queue_size: int):
        self.slop_ns, self.queue_size = slop_ns, queue_size
        self.waiting: tuple[list, list] = ([], [])  # (stamp, message) in order of first arrival of the stamp

    def add(self, index, stamp, message):
        own, other = self.waiting[index], self.waiting[1 - index]
        places = [i for i, (s, _) in enumerate(own) if s == stamp]
        if places:
            own[places[0]] = (stamp, message)
        else:
            own.append((stamp, message))
        if len(own) > self.queue_size:
            own.remove(min(own, key=lambda item: item[0]))
        if stamp not in [s for s, _ in own]:
            return None
        near = sorted((abs(s - stamp), i) for i, (s, _) in enumerate(other) if abs(s - stamp) < self.slop_ns)
        if not near:
            return None
        partner = other.pop(near[0][1])
        own.remove((stamp, message))
        pair = (message, partner[1])
        return pair if index == 0 else pair[::-1]


streams = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 400)), max_size=60)
slops = st.sampled_from([1, 5, 20, 50, 1000])
sizes = st.integers(1, 6)


def run(rule, stream):
    return [rule.add(camera, stamp * MS, (camera, number)) for number, (camera, stamp) in enumerate(stream)]


@settings(max_examples=400)
@given(streams, slops, sizes)
def test_equals_the_plain_rule(stream, slop_ms, size):
    fast = ApproximateTime(slop_s=slop_ms / 1000, queue_size=size)
    assert run(fast, stream) == run(PlainRule(slop_ms * MS, size), stream)


@settings(max_examples=400, deadline=None)
@given(streams, slops, sizes)
def test_equals_message_filters(stream, slop_ms, size):
    pytest.importorskip("message_filters", reason="compares with message_filters, which only ROS installations have")
    from mrfs_ros.ros.message_filters_pairing import MessageFiltersPairing

    ours = ApproximateTime(slop_s=slop_ms / 1000, queue_size=size)
    theirs = MessageFiltersPairing(slop_s=slop_ms / 1000, queue_size=size)
    assert run(ours, stream) == run(theirs, stream)


@given(streams, slops, sizes)
def test_pairs_are_near_and_no_message_is_used_twice(stream, slop_ms, size):
    pairs = [pair for pair in run(ApproximateTime(slop_s=slop_ms / 1000, queue_size=size), stream) if pair]
    for rgb, thermal in pairs:
        assert (rgb[0], thermal[0]) == (0, 1)
        assert abs(stream[rgb[1]][1] - stream[thermal[1]][1]) < slop_ms
    used = [message for pair in pairs for message in pair]
    assert len(used) == len(set(used))


def test_a_gap_equal_to_slop_is_no_pair():
    rule = ApproximateTime(slop_s=0.02, queue_size=5)
    assert rule.add(0, 0, "rgb") is None
    assert rule.add(1, 20 * MS, "late") is None
    assert rule.add(1, 19 * MS, "in time") == ("rgb", "in time")


def test_drop_after_forgets_the_future_only():
    rule = ApproximateTime(slop_s=0.02, queue_size=5)
    rule.add(0, 0, "old")
    rule.add(0, 100 * MS, "future")
    rule.drop_after(50 * MS)
    assert rule.add(1, 100 * MS, "thermal") is None
    assert rule.add(1, 1 * MS, "thermal") == ("old", "thermal")


@pytest.mark.parametrize("arguments, text", [((0, 5), "slop_s"), ((-1, 5), "slop_s"), ((0.1, 0), "queue_size")])
def test_settings_that_never_pair_are_refused(arguments, text):
    with pytest.raises(ConfigError, match=text):
        ApproximateTime(slop_s=arguments[0], queue_size=arguments[1])


def test_one_input_can_be_forgotten():
    rule = ApproximateTime(slop_s=0.02, queue_size=5)
    rule.add(0, 0, "rgb")
    rule.add(1, 100 * MS, "thermal")
    rule.forget(1)
    assert rule.add(0, 100 * MS, "rgb later") is None
    assert rule.add(1, 1 * MS, "thermal") == ("rgb", "thermal")
