"""Atomic writing of files, whole or not at all, also after a kill or a power cut; folders for results."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mrfs_ros.errors import ConfigError


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """A path to write to, in the same folder; what is written there replaces ``path`` when the block ends well.

    Args:
        path: the file to make or to replace.

    Yields:
        ``path`` with ".unfinished" appended. What an error or a kill leaves there is overwritten by the next try.

    Raises:
        OSError: the file cannot be brought to the disk, or not put in its place.

    Example:
        >>> with atomic("scores.json") as unfinished:
        ...     _ = unfinished.write_text("{}")
        >>> Path("scores.json").read_text()
        '{}'
    """
    path = Path(path)
    unfinished = path.with_name(f"{path.name}.unfinished")
    yield unfinished
    _to_disk(unfinished)  # before the new name is: after a power cut a file of that name must not be empty
    unfinished.replace(path)
    _to_disk(path.parent)


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8, whole or not at all; OSError if it cannot be."""
    with atomic(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8", newline="")


def write_csv(path: Path, rows: Iterable[Sequence[Any]]) -> None:
    """Write rows, the first of them the names of the columns, as CSV, whole or not at all; OSError if it cannot be."""
    table = io.StringIO()
    csv.writer(table).writerows(rows)
    write_text(path, table.getvalue())


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def made_folder(path: Path) -> Path:
    """The folder, made if missing; ConfigError if it cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be made ({error.strerror}): choose another folder") from error
    return path
