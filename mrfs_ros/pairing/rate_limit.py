"""A limit of the rate of pairs, by their stamps."""

from __future__ import annotations

JITTER = 0.2  # of the period: so much early or late a pair may be without a change of the schedule
JUMP_NS = 200_000_000  # stamps that fall back further than this begin anew


class RateLimit:
    """Lets pairs pass at ``max_rate_hz`` at most in the mean, each a period, less the jitter, after the one before.

    A pair passes when one is due, by a schedule of which each pass makes the next entry a period later. By distances
    alone, a camera of 30 Hz whose stamps jitter would give 8 Hz where 10 are allowed.
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
        jitter_ns = JITTER * period_ns
        if self._last_ns is None or stamp_ns < self._last_ns - JUMP_NS:
            self._due_ns = stamp_ns
        else:
            self._due_ns = min(self._due_ns, self._last_ns + period_ns + jitter_ns)  # the limit was lower before
            if stamp_ns < max(self._due_ns, self._last_ns + period_ns) - jitter_ns:
                return False
        self._due_ns, self._last_ns = max(self._due_ns, stamp_ns - jitter_ns) + period_ns, stamp_ns
        return True
