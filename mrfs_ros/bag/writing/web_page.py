"""The web page of a run: small pictures while it goes on, the page itself at its end."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from mrfs_ros.bag.frame import Frame
from mrfs_ros.bag.journal import Entry
from mrfs_ros.bag.writing.page_text import check_packages, write_report
from mrfs_ros.bag.writing.result_writer import working_path
from mrfs_ros.bag.writing.thumbnails import Thumbnails
from mrfs_ros.types import ClassSet


class ReportSink:
    """``entries`` and ``facts`` are asked by ``finish``: all entries of the journal, and the head of the page.

    ``notice``: printed on the pictures and, in words that cannot be missed, at the top.
    """

    def __init__(
        self,
        target: Path,
        classes: ClassSet,
        notice: str = "",
        *,
        entries: Callable[[], Iterable[Entry]],
        facts: Callable[[], Mapping[str, str]],
    ):
        check_packages()
        self.target = target
        self._classes = classes
        self._notice = notice
        self._entries = entries
        self._facts = facts
        self._folder = working_path(target)
        self._thumbnails = Thumbnails(self._folder, classes, notice)
        self._new: list[Path] = []

    def resume(self, frames: int) -> None:
        self._thumbnails.resume(frames)

    def encode(self, frame: Frame) -> None:
        """Nothing: few frames need a picture, and only ``write`` knows which."""

    def write(self, frame: Frame, encoded: None) -> None:
        if path := self._thumbnails.add(frame):
            self._new.append(path)

    def flush(self) -> list[Path]:
        new, self._new = self._new, []
        return new

    def close(self) -> None:
        """No file is open between frames."""

    def finish(self) -> None:
        """Write the page."""
        pictures = self._thumbnails.pictures()
        write_report(self.target, self._entries(), pictures, self._classes, self._facts(), self._notice)
        shutil.rmtree(self._folder)
