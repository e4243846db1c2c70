"""An SQLite database whose file was cut off, opened all the same: SQLite refuses one that is shorter than it says."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def open_cut_database(path: Path) -> Iterator[Any]:
    """A read-only connection in which the missing end of the file is zeros; apsw.Error or struct.error if it is none.

    What lies on missing pages raises apsw.Error when it is read.
    """
    import apsw  # comes with rosbags

    with path.open("rb") as file:
        header = file.read(100)
    (page_size,) = struct.unpack_from(">H", header, 16)
    (pages,) = struct.unpack_from(">I", header, 28)
    size = max(path.stat().st_size, pages * (65536 if page_size == 1 else page_size))
    name = f"cut {path}"
    storage = _storage(path, size)(name, "")  # must live as long as the connection
    database = apsw.Connection(
        f"{path.resolve().as_uri()}?immutable=1",
        flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI,
        vfs=name,
    )
    try:
        yield database
    finally:
        database.close()
        storage.unregister()


def _storage(path: Path, size: int) -> type:
    """What SQLite reads ``path`` through, as if it had ``size`` bytes; with immutable=1 it asks for nothing else."""
    import apsw

    class File(apsw.VFSFile):
        def __init__(self) -> None:
            self._file = path.open("rb")

        def xDeviceCharacteristics(self) -> int:
            return 0

        def xSectorSize(self) -> int:
            return 0

        def xFileControl(self, op: int, pointer: int) -> bool:
            return False

        def xFileSize(self) -> int:
            return size

        def xRead(self, amount: int, offset: int) -> bytes:
            self._file.seek(offset)
            return self._file.read(amount).ljust(amount, b"\0")

        def xClose(self) -> None:
            self._file.close()

    class Storage(apsw.VFS):
        def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:
            return File()

    return Storage
