"""Adapter to what rosbags does not offer to the outside: every private name of it that is used stands here."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO

from mrfs_ros.errors import MrfsError

RELEASES = ">=0.11,<0.12"  # whose names these are; setup.py has the same bounds


def internal(owner: Any, *names: str) -> Any:
    """An attribute of an attribute of ``owner``; MrfsError that names the one which this release lacks."""
    for name in names:
        if not hasattr(owner, name):
            raise MrfsError(
                f"rosbags {version('rosbags')}: {type(owner).__name__} has no {name} any more: "
                f"pip install 'rosbags{RELEASES}'"
            )
        owner = getattr(owner, name)
    return owner


def flush_mcap(writer: Any) -> None:
    """Hand all messages of an open mcap ``Writer`` to the operating system, the last chunk however small."""
    if internal(writer, "storage", "chunk", "msgs"):
        internal(writer, "storage", "close_chunk")()
    internal(writer, "storage", "bio").flush()


def storages_of(reader: Any) -> list[Any]:
    """A reader for each file of a bag: of ROS 1 the ``Reader`` itself."""
    if is_ros1(reader):
        return [reader]
    storage = internal(reader, "storage")
    return getattr(storage, "storages", [storage])  # several files, or one


def is_ros1(reader: Any) -> bool:
    """Whether a reader is of a ROS 1 bag."""
    from rosbags.rosbag1 import Reader

    return isinstance(reader, Reader)


def file_of(storage: Any) -> Path:
    """The file that is read; of a compressed one, what it was unpacked to."""
    return Path(internal(storage, "path"))


def first_last_ns(storage: Any) -> tuple[int, int]:
    """Times of recording of the first and last message [ns]; the first after the last if there are none."""
    metadata = storage if is_ros1(storage) else internal(storage, "metadata")
    return internal(metadata, "start_time"), internal(metadata, "end_time") - 1


def ros1_times(reader: Any) -> dict[int, list[int]]:
    """Times of recording [ns] in order, by number of the connection."""
    return {number: [entry.time for entry in entries] for number, entries in internal(reader, "indexes").items()}


def database_of(storage: Any) -> Any:
    """The connection to an SQLite file."""
    return internal(storage, "dbconn")


def mcap_chunks(storage: Any) -> list[Any]:
    """Chunk index records of an mcap, with ``channel_count``: messages by channel."""
    return internal(storage, "chunks")


def mcap_file(storage: Any) -> BinaryIO:
    """An open mcap."""
    return internal(storage, "bio")


def mcap_times(storage: Any) -> tuple[int, int]:
    """Times of the first and last message by an mcap's statistics [ns]."""
    return internal(storage, "statistics", "start_time"), internal(storage, "statistics", "end_time")
