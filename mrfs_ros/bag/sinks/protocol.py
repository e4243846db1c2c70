"""What every kind of result promises, so that a run that was killed can go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from mrfs_ros.bag.frame import Frame

PARTIAL = ".partial"


class Sink(Protocol):
    """Writes frames below ``working_path(target)`` until ``finish`` moves the whole to ``target``."""

    target: Path

    def resume(self, frames: int) -> None:
        """Get ready to write; keep exactly the first ``frames`` frames that an earlier, killed run wrote."""

    def encode(self, frame: Frame) -> Any:
        """The costly part of writing, called by several threads at once, in any order."""

    def write(self, frame: Frame, encoded: Any) -> None:
        """Write a frame, in order; once this returns, it survives the end of the process."""

    def close(self) -> None:
        """Let go of files; what was written stays for ``resume``."""

    def finish(self) -> None:
        """Complete the result and move it to ``target``."""


def working_path(target: Path) -> Path:
    """Where the unfinished result lies: beside ``target``, so that moving it there is one step."""
    return target.with_name(target.name + PARTIAL)


def begin_anew(target: Path) -> str:
    """What to do where an unfinished result cannot be gone on with."""
    return f"remove everything that begins with {working_path(target)} to begin anew"
