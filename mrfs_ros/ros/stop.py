"""SIGINT and SIGTERM, as a program wants to hear of them: by an exception at once, or by looking."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stop:
    """Handles both signals from the moment when it is made; ``asked`` says whether one came.

    As long as ``patient`` is False, a signal raises SystemExit(0) wherever the program is: in an import, in the
    loading of weights. That can hit code which swallows exceptions, or leaves things half done. A loop that looks at
    ``asked`` by itself sets ``patient``; only a second signal is an exception then, for a loop that hangs.
    """

    def __init__(self, *, patient: bool = False):
        self.asked = False
        self.patient = patient
        for number in SIGNALS:
            signal.signal(number, self._heard)

    @contextmanager
    def impatient(self) -> Iterator[None]:
        """A stretch of a patient program in which a signal is an exception at once."""
        if self.asked:
            raise SystemExit(0)
        self.patient, before = False, self.patient
        try:
            yield
        finally:
            self.patient = before

    def ignore_more(self) -> None:
        """Let no second signal disturb the end."""
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)

    def _heard(self, number: int, frame: object) -> None:
        again, self.asked = self.asked, True
        if again or not self.patient:
            raise SystemExit(0)
