"""Pairs two streams by nearest stamp with the rule of message_filters' ApproximateTimeSynchronizer, without ROS."""

from __future__ import annotations

from typing import Any

from mrfs_ros.errors import ConfigError


class ApproximateTime:
    """Pairs messages of two inputs, 0 and 1, whose stamps differ by less than ``slop_s`` (strictly).

    Greedy by arrival: a new message takes the nearest waiting stamp of the other input (the one that came first
    among equals). Each input keeps its ``queue_size`` latest stamps; a repeated stamp replaces its message.
    """

    def __init__(self, *, slop_s: float, queue_size: int):
        if slop_s <= 0:
            raise ConfigError(f"slop_s: expected more than 0 (the test is strict), got {slop_s}")
        if queue_size < 1:
            raise ConfigError(f"queue_size: expected at least 1, got {queue_size}")
        self._slop_ns = int(slop_s * 1e9)
        self._queue_size = queue_size
        self._queues: tuple[dict[int, Any], dict[int, Any]] = ({}, {})

    def add(self, index: int, stamp_ns: int, message: Any) -> tuple[Any, Any] | None:
        """Take ``message`` of input ``index``; return the pair (of input 0, of input 1) that it completes, if any."""
        own, other = self._queues[index], self._queues[1 - index]
        own[stamp_ns] = message
        while len(own) > self._queue_size:
            del own[min(own)]
        nearest = min(other, key=lambda stamp: abs(stamp - stamp_ns), default=None)
        if nearest is None or abs(nearest - stamp_ns) >= self._slop_ns or stamp_ns not in own:
            return None
        pair = own.pop(stamp_ns), other.pop(nearest)
        return pair if index == 0 else pair[::-1]

    def forget(self, index: int) -> None:
        """Forget what waits of input ``index``."""
        self._queues[index].clear()

    def drop_after(self, stamp_ns: int) -> None:
        """Forget what waits with stamps later than ``stamp_ns``, of both inputs: after a backward jump of the clock."""
        for queue in self._queues:
            for stamp in [stamp for stamp in queue if stamp > stamp_ns]:
                del queue[stamp]
