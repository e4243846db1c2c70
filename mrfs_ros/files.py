"""Atomic writing of files that survive a kill and a power cut; a lock for one process at a time; folders."""

from __future__ import annotations

import csv
import fcntl
import io
import os
import socket
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mrfs_ros.errors import ConfigError, MrfsError

_AT_ONCE = 16  # files brought to the disk together: its journal takes them in one go


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
    move(unfinished, path)


def move(path: Path, target: Path) -> None:
    """Give a file or folder that is whole and on the disk its name, so that the name is there after a power cut."""
    path.replace(target)
    _to_disk(target.parent)


def to_disk(paths: Iterable[Path], below: Path) -> None:
    """Bring files to the disk, with their names in the folders down to ``below``; OSError if that cannot be done."""
    files = list(paths)
    if not files:
        return
    folders = {parent for file in files for parent in file.parents if below in (parent, *parent.parents)}
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(_to_disk, files))
        list(pool.map(_to_disk, folders))


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


@contextmanager
def lock(path: Path, wait_s: float, what: str) -> Iterator[None]:
    """Hold the lock file ``path``, also against processes of other machines where the file system has locks.

    Args:
        path: the file to make; it names host and process, and goes in the end. Folders above it are made.
        wait_s: how long to wait for another process.
        what: what a holder does, for the error.

    Raises:
        MrfsError: another process holds it for longer than that.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + wait_s
    while True:
        with path.open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > until:
                    file.seek(0)
                    raise MrfsError(
                        f"{path}: another process {what} ({file.read().strip()}): try again when it has ended"
                    ) from None
                time.sleep(0.1)
                continue
            except OSError:  # a file system without locks
                pass
            if not _is(file.fileno(), path):
                continue  # whoever held it has removed it
            file.truncate(0)
            file.write(f"{socket.gethostname()} {os.getpid()}\n")
            file.flush()
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
            return


def _is(descriptor: int, path: Path) -> bool:
    try:
        return path.stat().st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False


def made_folder(path: Path) -> Path:
    """The folder, made if missing; ConfigError if it cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be made ({error.strerror}): choose another folder") from error
    return path
