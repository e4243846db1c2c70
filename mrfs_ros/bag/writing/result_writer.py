"""Interface of all kinds of result: frames in, one file or folder out, on the disk whenever the run asks for it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

from mrfs_ros.bag.frame import Frame

PARTIAL = ".partial"


class Sink(Protocol):
    """Writes frames to files below ``working_path(target)`` until ``finish`` moves the whole to ``target``.

    A file there may grow, and is never changed otherwise: a run that goes on cuts it where the journal says.
    """

    target: Path | None

    def resume(self, frames: int) -> None:
        """Get ready to write to new files; those in the working folder hold the first ``frames`` frames, no more."""

    def encode(self, frame: Frame) -> Any:
        """The costly part of writing, called by several threads at once, in any order."""

    def write(self, frame: Frame, encoded: Any) -> None:
        """Write a frame, in order."""

    def flush(self) -> Iterable[Path]:
        """Hand everything to the operating system; the files that have something new since the last call."""

    def close(self) -> None:
        """Let go of files; what was written stays for ``resume``."""

    def finish(self) -> None:
        """Complete the result and move it to ``target``."""


def working_path(target: Path) -> Path:
    """Where the unfinished result lies: beside ``target``, so that moving it there is one step."""
    return target.with_name(target.name + PARTIAL)


def cut_files(folder: Path, sizes: dict[str, int]) -> None:
    """Leave of a working folder's files what counts: ``sizes`` [bytes] by path in it."""
    for path in sorted(folder.rglob("*"), reverse=True):  # what lies in a folder before it
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()):
                path.rmdir()
        elif (size := sizes.get(str(path.relative_to(folder)))) is None:
            path.unlink()
        elif path.stat().st_size > size:
            with path.open("r+b") as file:
                file.truncate(size)
