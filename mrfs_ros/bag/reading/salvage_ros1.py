"""Salvage of damaged ROS 1 bags: chunk by chunk, with what the indexes still say about them."""

from __future__ import annotations

import bz2
import struct
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from mrfs_ros.bag.reading.records import Channel, Record, told_losses

_MAGIC = b"#ROSBAG V2.0\n"
_LARGEST_RECORD = 2**31
_MESSAGE, _HEADER, _INDEX, _CHUNK, _CHUNK_INFO, _CONNECTION = b"\x02", b"\x03", b"\x04", b"\x05", b"\x06", b"\x07"
_Fields = dict[bytes, bytes]


@dataclass
class Ros1Index:
    """What the end of a bag says. ``start``: where it lies, 0 = the bag was never closed. ``counts``: by connection.

    ``whole``: it has as many connections and chunks as the beginning of the file says.
    """

    start: int = 0
    whole: bool = False
    channels: dict[int, Channel] = field(default_factory=dict)
    chunk_starts: list[int] = field(default_factory=list)
    counts: dict[int, int] = field(default_factory=dict)


def read_ros1_index(path: Path) -> Ros1Index:
    """As much of it as can be read."""
    index = Ros1Index()
    try:
        with path.open("rb") as file:
            file.seek(len(_MAGIC))
            fields, _ = _record(file) or ({}, b"")
            expected = struct.unpack("<II", fields[b"conn_count"] + fields[b"chunk_count"])
            (index.start,) = struct.unpack("<Q", fields[b"index_pos"])
            file.seek(index.start)
            while index.start and (record := _record(file)) is not None:
                fields, data = record
                if fields[b"op"] == _CONNECTION:
                    (number,) = struct.unpack("<I", fields[b"conn"])
                    index.channels[number] = _channel(fields, data)
                elif fields[b"op"] == _CHUNK_INFO:
                    index.chunk_starts += struct.unpack("<Q", fields[b"chunk_pos"])
                    for number, count in struct.iter_unpack("<II", data):
                        index.counts[number] = index.counts.get(number, 0) + count
            index.whole = expected == (len(index.channels), len(index.chunk_starts))
    except Exception:  # whatever damaged bytes make the decoders raise
        pass
    index.chunk_starts.sort()
    return index


def salvage_ros1(path: Path, damage: list[str]) -> Iterator[Record]:
    """Every message that can be read, in the order of the file."""
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            damage.append(f"{path.name}: does not begin as a ROS 1 bag (version 2.0) does")
            return
    walk = _Walk(path, read_ros1_index(path))
    yield from walk.records()
    damage.extend(walk.damage())


def first_channels(path: Path, messages: int) -> dict[int, Channel]:
    """Channels by connection as the first ``messages`` of the file name them, not its end."""
    walk = _Walk(path, Ros1Index())
    for _ in islice(walk.records(), messages):
        pass
    return walk.channels


class _Walk:
    """One way through a file; counts what is lost. ``channels``: those met so far."""

    def __init__(self, path: Path, index: Ros1Index):
        self._path = path
        self._index = index
        self.channels = dict(index.channels)
        self._cut_at: int | None = None
        self._bad_chunks = self._hurt_chunks = self._gaps = self._unknown = 0

    def damage(self) -> list[str]:
        return told_losses(self._path, self._cut_at, self._bad_chunks, self._hurt_chunks, self._gaps, self._unknown)

    def records(self) -> Iterator[Record]:
        chunk: bytes | None = None  # waits for its index, which follows it
        offsets: list[int] = []
        with self._path.open("rb") as file:
            for fields, data in self._outer(file):
                if fields[b"op"] == _INDEX and chunk is not None:
                    offsets += _offsets(data)
                    continue
                if chunk is not None:
                    yield from self._messages(chunk, sorted(set(offsets)))
                chunk, offsets = None, []
                if fields[b"op"] == _CHUNK:
                    try:
                        chunk = _unpacked(fields[b"compression"], data)
                    except Exception:  # whatever damaged bytes make the decoders raise
                        self._bad_chunks += 1
        if chunk is not None:
            yield from self._messages(chunk, sorted(set(offsets)))

    def _outer(self, file: BinaryIO) -> Iterator[tuple[_Fields, bytes]]:
        """Records outside of chunks; where one makes no sense, on to the next chunk that the index names."""
        position = len(_MAGIC)
        while True:
            file.seek(position)
            try:
                record = _record(file)
                if record is None:
                    if position < self._index.start:
                        self._cut_at = position
                    return
                if record[0].get(b"op") not in (_HEADER, _INDEX, _CHUNK, _CHUNK_INFO, _CONNECTION):
                    raise ValueError("no record")
            except (EOFError, struct.error, ValueError):
                following = bisect_right(self._index.chunk_starts, position)
                if following == len(self._index.chunk_starts):
                    self._cut_at = position
                    return
                self._gaps += 1
                position = self._index.chunk_starts[following]
                continue
            position = file.tell()
            yield record

    def _messages(self, chunk: bytes, offsets: list[int]) -> Iterator[Record]:
        """Messages of a chunk; where a record makes no sense, on to the next message that the index names."""
        from io import BytesIO

        file = BytesIO(chunk)
        position = found = 0
        hurt = False
        while position < len(chunk):
            file.seek(position)
            message = None
            try:
                fields, data = _record(file) or ({}, b"")
                (number,) = struct.unpack("<I", fields[b"conn"])
                if fields[b"op"] == _CONNECTION:
                    self.channels[number] = _channel(fields, data)
                elif fields[b"op"] == _MESSAGE:
                    seconds, nanoseconds = struct.unpack("<II", fields[b"time"])
                    message = number, seconds * 10**9 + nanoseconds, data
                    found += 1
                else:
                    raise ValueError("no record")
                position = file.tell()
            except (EOFError, struct.error, KeyError, ValueError):
                hurt = True
                following = bisect_right(offsets, position)
                position = offsets[following] if following < len(offsets) else len(chunk)
            if message is not None and message[0] in self.channels:
                yield Record(self.channels[message[0]], *message[1:])
            elif message is not None:
                self._unknown += 1
        self._hurt_chunks += hurt or found < len(offsets)


def _record(file: BinaryIO) -> tuple[_Fields, bytes] | None:
    """(header fields, data) of the next record; None at the end of the file."""
    size = file.read(4)
    if not size:
        return None
    fields = _fields(_exactly(file, *struct.unpack("<I", size)))
    return fields, _exactly(file, *struct.unpack("<I", _exactly(file, 4)))


def _exactly(file: BinaryIO, size: int) -> bytes:
    data = file.read(size) if size < _LARGEST_RECORD else b""
    if len(data) != size:
        raise EOFError(f"{size} bytes expected")
    return data


def _fields(header: bytes) -> _Fields:
    fields, position = {}, 0
    while position < len(header):
        (size,) = struct.unpack_from("<I", header, position)
        name, equals, value = header[position + 4 : position + 4 + size].partition(b"=")
        if not equals:
            raise ValueError("a field without =")
        fields[name] = value
        position += 4 + size
    return fields


def _channel(fields: _Fields, data: bytes) -> Channel:
    facts = _fields(data)
    kind = facts[b"type"].decode().replace("/", "/msg/")
    text = facts.get(b"message_definition", b"").decode(errors="replace")
    topic = fields[b"topic"].decode()
    parts = filter(None, topic.split("/"))  # //a/ is /a, as rosbags has it
    return Channel("/" * topic.startswith("/") + "/".join(parts), kind, text, ros1=True)


def _offsets(data: bytes) -> list[int]:
    """Where the messages of one connection lie in their chunk, by the index that follows it."""
    return [] if len(data) % 12 else [offset for _, _, offset in struct.iter_unpack("<III", data)]


def _unpacked(compression: bytes, data: bytes) -> bytes:
    if compression == b"none":
        return data
    if compression == b"bz2":
        return bz2.decompress(data)
    from lz4.frame import decompress  # comes with rosbags

    return decompress(data)
