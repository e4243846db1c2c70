"""Rest of the inputs: while nobody listens, a thread counts images instead of rclpy's executor, which costs more."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from rclpy.subscription import Subscription

SILENCE_S = 1.0  # of a camera; then the executor listens, to events too, such as a QoS that does not fit
PERIOD_S = 0.01, 0.1  # shortest and longest, between two looks at the topics
MOST = 1000  # messages at a time, whatever the QoS keeps


class PausableGroup(CallbackGroup):
    """A callback group like ``group``, with which it shares its exclusions, whose callbacks can be ``paused``.

    All of them: in rmw_fastrtps, waiting for the events of a subscription is woken by its messages.
    """

    def __init__(self, group: CallbackGroup):
        super().__init__()
        self._group = group
        self.paused = False

    def add_entity(self, entity: Any) -> None:
        super().add_entity(entity)
        self._group.add_entity(entity)

    def can_execute(self, entity: Any) -> bool:
        return not self.paused and self._group.can_execute(entity)

    def beginning_execution(self, entity: Any) -> bool:
        return self._group.beginning_execution(entity)

    def ending_execution(self, entity: Any) -> None:
        self._group.ending_execution(entity)


class Rest(threading.Thread):
    """From ``begin`` on, until ``is_over()`` or a camera is silent, takes messages of ``group``'s subscriptions itself.

    ``counted``: subscriptions, with how much the middleware keeps for each; their messages are dropped, undecoded, and
    ``on_count(index, count)`` told. Messages of ``kept`` go to their callbacks. What waits when the rest is over is
    left to the executor: it is the first to be used.
    """

    def __init__(
        self,
        node: Node,
        group: PausableGroup,
        *,
        counted: list[tuple[Subscription, int]],
        kept: list[Subscription],
        on_count: Callable[[int, int], None],
        is_over: Callable[[], bool],
    ):
        super().__init__(name="mrfs rest", daemon=True)
        self._node, self._group = node, group
        self._counted, self._kept = counted, kept
        self._on_count, self._is_over = on_count, is_over
        self._resting, self._stopped = threading.Event(), threading.Event()

    def begin(self) -> None:
        """Let the executor leave the subscriptions alone."""
        self._group.paused = True
        self._resting.set()

    def stop(self) -> None:
        """End the thread; the subscriptions can be destroyed then."""
        self._stopped.set()
        self._resting.set()
        self.join()

    def run(self) -> None:
        while self._resting.wait() and not self._stopped.is_set():
            self._rest()

    def _rest(self) -> None:
        shortest_s, longest_s = PERIOD_S
        period_s, begin_s = longest_s, time.monotonic()
        self._last_s = [begin_s] * len(self._counted)
        while not self._stopped.wait(period_s):
            if self._is_over() or time.monotonic() - min(self._last_s) > SILENCE_S:
                self._resting.clear()
                self._group.paused = False
                if (executor := self._node.executor) is not None:
                    executor.wake()
                return
            full = [self._count(index) >= depth for index, (_, depth) in enumerate(self._counted)]
            for subscription in self._kept:
                for message in _waiting(subscription):
                    subscription.callback(message)
            # Where more may have come than is kept, look more often.
            period_s = max(period_s / 2, shortest_s) if any(full) else min(2 * period_s, longest_s)

    def _count(self, index: int) -> int:
        count = _drop_waiting(self._counted[index][0])
        if count:
            self._last_s[index] = time.monotonic()
            self._on_count(index, count)
        return count


def _waiting(subscription: Subscription) -> Iterator[Any]:
    """The messages that the middleware keeps for a subscription."""
    for _ in range(MOST):
        with subscription.handle:
            taken = subscription.handle.take_message(subscription.msg_type, False)
        if taken is None:
            return
        yield taken[0]


def _drop_waiting(subscription: Subscription) -> int:
    """Drop those messages, undecoded; return how many they were."""
    with subscription.handle:  # each in the place of the one before, which is in the processor's cache
        for count in range(MOST):
            if subscription.handle.take_message(subscription.msg_type, True) is None:
                return count
    return MOST
