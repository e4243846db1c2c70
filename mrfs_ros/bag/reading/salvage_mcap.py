"""Salvage of damaged and truncated mcap files: chunk by chunk, with what the indexes still say about them."""

from __future__ import annotations

import struct
import zlib
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from mrfs_ros.bag.reading.records import Channel, Record, told_losses
from mrfs_ros.errors import needs_package

_MAGIC = b"\x89MCAP0\r\n"
_LARGEST_RECORD = 2**31
_FOOTER = 9 + 20 + len(_MAGIC)
_SCHEMA, _CHANNEL, _MESSAGE, _CHUNK, _INDEX, _DATA_END = 3, 4, 5, 6, 7, 15


@dataclass
class McapSummary:
    """What the end of an mcap says. ``damaged``: its checksum is wrong. ``statistics``: messages by channel number."""

    damaged: bool = False
    schemas: dict[int, Any] = field(default_factory=dict)
    channels: dict[int, Channel] = field(default_factory=dict)
    chunk_starts: list[int] = field(default_factory=list)
    statistics: dict[int, int] | None = None

    @property
    def foreign(self) -> list[str]:
        """Encodings of schemas that are not ROS's."""
        return sorted({schema.encoding for schema in self.schemas.values()} - {"ros2msg", "ros2idl", "ros1msg", ""})


def read_summary(path: Path) -> McapSummary:
    """As much of it as can be read; nothing of one whose checksum is wrong."""
    with needs_package("reading damaged bags", "mcap", "bags"):
        from mcap.stream_reader import StreamReader
    summary = McapSummary()
    try:
        with path.open("rb") as file:
            file.seek(-_FOOTER, 2)
            end = file.tell()
            footer = file.read()
            start, _, crc = struct.unpack_from("<QQI", footer, 9)
            if footer[0] != 2 or footer[-8:] != _MAGIC or not start <= end:
                return summary
            file.seek(start or end)
            content = file.read(end - (start or end))
            if crc and zlib.crc32(content + footer[:-12]) != crc:
                summary.damaged = True
                return summary
            file.seek(start or end)
            for record in StreamReader(file, skip_magic=True, record_size_limit=_LARGEST_RECORD).records:
                _add_to_summary(summary, record)
    except Exception:  # whatever damaged bytes make the decoders raise
        pass
    summary.chunk_starts.sort()
    return summary


def _add_to_summary(summary: McapSummary, record: Any) -> None:
    kind = type(record).__name__
    if kind == "Schema":
        summary.schemas[record.id] = record
    elif kind == "Channel":
        summary.channels[record.id] = _channel(record, summary.schemas.get(record.schema_id))
    elif kind == "ChunkIndex":
        summary.chunk_starts.append(record.chunk_start_offset)
    elif kind == "Statistics" and sum(record.channel_message_counts.values()) == record.message_count:
        summary.statistics = record.channel_message_counts


def salvage_mcap(path: Path, damage: list[str]) -> Iterator[Record]:
    """Every message that can be read, in the order of the file; a chunk whose checksum is wrong is left out."""
    walk = _Walk(path, _kinds(), read_summary(path))
    yield from walk.records()
    damage.extend(walk.damage())


def first_channels(path: Path, messages: int) -> dict[int, Channel]:
    """Channels by number as the first ``messages`` of the file name them, not its end."""
    walk = _Walk(path, _kinds(), McapSummary())
    for _ in islice(walk.records(), messages):
        pass
    return walk.channels


class _Walk:
    """One way through a file; counts what is lost. ``channels``: those met so far."""

    def __init__(self, path: Path, kinds: Any, summary: McapSummary):
        self._path = path
        self._kinds = kinds
        self._starts = summary.chunk_starts
        self._schemas = dict(summary.schemas)
        self.channels = dict(summary.channels)
        self._cut_at: int | None = None
        self._bad_chunks = self._hurt_chunks = self._gaps = self._unknown = 0

    def damage(self) -> list[str]:
        return told_losses(self._path, self._cut_at, self._bad_chunks, self._hurt_chunks, self._gaps, self._unknown)

    def records(self) -> Iterator[Record]:
        chunk: bytes | None = None  # waits for its index, which follows it
        offsets: list[int] = []
        with self._path.open("rb") as file:
            for op, body in self._outer(file):
                if op == _INDEX and chunk is not None:
                    offsets += _offsets(body)
                    continue
                if chunk is not None:
                    yield from self._messages(chunk, sorted(offsets))
                chunk, offsets = None, []
                if op == _CHUNK:
                    chunk = self._unpacked(body)
                elif op in (_SCHEMA, _CHANNEL, _MESSAGE):
                    try:
                        if (record := self._read(op, body)) is not None:
                            yield record
                    except Exception:  # whatever damaged bytes make the decoders raise
                        self._gaps += 1
        if chunk is not None:
            yield from self._messages(chunk, sorted(offsets))

    def _outer(self, file: BinaryIO) -> Iterator[tuple[int, bytes]]:
        """(kind, content) of the records outside of chunks; where one makes no sense, on to the next known chunk."""
        size = file.seek(0, 2)
        file.seek(0)
        position = len(_MAGIC)
        if file.read(position) != _MAGIC:
            self._gaps += 1
        while True:
            file.seek(position)
            head = file.read(9)
            op, length = struct.unpack("<BQ", head) if len(head) == 9 else (0, 0)
            end = position + 9 + length
            if not (0 < op <= _DATA_END or op >= 0x80) or end > size or length > _LARGEST_RECORD:
                following = bisect_right(self._starts, position)
                if following == len(self._starts):
                    self._cut_at = min(position, size)
                    return
                self._gaps += 1
                position = self._starts[following]
                continue
            if op == _DATA_END:
                return
            if op in (_SCHEMA, _CHANNEL, _MESSAGE, _CHUNK, _INDEX):
                yield op, file.read(length)
            position = end

    def _unpacked(self, body: bytes) -> bytes | None:
        from mcap.stream_reader import get_chunk_data_stream

        try:
            stream, length = get_chunk_data_stream(self._kinds.Chunk.read(_stream(body)), validate_crc=True)
            return stream.read(length)
        except Exception:  # whatever damaged bytes make the decoders raise
            self._bad_chunks += 1
            return None

    def _messages(self, chunk: bytes, offsets: list[int]) -> Iterator[Record]:
        """Messages of a chunk; where a record makes no sense, on to the next message that the index names."""
        position = found = 0
        hurt = False
        while position < len(chunk):
            op, length = struct.unpack_from("<BQ", chunk, position) if position + 9 <= len(chunk) else (0, 0)
            end = position + 9 + length
            record = None
            try:
                if op not in (_SCHEMA, _CHANNEL, _MESSAGE) or end > len(chunk):
                    raise ValueError("no record")
                record = self._read(op, chunk[position + 9 : end])
                found += op == _MESSAGE
            except Exception:  # as above
                hurt = True
                following = bisect_right(offsets, position)
                end = offsets[following] if following < len(offsets) else len(chunk)
            if record is not None:
                yield record
            position = end
        self._hurt_chunks += hurt or found < len(offsets)

    def _read(self, op: int, body: bytes) -> Record | None:
        """The message, if it is one; channels and schemas are kept for those that follow."""
        if op == _MESSAGE:
            number, _, log_ns, _ = struct.unpack_from("<HIQQ", body)
            if number not in self.channels:
                self._unknown += 1
                return None
            return Record(self.channels[number], log_ns, body[22:])
        if op == _SCHEMA:
            schema = self._kinds.Schema.read(_stream(body))
            self._schemas[schema.id] = schema
        else:
            channel = self._kinds.Channel.read(_stream(body))
            self.channels[channel.id] = _channel(channel, self._schemas.get(channel.schema_id))
        return None


def _offsets(body: bytes) -> list[int]:
    """Where the messages of one channel lie in their chunk, by the index that follows it."""
    if len(body) < 6 or (len(body) - 6) % 16:
        return []
    return [offset for _, offset in struct.iter_unpack("<QQ", body[6:])]


def _channel(channel: Any, schema: Any) -> Channel:
    kind = schema.name if schema else ""
    readable = schema and schema.encoding in ("ros2msg", "ros1msg")
    text = schema.data.decode(errors="replace") if readable else ""
    ros1 = channel.message_encoding == "ros1"
    return Channel(channel.topic, kind, text, ros1)


def _kinds() -> Any:
    with needs_package("reading damaged bags", "mcap", "bags"):
        from mcap import records
    return records


def _stream(body: bytes) -> Any:
    from io import BytesIO

    from mcap.data_stream import ReadDataStream

    return ReadDataStream(BytesIO(body))
