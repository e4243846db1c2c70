"""A limit of the rate of pairs, by their stamps."""

from __future__ import annotations

JITTER = 0.1  # of the period: so much early a pair passes, and makes the next due so much later
JUMP_NS = 200_000_000  # stamps that fall back further than this begin anew


class RateLimit:
    """Lets pairs pass at ``max_rate_hz`` in the mean at most: the generic cell rate algorithm (ITU-T I.371).

    A pair passes when it is due, or a little earlier, and makes the next due a period later than it was due itself. A
    limit by the distance of pairs alone would make 7.5 Hz instead of 10 of a camera of 30 Hz whose stamps jitter.
    """

    def __init__(self) -> None:
        self._due_ns = 0.0
        self._last_ns: int | None = None  # stamp of the last that passed

    def passes(self, stamp_ns: int, max_rate_hz: float) -> bool:
        """Is the pair of ``stamp_ns`` one to go on with? ``max_rate_hz`` 0 = no limit."""
        if not max_rate_hz:
            self._last_ns = None
            return True
        period_ns = 1e9 / max_rate_hz
        early_ns = JITTER * period_ns
        if self._last_ns is None or stamp_ns < self._last_ns - JUMP_NS:
            due_ns = stamp_ns
        else:  # the second where the limit was lower a moment ago
            due_ns = min(self._due_ns, self._last_ns + period_ns + early_ns)
        if stamp_ns < due_ns - early_ns:
            return False
        self._due_ns, self._last_ns = max(due_ns, stamp_ns) + period_ns, stamp_ns
        return True
