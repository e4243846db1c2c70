"""The results as a rosbag2: the node's output topics, and input topics copied as they are."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mrfs_ros.bag.frame import Frame
from mrfs_ros.bag.reading.codec import COMPRESSED as COMPRESSED_IMAGE
from mrfs_ros.bag.reading.codec import IMAGE, Codec
from mrfs_ros.bag.reading.salvage import Channel, Record
from mrfs_ros.bag.reading.salvage_mcap import salvage_mcap
from mrfs_ros.bag.rosbags_internals import flush_mcap
from mrfs_ros.bag.writing.bag_messages import DETECTIONS, POINT_CLOUD, BagMessages, register_vision_msgs
from mrfs_ros.bag.writing.result_writer import working_path
from mrfs_ros.errors import ConfigError
from mrfs_ros.files import move, to_disk
from mrfs_ros.pair_outputs import COMPRESSED, OBJECTS, TEMPERATURES, output_message

_MCAP = "mcap"
_JOINED = "joined"


class BagSink:
    """A ``Sink`` with one more way in: ``copy`` for messages of the bag that is read.

    ``outputs``: which of ``OUTPUTS`` it holds, the fused image last. ``copied``: their channels by topic. ``facts``:
    what is noted in the bag's metadata. The messages of a frame carry the header that the node would give them, and the
    recording time of the image that completed the pair. Each run writes an mcap of its own, which can be cut behind any
    frame; ``finish`` joins them.
    """

    def __init__(
        self,
        target: Path,
        codec: Codec,
        outputs: Sequence[str],
        *,
        storage: str,
        copied: Mapping[str, Channel],
        facts: Mapping[str, str],
    ):
        self.target = target
        self._codec = codec
        self._outputs = outputs
        self._storage = storage
        self._copied = copied
        self._facts = facts
        if OBJECTS in outputs:
            register_vision_msgs(codec)
        self._writer: Any = None

    def resume(self, frames: int) -> None:
        self._part = working_path(self.target) / f"{len(self._parts()):06d}"
        self._open(self._part, _MCAP)

    def _parts(self) -> list[Path]:
        """The storage files of this run and those before it."""
        return sorted(working_path(self.target).glob(f"[0-9]*/*/{self.target.name}.mcap"))

    def encode(self, frame: Frame) -> list[tuple[str, Any]]:
        messages = BagMessages(self._codec, frame.stamp_ns, frame.frame_id)
        made = ((topic_of(name), output_message(name, frame.made, messages)) for name in self._outputs)
        return [(topic, message) for topic, message in made if message is not None]

    def write(self, frame: Frame, encoded: list[tuple[str, Any]]) -> None:
        for topic, message in encoded:
            self._write(topic, frame.log_ns, message)
        flush_mcap(self._writer)  # a chunk for each frame, however many runs it took

    def copy(self, record: Record) -> None:
        """Write a message of the bag that is read, unless it is of a rarer type on its topic, which a note names."""
        if record.channel.kind == self._copied[record.channel.topic].kind:
            self._write(record.channel.topic, record.log_ns, self._codec.cdr(record))

    def flush(self) -> list[Path]:
        if self._writer is None:
            return []
        flush_mcap(self._writer)
        return self._parts()[-1:]

    def close(self) -> None:
        if self._writer is not None:
            self._writer.abort()
            self._writer = None

    def finish(self) -> None:
        flush_mcap(self._writer)
        if self._storage != _MCAP or len(self._parts()) > 1:
            self._join()
        folder = self._writer.path
        with _as_os_errors(self.target):
            self._writer.close()
        self._writer = None
        to_disk(folder.iterdir(), working_path(self.target))
        move(folder, self.target)
        shutil.rmtree(working_path(self.target))

    def _join(self) -> None:
        """Copy the messages of all parts to one bag, as if one run had written them."""
        parts, last = self._parts(), topic_of(self._outputs[-1])
        self.close()
        folder = working_path(self.target) / _JOINED
        shutil.rmtree(folder, ignore_errors=True)
        self._open(folder, self._storage)
        for part in parts:
            for record in salvage_mcap(part, []):  # it has no end, where its run was killed
                self._write(record.channel.topic, record.log_ns, record.raw)
                if record.channel.topic == last and self._storage == _MCAP:
                    flush_mcap(self._writer)

    def _write(self, topic: str, log_ns: int, message: bytes | memoryview) -> None:
        if self._storage != _MCAP and log_ns >= 2**63:
            raise ConfigError(f"{topic}: recorded at {log_ns} ns, which {self._storage} cannot hold: use mcap")
        with _as_os_errors(self.target):
            self._writer.write(self._connections[topic], log_ns, message)

    def _open(self, folder: Path, storage: str) -> None:
        from rosbags.rosbag2 import StoragePlugin, Writer

        folder.mkdir(parents=True)
        # Named as the target already, because the storage file within takes its name from the folder.
        self._writer = Writer(folder / self.target.name, version=8, storage_plugin=StoragePlugin[storage.upper()])
        for name, fact in self._facts.items():
            self._writer.set_custom_data(name, fact)
        self._writer.open()
        topics = {topic_of(name): (type_of(name), self._codec.store, False) for name in self._outputs}
        for topic, channel in self._copied.items():
            topics[topic] = channel.kind, self._codec.store_of(channel), channel.is_latched
        self._connections = {
            topic: self._writer.add_connection(topic, kind, typestore=store, offered_qos_profiles=[_reliable(latched)])
            for topic, (kind, store, latched) in topics.items()
        }


def topic_of(output: str) -> str:
    """The topic of one of ``OUTPUTS`` in a bag: the node's, launched without a namespace."""
    return f"/mrfs/{output}"


def type_of(output: str) -> str:
    """The message type of one of ``OUTPUTS``."""
    own = {OBJECTS: DETECTIONS, TEMPERATURES: POINT_CLOUD}
    return own.get(output) or (COMPRESSED_IMAGE if output in COMPRESSED else IMAGE)


@contextmanager
def _as_os_errors(target: Path) -> Iterator[None]:
    """A full disk told alike by both storages."""
    try:
        yield
    except sqlite3.Error as error:
        raise OSError(0, str(error), str(target)) from error


def _reliable(latched: bool):
    from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime

    none = QosTime(0, 0)
    durability = QosDurability.TRANSIENT_LOCAL if latched else QosDurability.VOLATILE
    kinds = QosReliability.RELIABLE, durability
    return Qos(QosHistory.KEEP_LAST, 10, *kinds, none, none, QosLiveliness.AUTOMATIC, none, False)
