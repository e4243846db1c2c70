"""Counts, rates and latencies of a running node, safe to read and write from several threads."""

from __future__ import annotations

import threading
from collections import Counter, deque

WINDOW_S = 5.0


class RateMeter:
    """Events per second over the last five seconds of whatever clock the times come from."""

    def __init__(self) -> None:
        self.count = 0
        self._times_ns: deque[int] = deque(maxlen=1000)
        self._lock = threading.Lock()

    def note(self, time_ns: int) -> None:
        """Count an event at ``time_ns``; a time before the last one (a clock that jumped) starts the window anew."""
        with self._lock:
            if self._times_ns and time_ns < self._times_ns[-1]:
                self._times_ns.clear()
            self._times_ns.append(time_ns)
            self.count += 1

    def note_several(self, count: int, time_ns: int) -> None:
        """Count ``count`` events that came one by one since the last one, and until ``time_ns``."""
        begin_ns = self._times_ns[-1] if self._times_ns else time_ns
        for number in range(1, count + 1):
            self.note(begin_ns + (time_ns - begin_ns) * number // count)

    def rate_hz(self, now_ns: int | None = None) -> float:
        """Rate at ``now_ns`` (default: at the last event); 0 with fewer than two events in the window."""
        with self._lock:
            times = list(self._times_ns)
        if not times:
            return 0.0
        now_ns = times[-1] if now_ns is None else now_ns
        recent = [t for t in times if 0 <= now_ns - t <= WINDOW_S * 1e9]
        return (len(recent) - 1) * 1e9 / (recent[-1] - recent[0]) if len(recent) > 1 and recent[-1] > recent[0] else 0.0


class Statistics:
    """What the node's diagnostics report."""

    def __init__(self) -> None:
        self.inputs = (RateMeter(), RateMeter())  # arrivals, by camera
        self.pairs = RateMeter()
        self.outputs = RateMeter()  # publications, by the node's clock
        self.output_stamps = RateMeter()  # publications, by their stamps
        self.age_s = 0.0  # node's clock minus stamp of the last output
        self.last_failure_s = float("-inf")  # of the engine, steady clock
        self._drops: Counter[str] = Counter()
        self._latencies_ms: deque[float] = deque(maxlen=300)
        self._lock = threading.Lock()

    def drop(self, reason: str) -> int:
        """Count an image or pair that was not used; return how many went that way so far."""
        with self._lock:
            self._drops[reason] += 1
            return self._drops[reason]

    def drops(self) -> dict[str, int]:
        """Unused images and pairs by reason."""
        with self._lock:
            return dict(self._drops)

    def note_latency(self, milliseconds: float) -> None:
        """Time from the completion of a pair to the publication of its results."""
        with self._lock:
            self._latencies_ms.append(milliseconds)

    def latency_ms(self, quantile: float) -> float:
        """Quantile (0 to 1) of the last 300 latencies; 0 before the first."""
        with self._lock:
            ordered = sorted(self._latencies_ms)
        return ordered[min(int(quantile * len(ordered)), len(ordered) - 1)] if ordered else 0.0
