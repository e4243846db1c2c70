"""Salvage of damaged bag files: read from front to back, without the index, over what cannot be read.

Each function yields ``Record`` and appends one sentence to ``damage`` for each thing that is lost.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path

from mrfs_ros.bag.reading.cut_database import open_cut_database
from mrfs_ros.bag.reading.records import Channel, Record
from mrfs_ros.bag.reading.salvage_mcap import salvage_mcap
from mrfs_ros.bag.reading.salvage_ros1 import salvage_ros1
from mrfs_ros.bag.reading.zstd_files import unpacked

__all__ = ["Channel", "Record", "salvage"]

_LOST_ROWS = 1000  # so many rows in a row that cannot be read are the end of a database


def salvage(path: Path, damage: list[str]) -> Iterator[Record]:
    """Every message of a .mcap, .db3 or .bag file that can still be read."""
    readers: dict[str, Callable[[Path, list[str]], Iterator[Record]]] = {
        ".mcap": salvage_mcap,
        ".db3": salvage_sqlite,
        ".bag": salvage_ros1,
        ".active": salvage_ros1,  # what ROS 1 calls a bag that was never closed
    }
    return map(unpacked, readers[path.suffix](path, damage))


def salvage_sqlite(path: Path, damage: list[str]) -> Iterator[Record]:
    """Row by row, in the order in which they were written."""
    import apsw  # comes with rosbags

    lost = in_a_row = row = unknown = 0
    try:
        with open_cut_database(path) as database:
            topics = database.execute("SELECT id, CAST(name AS BLOB), CAST(type AS BLOB) FROM topics")
            channels = {number: Channel(_text(name), _text(kind)) for number, name, kind in topics}
            query = "SELECT id, topic_id, timestamp, data FROM messages WHERE id >= ? ORDER BY id LIMIT 1"
            while in_a_row < _LOST_ROWS:
                row += 1
                try:
                    found = database.execute(query, (row,)).fetchone()
                    if found is not None and found[0] < row:
                        raise ValueError("a row that was not asked for")
                except (apsw.Error, ValueError):
                    lost += 1
                    in_a_row += 1
                    continue
                if found is None:
                    break
                in_a_row = 0
                row, topic_id, log_ns, raw = found
                if topic_id not in channels:
                    unknown += 1
                elif isinstance(raw, bytes) and isinstance(log_ns, int):
                    yield Record(channels[topic_id], log_ns, raw)
                else:
                    lost += 1
    except struct.error:
        damage.append(f"{path.name}: too short for a database ({path.stat().st_size} bytes are there)")
    except (apsw.Error, OSError, ValueError, TypeError, OverflowError) as error:
        damage.append(f"{path.name}: {error}")
    if lost:
        damage.append(f"{path.name}: rows are damaged or missing ({path.stat().st_size} bytes are there)")
    if unknown:
        damage.append(f"{path.name}: {unknown} messages of unknown topics")


def _text(content: bytes | None) -> str:
    return (content or b"").decode(errors="replace")
