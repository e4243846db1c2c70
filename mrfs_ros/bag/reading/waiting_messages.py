"""Messages that wait for their partner: in memory up to a limit, beyond it in a temporary file."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from tempfile import TemporaryFile

from mrfs_ros.bag.reading.records import Record

IN_MEMORY = 256 * 2**20  # bytes


class Waiting:
    """Records by key; those that ``put`` finds beyond ``limit`` bytes lie in a file until ``take``. Close it."""

    def __init__(self, limit: int = IN_MEMORY):
        self._limit = limit
        self._bytes = 0
        self._records: dict[Hashable, tuple[Record, int | None, int]] = {}
        self._file = None

    def __contains__(self, key: Hashable) -> bool:
        return key in self._records

    def put(self, key: Hashable, record: Record) -> None:
        size, place = len(record.raw), None
        if self._bytes + size > self._limit:
            self._file = self._file or TemporaryFile(prefix="mrfs_bag_")  # noqa: SIM115 - closed by close
            place = self._file.seek(0, 2)
            self._file.write(record.raw)
            record = replace(record, raw=b"")
        else:
            self._bytes += size
        self._records[key] = record, place, size

    def take(self, key: Hashable) -> Record:
        """The record of ``key``, which waits no more."""
        record, place, size = self._records.pop(key)
        if place is None:
            self._bytes -= size
            return record
        self._file.seek(place)
        return replace(record, raw=self._file.read(size))

    def close(self) -> None:
        if self._file:
            self._file.close()
