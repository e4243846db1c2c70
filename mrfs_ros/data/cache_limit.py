"""Limit of the memory that the decoded pairs of several datasets may take together."""

from __future__ import annotations

import math
import threading


class CacheLimit:
    """``total`` bytes, given out until they are used up; safe between threads. Forked processes go on with a copy."""

    def __init__(self, total: float = math.inf):
        self.total, self._used = total, 0
        self._lock = threading.Lock()

    def take(self, size: int) -> bool:
        """Whether ``size`` bytes more may be kept; if so they count from now on."""
        with self._lock:
            if self._used + size > self.total:
                return False
            self._used += size
            return True
