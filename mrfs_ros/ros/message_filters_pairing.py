"""message_filters' synchronizer behind the interface of ``ApproximateTime``, where ROS has it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from rclpy.time import Time

from mrfs_ros.pairing.approximate_time import ApproximateTime

_SHIFT_NS = 60 * 10**9


class MessageFiltersPairing:
    """See ``ApproximateTime``; the pairs are found by message_filters.ApproximateTimeSynchronizer."""

    def __init__(self, *, slop_s: float, queue_size: int):
        from message_filters import ApproximateTimeSynchronizer, SimpleFilter

        self._inputs = (SimpleFilter(), SimpleFilter())
        # Keywords only: the fourth positional argument differs between distributions.
        self._synchronizer = ApproximateTimeSynchronizer(fs=list(self._inputs), queue_size=queue_size, slop=slop_s)
        self._synchronizer.registerCallback(self._on_pair)
        self._pair: tuple[Any, Any] | None = None

    def _on_pair(self, first: SimpleNamespace, second: SimpleNamespace) -> None:
        self._pair = first.message, second.message  # called under the synchronizer's lock: only store

    def add(self, index: int, stamp_ns: int, message: Any) -> tuple[Any, Any] | None:
        """Take ``message`` of input ``index``; return the pair that it completes, if any."""
        self._pair = None
        # An envelope, because stamp_ns may differ from the message's own stamp (thermal_time_offset_s), and shifted,
        # because that may make it negative, which Time does not take.
        stamp = Time(nanoseconds=stamp_ns + _SHIFT_NS).to_msg()
        self._inputs[index].signalMessage(SimpleNamespace(header=SimpleNamespace(stamp=stamp), message=message))
        return self._pair

    def forget(self, index: int) -> None:
        """Forget what waits of input ``index``."""
        self._synchronizer.queues[index].clear()

    def drop_after(self, stamp_ns: int) -> None:
        """Forget what waits with stamps later than ``stamp_ns``, of both inputs."""
        for queue in self._synchronizer.queues:
            for stamp in [stamp for stamp in queue if stamp > stamp_ns + _SHIFT_NS]:
                del queue[stamp]


def pairing_kind() -> type[ApproximateTime] | type[MessageFiltersPairing]:
    """message_filters' pairing where it is installed, the package's own of the same rule elsewhere."""
    try:
        import message_filters  # noqa: F401
    except ImportError:
        return ApproximateTime
    return MessageFiltersPairing
