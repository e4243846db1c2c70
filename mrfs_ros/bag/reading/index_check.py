"""Index check of bags: how many messages there must be, and whether a bag's indexes agree with each other."""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from mrfs_ros.bag.reading import salvage_mcap, salvage_ros1
from mrfs_ros.bag.reading.records import Channel, Record, full_kind
from mrfs_ros.bag.reading.salvage_mcap import read_summary
from mrfs_ros.bag.reading.salvage_ros1 import read_ros1_index
from mrfs_ros.bag.rosbags_internals import (
    database_of,
    file_of,
    is_ros1,
    mcap_chunks,
    mcap_file,
    mcap_times,
    ros1_times,
    storages_of,
)

_LOOKED_AT = 100  # messages whose topics are compared with those that the index names
_FIRST, _LAST = -(2**63), 2**63 - 1


def index_error(reader: Any) -> str:
    """Why the index of a bag that rosbags opened cannot be trusted; empty if it can."""
    storages = storages_of(reader)
    if not all(isinstance(connection.msgcount, int) for connection in reader.connections):
        return "metadata.yaml does not say how many messages there are"
    for storage in storages:
        check = _ros1_index_error if is_ros1(storage) else _CHECKS[file_of(storage).suffix]
        why = check(storage)
        if why:
            return why
    if not is_ros1(reader):
        for found in (connection for storage in storages for connection in storage.connections):
            if found.msgcount and not any(_same(found, named) for named in reader.connections):
                return f"metadata.yaml does not name {found.topic} as the file does"
    return ""


def _same(found: Any, named: Any) -> bool:
    """Whether rosbags takes the two for one."""
    alike = (found.topic, found.msgtype, found.ext) == (named.topic, named.msgtype, named.ext)
    return alike and (not found.digest or not named.digest or found.digest == named.digest)


def _mcap_index_error(storage: Any) -> str:
    summary, chunks, file = read_summary(file_of(storage)), mcap_chunks(storage), mcap_file(storage)
    if summary.damaged:
        return "its checksum is wrong"
    if summary.statistics is None:
        return "it does not say how many messages there are"
    if not chunks:
        return ""
    counts: Counter[int] = Counter()
    for chunk in chunks:
        counts.update(chunk.channel_count)
        file.seek(chunk.chunk_start_offset)
        head = file.read(33)
        length = 40 + len(chunk.compression) + chunk.compressed_size
        expected = length, chunk.message_start_time, chunk.message_end_time, chunk.uncompressed_size
        if chunk.chunk_length != length + 9 or head[:1] != b"\x06" or struct.unpack("<QQQQ", head[1:]) != expected:
            return "it names chunks that are not there"
    full = [chunk for chunk in chunks if any(chunk.channel_count.values())]
    if +counts != +Counter(summary.statistics):
        return "it disagrees with itself about how many messages there are"
    if full and mcap_times(storage) != (min(c.message_start_time for c in full), max(c.message_end_time for c in full)):
        return "it disagrees with itself about when messages were recorded"
    return _names_index_error(storage, +counts, salvage_mcap.first_channels(file_of(storage), _LOOKED_AT))


def _names_index_error(storage: Any, counts: Mapping[int, int], met: Mapping[int, Channel]) -> str:
    names = {connection.id: (connection.topic, full_kind(connection.msgtype)) for connection in storage.connections}
    if counts.keys() - names.keys():
        return "it does not name all topics"
    for number, channel in met.items():
        if number in names and names[number] != (channel.topic, channel.kind) and channel.kind:
            return f"it does not name {channel.topic} as the messages do"
    return ""


def _sqlite_index_error(storage: Any) -> str:
    total = sum(connection.msgcount for connection in storage.connections)
    try:
        counts = {
            database_of(storage).execute(f"SELECT count(*) FROM messages {how}").fetchone()[0] for how in _both(storage)
        }
    except Exception as error:  # damaged files make SQLite raise all there is
        return str(error)
    return "" if counts == {total} else "it disagrees with itself about how many messages there are"


def _both(storage: Any) -> list[str]:
    """Ways to count rows: through the table, and through its index, if there is one."""
    index = database_of(storage).execute("SELECT 1 FROM sqlite_master WHERE type = 'index' AND name = 'timestamp_idx'")
    return ["NOT INDEXED", *(["INDEXED BY timestamp_idx"] if index.fetchone() else [])]


_CHECKS = {".mcap": _mcap_index_error, ".db3": _sqlite_index_error}


def _ros1_index_error(reader: Any) -> str:
    index = read_ros1_index(reader.path)
    if not index.whole:
        return "it is not whole"
    entries = ros1_times(reader)
    if +Counter(index.counts) != +Counter({number: len(times) for number, times in entries.items()}):
        return "it disagrees with itself about how many messages there are"
    times = [time for times in entries.values() for time in (times[:1] + times[-1:])]
    if times and (min(times), max(times) + 1) != (reader.start_time, reader.end_time):
        return "it disagrees with itself about when messages were recorded"
    return _names_index_error(reader, index.counts, salvage_ros1.first_channels(reader.path, _LOOKED_AT))


def expected_counts(reader: Any) -> Counter[str]:
    """Messages by topic, by metadata.yaml or by the files themselves, whichever names more."""
    files: Counter[str] = Counter()
    for storage in storages_of(reader):
        for connection in storage.connections:
            files[connection.topic] += connection.msgcount
    bag: Counter[str] = Counter()
    for connection in reader.connections:
        bag[connection.topic] += connection.msgcount
    return files | bag


def expected_between(reader: Any, topics: Collection[str], start_ns: int | None, stop_ns: int | None) -> Counter[str]:
    """Messages by topic that the files' indexes name from ``start_ns`` to before ``stop_ns``; none if they do not."""
    start = _FIRST if start_ns is None else start_ns
    stop = _LAST if stop_ns is None else stop_ns
    counts: Counter[str] = Counter()
    for storage in storages_of(reader):
        names = {connection.id: connection.topic for connection in storage.connections if connection.topic in topics}
        if is_ros1(storage):
            entries = ros1_times(storage)
            for number, topic in names.items():
                times = entries[number]
                counts[topic] += bisect_left(times, stop) - bisect_left(times, start)
        elif file_of(storage).suffix == ".db3":
            query = "SELECT topic_id, count(*) FROM messages WHERE timestamp >= ? AND timestamp < ? GROUP BY topic_id"
            for number, count in database_of(storage).execute(query, (start, stop)):
                if number in names:
                    counts[names[number]] += count
        else:
            for chunk in mcap_chunks(storage):
                for number, count in _mcap_counts(mcap_file(storage), chunk, names, start, stop).items():
                    counts[names[number]] += count
    return counts


def _mcap_counts(file: Any, chunk: Any, names: Mapping[int, str], start: int, stop: int) -> dict[int, int]:
    """Messages of a chunk by channel; the index behind it is read where the chunk lies in the range only in part."""
    if chunk.message_end_time < start or chunk.message_start_time >= stop:
        return {}
    if start <= chunk.message_start_time and chunk.message_end_time < stop:
        return {number: count for number, count in chunk.channel_count.items() if number in names}
    counts = {}
    for number in chunk.channel_count.keys() & names.keys():
        file.seek(chunk.message_index_offsets[number])
        head = file.read(15)
        entries = file.read(16 * chunk.channel_count[number])
        if head[:1] == b"\x07" and len(entries) % 16 == 0:
            counts[number] = sum(start <= log_ns < stop for log_ns, _ in struct.iter_unpack("<QQ", entries))
    return counts


def expected_by_metadata(path: Path) -> int:
    """How many messages the bag's metadata.yaml names; 0 if it does not say."""
    try:
        import yaml
    except ImportError:
        return 0
    try:
        content = yaml.safe_load((path / "metadata.yaml").read_text(encoding="utf-8"))
        return int(content["rosbag2_bagfile_information"]["message_count"])
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError):
        return 0


def expected_by_file(path: Path) -> int:
    """How many messages the index of a file names that could not be used for reading; 0 if it does not say."""
    if path.suffix == ".mcap":
        return sum((read_summary(path).statistics or {}).values())
    if path.suffix in (".bag", ".active"):
        return sum(read_ros1_index(path).counts.values())
    from mrfs_ros.bag.reading.cut_database import open_cut_database

    try:
        with open_cut_database(path) as database:
            return int(database.execute("SELECT count(*) FROM messages INDEXED BY timestamp_idx").fetchone()[0])
    except Exception:  # damaged files make SQLite raise all there is
        return 0


class Given:
    """What was given already; eight bytes a message."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._marks = array("q")
        self._left: Counter[int] | None = None

    def add(self, record: Record) -> None:
        self.counts[record.channel.topic] += 1
        self._marks.append(_mark(record))

    def took(self, record: Record) -> bool:
        """Whether the record is one of those; each counts for one that is asked for."""
        if self._left is None:
            self._left = Counter(self._marks)
        mark = _mark(record)
        self._left[mark] -= 1
        return self._left[mark] >= 0


def _mark(record: Record) -> int:
    raw = record.raw
    return hash((record.channel.topic, record.log_ns, len(raw), bytes(raw[:256]), bytes(raw[-64:])))


def losses(expected: Counter[str], found: Counter[str]) -> str:
    """``4 of 24 messages (/rgb: 4 of 12)``; empty if all came."""
    lost = expected - found
    if not lost:
        return ""
    parts = ", ".join(f"{topic}: {count} of {expected[topic]}" for topic, count in sorted(lost.items()))
    return f"{sum(lost.values())} of {sum(expected.values())} messages ({parts})"
