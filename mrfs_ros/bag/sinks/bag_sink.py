"""The results as a rosbag2: the node's output topics, and input topics copied as they are."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mrfs_ros.bag.codec import COMPRESSED, IMAGE, Codec
from mrfs_ros.bag.frame import Frame
from mrfs_ros.bag.salvage import Channel, Record, salvage
from mrfs_ros.bag.sinks.protocol import begin_anew, working_path
from mrfs_ros.camera.encoded import encode_jpeg, encode_png
from mrfs_ros.draw import overlay
from mrfs_ros.errors import ConfigError
from mrfs_ros.types import ClassSet

FUSED, SEGMENTATION, OVERLAY = "/mrfs/fused", "/mrfs/segmentation", "/mrfs/overlay"
_STALE = "stale"
_SUFFIX = {"mcap": ".mcap", "sqlite3": ".db3"}


class BagSink:
    """A ``Sink`` with one more way in: ``copy`` for messages of the bag that is read.

    ``copied``: their channels by topic. ``facts``: what is noted in the bag's metadata. The messages of a frame carry
    the header that the node would give them, and the recording time of the image that completed the pair. The fused
    image comes last: where it is, the frame is whole.
    """

    def __init__(
        self,
        target: Path,
        codec: Codec,
        classes: ClassSet,
        *,
        notice: str,
        opacity: float,
        with_overlay: bool,
        compressed: bool,
        storage: str,
        copied: Mapping[str, Channel],
        facts: Mapping[str, str],
    ):
        self.target = target
        self._codec = codec
        self._classes = classes
        self._notice = notice
        self._opacity = opacity
        self._topics = [SEGMENTATION, *([OVERLAY] if with_overlay else []), FUSED]
        self._compressed = compressed
        self._storage = storage
        self._copied = copied
        self._facts = facts
        self._writer: Any = None

    def resume(self, frames: int) -> None:
        """Begin a bag with the first ``frames`` frames of the one that an earlier run left unfinished."""
        shutil.rmtree(working_path(self.target) / _STALE, ignore_errors=True)
        attempts = sorted((int(path.name), path) for path in working_path(self.target).glob("[0-9]*"))
        for _, path in attempts[1:]:
            shutil.rmtree(path)  # a copy that was itself cut short
        number, old = attempts[0] if attempts else (0, None)
        self._open(number + 1)
        kept = self._copy_frames(old, frames) if old and frames else 0
        if kept < frames:
            raise ConfigError(
                f"{working_path(self.target)}: {kept} of {frames} finished frames can be read: "
                f"{begin_anew(self.target)}"
            )
        if old:  # out of the way in one step: half of it must never be taken for the one that counts
            shutil.rmtree(old.rename(old.with_name(_STALE)))

    def encode(self, frame: Frame) -> list[tuple[str, Any]]:
        result = frame.result
        images = {SEGMENTATION: (result.labels, "mono8"), FUSED: (result.fused, "rgb8")}
        if OVERLAY in self._topics:
            picture = overlay(result.fused, result.labels, self._classes, opacity=self._opacity, notice=self._notice)
            images[OVERLAY] = picture, "rgb8"
        return [(topic, self._message(frame, *images[topic])) for topic in self._topics]

    def _message(self, frame: Frame, pixels, encoding: str) -> memoryview:
        if not self._compressed:
            return self._codec.image(pixels, encoding, frame.stamp_ns, frame.frame_id)
        if encoding == "mono8":
            return self._codec.compressed(encode_png(pixels), "png", frame.stamp_ns, frame.frame_id)
        return self._codec.compressed(encode_jpeg(pixels), "jpeg", frame.stamp_ns, frame.frame_id)

    def write(self, frame: Frame, encoded: list[tuple[str, Any]]) -> None:
        for topic, message in encoded:
            self._write(self._named(topic), frame.log_ns, message)
        self._flush()

    def copy(self, record: Record) -> None:
        """Write a message of the bag that is read, unless it is of a rarer type on its topic, which a note names."""
        if record.channel.kind == self._copied[record.channel.topic].kind:
            self._write(record.channel.topic, record.log_ns, self._codec.cdr(record))

    def close(self) -> None:
        if self._writer is not None:
            self._writer.abort()
            self._writer = None

    def finish(self) -> None:
        self._writer.close()
        self._writer.path.rename(self.target)
        self._writer = None
        shutil.rmtree(working_path(self.target))

    def _named(self, topic: str) -> str:
        return f"{topic}/compressed" if self._compressed else topic

    def _write(self, topic: str, log_ns: int, message: bytes | memoryview) -> None:
        try:
            self._writer.write(self._connections[topic], log_ns, message)
        except OverflowError as error:
            raise ConfigError(f"{topic}: recorded at {log_ns} ns, which sqlite3 cannot hold: use mcap") from error
        except sqlite3.Error as error:
            raise OSError(0, str(error), str(self.target)) from error

    def _open(self, number: int) -> None:
        from rosbags.rosbag2 import StoragePlugin, Writer

        folder = working_path(self.target) / str(number)
        folder.mkdir(parents=True)
        # Named as the target already, because the storage file within takes its name from the folder.
        self._writer = Writer(folder / self.target.name, version=8, storage_plugin=StoragePlugin[self._storage.upper()])
        for name, fact in self._facts.items():
            self._writer.set_custom_data(name, fact)
        self._writer.open()
        if self._storage == "sqlite3":  # a commit each frame need not wait for the disk
            self._writer.storage.conn.execute("PRAGMA synchronous = OFF")
        own = COMPRESSED if self._compressed else IMAGE
        topics = {self._named(topic): (own, self._codec.store, False) for topic in self._topics}
        for topic, channel in self._copied.items():
            topics[topic] = channel.kind, self._codec.store_of(channel), channel.is_latched
        self._connections = {
            topic: self._writer.add_connection(topic, kind, typestore=store, offered_qos_profiles=[_reliable(latched)])
            for topic, (kind, store, latched) in topics.items()
        }

    def _flush(self) -> None:
        """Hand everything to the operating system, so that it survives the end of this process."""
        storage = self._writer.storage
        if self._storage == "sqlite3":
            try:
                storage.conn.commit()
            except sqlite3.Error as error:
                raise OSError(0, str(error), str(self.target)) from error
            return
        if storage.chunk.msgs:
            storage.close_chunk()
        storage.bio.flush()

    def _copy_frames(self, old: Path, frames: int) -> int:
        """Copy up to and including the ``frames``-th fused image; return how many there were."""
        kept = 0
        last = self._named(FUSED)
        for record in _records(old, self.target.name, self._storage):
            self._write(record.channel.topic, record.log_ns, record.raw)
            if record.channel.topic == last:
                self._flush()  # as when it was written, so that the file becomes the same
                kept += 1
            if kept == frames:
                break
        return kept


def _records(old: Path, name: str, storage: str) -> Iterator[Record]:
    path = old / name / f"{name}{_SUFFIX[storage]}"
    if not path.exists():
        return
    if storage == "sqlite3":
        with sqlite3.connect(path) as database:  # takes back what was not committed
            database.execute("SELECT count(*) FROM sqlite_master")
    yield from salvage(path, [])


def _reliable(latched: bool):
    from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime

    none = QosTime(0, 0)
    durability = QosDurability.TRANSIENT_LOCAL if latched else QosDurability.VOLATILE
    kinds = QosReliability.RELIABLE, durability
    return Qos(QosHistory.KEEP_LAST, 10, *kinds, none, none, QosLiveliness.AUTOMATIC, none, False)
