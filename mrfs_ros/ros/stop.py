"""SIGINT and SIGTERM, as a program wants to hear of them: by an exception at once, or by looking."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)
IMPORT_CHECK_S = 0.02


class Stop:
    """Handles both signals from the moment when it is made; ``asked`` says whether one came.

    As long as ``patient`` is False, a signal raises SystemExit(0) wherever the program is, such as in the loading of
    weights. That can hit code which swallows exceptions, or leaves things half done. Where a module is being imported
    it is raised when that is done: native code that imports others, as PyTorch's does, ends the process by abort() for
    an exception. A loop that looks at ``asked`` by itself sets ``patient``; only a second signal is an exception at
    once then, for a loop or an import that hangs.
    """

    def __init__(self, *, patient: bool = False):
        self.asked = False
        self.patient = patient
        for number in SIGNALS:
            signal.signal(number, self._heard)
        signal.signal(signal.SIGALRM, self._look_again)

    @contextmanager
    def impatient(self) -> Iterator[None]:
        """A stretch of a patient program in which a signal is an exception at once.

        Where native code has answered it by an exception of its own, that becomes SystemExit(0) again.
        """
        if self.asked:
            raise SystemExit(0)
        self.patient, before = False, self.patient
        try:
            yield
        except Exception:
            if self.asked:
                raise SystemExit(0) from None
            raise
        finally:
            self.patient = before

    def ignore_more(self) -> None:
        """Let no second signal disturb the end."""
        for number in (*SIGNALS, signal.SIGALRM):
            signal.signal(number, signal.SIG_IGN)

    def _heard(self, number: int, frame: FrameType | None) -> None:
        again, self.asked = self.asked, True
        if again:
            raise SystemExit(0)
        self._look_again(number, frame)

    def _look_again(self, number: int, frame: FrameType | None) -> None:
        if self.patient:
            return
        if not _imports(frame):
            raise SystemExit(0)
        signal.setitimer(signal.ITIMER_REAL, IMPORT_CHECK_S)


def _imports(frame: FrameType | None) -> bool:
    """Is a module being imported, by whatever ``frame`` was called from?"""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib."):
            return True
        frame = frame.f_back
    return False
