"""Messages out of damaged bag files: read from front to back, without the index, over what cannot be read.

Each function yields ``Record`` and appends one sentence to ``damage`` for each thing that is lost.
"""

from __future__ import annotations

import bz2
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from mrfs_ros.bag.cut_database import open_cut_database
from mrfs_ros.errors import MissingPackageError

_LOST_ROWS = 1000  # so many rows in a row that cannot be read are the end of a database
_ROS1_MAGIC = b"#ROSBAG V2.0\n"
_LARGEST_RECORD = 2**31


@dataclass(frozen=True)
class Channel:
    """``kind``: message type as in ROS 2, ``definition``: its text with those of the types in it, if the bag has it.

    ``latched``: late subscribers are to get the last message too.
    """

    topic: str
    kind: str
    definition: str = ""
    ros1: bool = False
    latched: bool = False


@dataclass(frozen=True)
class Record:
    """A serialized message (CDR, or ROS 1's own format) and when it was recorded [ns]."""

    channel: Channel
    log_ns: int
    raw: bytes


def salvage(path: Path, damage: list[str]) -> Iterator[Record]:
    """Every message of a .mcap, .db3 or .bag file that can still be read."""
    readers: dict[str, Callable[[Path, list[str]], Iterator[Record]]] = {
        ".mcap": salvage_mcap,
        ".db3": salvage_sqlite,
        ".bag": salvage_ros1,
        ".active": salvage_ros1,  # what ROS 1 calls a bag that was never closed
    }
    return readers[path.suffix](path, damage)


def salvage_mcap(path: Path, damage: list[str]) -> Iterator[Record]:
    """Chunk by chunk; a chunk whose checksum is wrong is left out."""
    try:
        from mcap import records as kinds
        from mcap.stream_reader import StreamReader, breakup_chunk
    except ImportError as error:
        raise MissingPackageError("reading damaged bags needs mcap: pip install 'mrfs_ros[bags]'") from error
    schemas: dict[int, kinds.Schema] = {}
    channels: dict[int, Channel] = {}
    bad_chunks = 0
    with path.open("rb") as file:
        try:
            for outer in StreamReader(file, emit_chunks=True, record_size_limit=_LARGEST_RECORD).records:
                try:
                    inner = breakup_chunk(outer, validate_crc=True) if isinstance(outer, kinds.Chunk) else [outer]
                except Exception:  # whatever damaged bytes make the decoders raise
                    bad_chunks += 1
                    continue
                for record in inner:
                    if isinstance(record, kinds.Schema):
                        schemas[record.id] = record
                    elif isinstance(record, kinds.Channel):
                        channels[record.id] = _mcap_channel(record, schemas.get(record.schema_id))
                    elif isinstance(record, kinds.Message) and record.channel_id in channels:
                        yield Record(channels[record.channel_id], record.log_time, record.data)
        except Exception:
            damage.append(_cut(path, file.tell()))
    if bad_chunks:
        damage.append(f"{path.name}: {bad_chunks} chunks are damaged and left out")


def _mcap_channel(channel: Any, schema: Any) -> Channel:
    kind = schema.name if schema else ""
    text = schema.data.decode() if schema and schema.encoding in ("ros2msg", "ros1msg") else ""
    ros1 = channel.message_encoding == "ros1"
    return Channel(channel.topic, kind.replace("/", "/msg/") if ros1 else kind, text, ros1)


def salvage_sqlite(path: Path, damage: list[str]) -> Iterator[Record]:
    """Row by row, in the order in which they were written."""
    import apsw  # comes with rosbags

    lost, row = 0, 0
    try:
        with open_cut_database(path) as database:
            topics = database.execute("SELECT id, name, type FROM topics")
            channels = {number: Channel(name, kind) for number, name, kind in topics}
            while lost < _LOST_ROWS:
                row += 1
                try:
                    query = "SELECT id, topic_id, timestamp, data FROM messages WHERE id >= ? ORDER BY id LIMIT 1"
                    found = database.execute(query, (row,)).fetchone()
                except apsw.Error:
                    lost += 1
                    continue
                if found is None:
                    break
                row, topic_id, log_ns, raw = found
                if topic_id in channels and isinstance(raw, bytes):
                    yield Record(channels[topic_id], log_ns, raw)
    except (apsw.Error, OSError, struct.error) as error:
        damage.append(f"{path.name}: {error}")
        return
    if lost:
        damage.append(f"{path.name}: rows are damaged or missing ({path.stat().st_size} bytes are there)")


def salvage_ros1(path: Path, damage: list[str]) -> Iterator[Record]:
    """Record by record, into the chunks."""
    channels: dict[int, Channel] = {}
    bad_chunks = 0
    with path.open("rb") as file:
        if file.read(len(_ROS1_MAGIC)) != _ROS1_MAGIC:
            damage.append(f"{path.name}: does not begin as a ROS 1 bag (version 2.0) does")
            return
        position = file.tell()
        try:
            while (head := _ros1_record(file)) is not None:
                fields, data = head
                position = file.tell()
                if fields.get(b"op") != b"\x05":  # all messages lie in chunks
                    continue
                try:
                    content = _ros1_unpacked(fields[b"compression"], data)
                except Exception:  # whatever damaged bytes make the decoders raise
                    bad_chunks += 1
                    continue
                yield from _ros1_messages(content, channels)
        except (EOFError, struct.error, KeyError, ValueError):
            damage.append(_cut(path, position))
    if bad_chunks:
        damage.append(f"{path.name}: {bad_chunks} chunks are damaged and left out")


def _cut(path: Path, position: int) -> str:
    return f"{path.name}: ends or is damaged after about {position} of {path.stat().st_size} bytes"


def _ros1_record(file: BinaryIO) -> tuple[dict[bytes, bytes], bytes] | None:
    """(header fields, data) of the next record; None at the end of the file."""
    size = file.read(4)
    if not size:
        return None
    fields = _ros1_fields(_exactly(file, *struct.unpack("<I", size)))
    return fields, _exactly(file, *struct.unpack("<I", _exactly(file, 4)))


def _exactly(file: BinaryIO, size: int) -> bytes:
    data = file.read(size) if size < _LARGEST_RECORD else b""
    if len(data) != size:
        raise EOFError(f"{size} bytes expected")
    return data


def _ros1_fields(header: bytes) -> dict[bytes, bytes]:
    fields, position = {}, 0
    while position < len(header):
        (size,) = struct.unpack_from("<I", header, position)
        name, equals, value = header[position + 4 : position + 4 + size].partition(b"=")
        if not equals:
            raise ValueError("a field without =")
        fields[name] = value
        position += 4 + size
    return fields


def _ros1_unpacked(compression: bytes, data: bytes) -> bytes:
    if compression == b"none":
        return data
    if compression == b"bz2":
        return bz2.decompress(data)
    from lz4.frame import decompress  # comes with rosbags

    return decompress(data)


def _ros1_messages(content: bytes, channels: dict[int, Channel]) -> Iterator[Record]:
    """Messages of a chunk; the connections in it are added to ``channels``."""
    from io import BytesIO

    file = BytesIO(content)
    while (record := _ros1_record(file)) is not None:
        fields, data = record
        (number,) = struct.unpack("<I", fields[b"conn"])
        if fields[b"op"] == b"\x07":
            facts = _ros1_fields(data)
            kind = facts[b"type"].decode().replace("/", "/msg/")
            text = facts.get(b"message_definition", b"").decode(errors="replace")
            channels[number] = Channel(fields[b"topic"].decode(), kind, text, ros1=True)
        elif fields[b"op"] == b"\x02" and number in channels:
            seconds, nanoseconds = struct.unpack("<II", fields[b"time"])
            yield Record(channels[number], seconds * 10**9 + nanoseconds, data)
