"""SQLite's write-ahead log beside a bag whose recorder was killed: joined with a copy of the database, for reading."""

from __future__ import annotations

import shutil
import sqlite3
import struct
from contextlib import closing, suppress
from pathlib import Path

from mrfs_ros.errors import ConfigError

SUFFIX = "-wal"
_HEADER, _FRAME_HEADER = 32, 24
_MAGICS = (0x377F0682, 0x377F0683)


def log_of(file: Path) -> Path | None:
    """The log beside a .db3 file, if there is one with something in it."""
    log = file.with_name(file.name + SUFFIX)
    return log if file.suffix == ".db3" and log.is_file() and log.stat().st_size else None


def joined(file: Path, folder: Path, notes: list[str], damage: list[str]) -> Path:
    """A copy of the database ``file`` in ``folder`` that holds what its log adds; file and log are left as they are.

    ``notes`` gets how many messages lay in the log, ``damage`` what of it cannot be read. ``folder`` needs the space of
    both. ConfigError when they change meanwhile, or cannot be copied.
    """
    log, copy = file.with_name(file.name + SUFFIX), folder / file.name
    looks = [(each.stat().st_size, each.stat().st_mtime_ns) for each in (file, log)]
    try:
        shutil.copyfile(file, copy)
        shutil.copyfile(log, copy.with_name(log.name))
    except OSError as error:
        raise ConfigError(f"{file}: cannot be copied to {folder}: {error.strerror or error}") from error
    if looks != [(each.stat().st_size, each.stat().st_mtime_ns) for each in (file, log)]:
        raise ConfigError(f"{file}: is being written to: end the recording first")
    before, written = _messages(copy, immutable=True), _frames(log)
    try:
        with closing(sqlite3.connect(copy)) as database:
            taken = max(database.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()[1], 0)
            database.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as error:
        damage.append(f"{log.name}: cannot be read ({error}): its messages are lost")
        return file
    after = _messages(copy)
    notes.append(
        f"{log.name}: {after - before} of {after} messages lay in this write-ahead log, as a recorder that was killed "
        "leaves it: read with it from a copy"
    )
    if written is None:
        damage.append(f"{log.name}: is no write-ahead log that can be read: its messages are lost")
    elif taken < written:
        damage.append(
            f"{log.name}: the last {written - taken} of {written} pages are damaged or of a transaction that never "
            "ended: their messages are lost"
        )
    return copy


def _frames(log: Path) -> int | None:
    """How many pages were written to the log since it was begun, whole or not; None if it is none."""
    with log.open("rb") as file:
        head = file.read(_HEADER)
        if len(head) < _HEADER or struct.unpack_from(">I", head)[0] not in _MAGICS:
            return None
        size, salts, count = struct.unpack_from(">I", head, 8)[0], head[16:24], 0
        while frame := file.read(_FRAME_HEADER):
            if len(frame) == _FRAME_HEADER and frame[8:16] != salts:
                break  # of the time before the log was begun anew
            count += 1
            file.seek(size, 1)
    return count


def _messages(file: Path, immutable: bool = False) -> int:
    """How many messages the database holds; ``immutable``: without its log."""
    with (
        suppress(sqlite3.Error),
        closing(
            sqlite3.connect(f"{file.resolve().as_uri()}?{'immutable=1' if immutable else 'mode=ro'}", uri=True)
        ) as database,
    ):
        return database.execute("SELECT count(*) FROM messages").fetchone()[0]
    return 0
