"""Bags of every kind read alike: rosbag2 (mcap, sqlite3, compressed, split, bare files) and ROS 1, damaged ones too."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from mrfs_ros.bag.salvage import Channel, Record, salvage
from mrfs_ros.errors import ConfigError, MissingPackageError

FILE_KINDS = (".mcap", ".db3", ".bag", ".active")


@dataclass(frozen=True)
class Topic:
    """One topic of a bag: what it carries, how often."""

    channel: Channel
    count: int


class Bag:
    """A bag opened for reading; ``damage`` grows while it is read, a sentence for each thing that is lost.

    ``notes``: what is unusual about the bag, but loses nothing.
    ``topics``: by name. ``start_ns``, ``end_ns``: when its first and last message were recorded; equal if it has none.
    Raises ConfigError for a path that is no bag, MissingPackageError without rosbags.
    """

    def __init__(self, path: Path):
        self.path = path
        self.damage: list[str] = []
        self.notes: list[str] = []
        self._stack = ExitStack()
        self._reader = None
        files = _files(path)  # ConfigError before anything is opened
        try:
            self._reader = self._stack.enter_context(_indexed(path))
        except MissingPackageError:
            raise
        except Exception as error:  # damaged files make the readers raise all there is
            lacks = path.is_dir() and not (path / "metadata.yaml").exists()
            why = "metadata.yaml is missing, was the recording cut off?" if lacks else _line(error)
            self.notes.append(f"{path.name}: no index that can be used ({why}): read from front to back")
            self._scan(files)
            return
        counts: dict[str, int] = {}
        self.topics: dict[str, Topic] = {}
        for connection in self._reader.connections:
            counts[connection.topic] = counts.get(connection.topic, 0) + connection.msgcount
            self.topics[connection.topic] = Topic(_channel(connection, path), counts[connection.topic])
        empty = not self._reader.message_count
        self.start_ns, self.end_ns = (0, 0) if empty else (self._reader.start_time, self._reader.end_time - 1)

    def __enter__(self) -> Bag:
        return self

    def __exit__(self, *_) -> None:
        self._stack.close()

    def messages(
        self, topics: Collection[str], start_ns: int | None = None, stop_ns: int | None = None
    ) -> Iterator[Record]:
        """Messages on ``topics`` recorded from ``start_ns`` to before ``stop_ns``, in the order of recording."""
        if self._reader is None:
            yield from self._salvaged(topics, start_ns, stop_ns, {})
            return
        connections = [connection for connection in self._reader.connections if connection.topic in topics]
        channels = {topic: self.topics[topic].channel for topic in topics if topic in self.topics}
        if not connections:
            return
        last_ns: dict[str, int] = {}
        try:
            for connection, log_ns, raw in self._reader.messages(connections, start_ns, stop_ns):
                last_ns[connection.topic] = log_ns
                yield Record(channels[connection.topic], log_ns, raw)
        except Exception as error:  # as above; what was read is left out below
            self.damage.append(f"{self.path.name}: damaged ({_line(error)}): read on from front to back")
            yield from self._salvaged(topics, start_ns, stop_ns, last_ns)

    def _scan(self, files: list[Path]) -> None:
        """Topics, counts and times of a bag without an index."""
        counts: dict[str, int] = {}
        channels: dict[str, Channel] = {}
        times: list[int] = []
        for file in files:
            for record in _salvage(file, self.damage):
                topic = record.channel.topic
                counts[topic] = counts.get(topic, 0) + 1
                channels.setdefault(topic, record.channel)
                times = [min(times[0], record.log_ns), max(times[1], record.log_ns)] if times else [record.log_ns] * 2
        self.topics = {topic: Topic(channel, counts[topic]) for topic, channel in channels.items()}
        self.start_ns, self.end_ns = times or (0, 0)
        promised, found = _promised(self.path), sum(counts.values())
        if promised > found:
            self.damage.append(f"{self.path.name}: {promised - found} of {promised} messages are lost")

    def _salvaged(
        self, topics: Collection[str], start_ns: int | None, stop_ns: int | None, last_ns: dict[str, int]
    ) -> Iterator[Record]:
        """As ``messages``, without the index, of each topic only what is later than ``last_ns``."""
        damage = self.damage if self._reader else []  # the scan has told it already
        for file in _files(self.path):
            for record in _salvage(file, damage):
                topic, log_ns = record.channel.topic, record.log_ns
                if topic not in topics or log_ns <= last_ns.get(topic, -1):
                    continue
                if (start_ns is None or log_ns >= start_ns) and (stop_ns is None or log_ns < stop_ns):
                    yield record


def _files(path: Path) -> list[Path]:
    """The storage files of a bag, in order."""
    if path.is_dir():
        files = [file for file in path.iterdir() if {*file.suffixes[-2:]} & {".mcap", ".db3"}]
        if files:
            return sorted(files, key=_natural)
    elif path.suffix in FILE_KINDS and path.exists():
        return [path]
    elif not path.exists():
        raise ConfigError(f"{path}: no such bag")
    raise ConfigError(f"{path}: is no bag: expected a rosbag2 folder, or a file .mcap, .db3 (ROS 2) or .bag (ROS 1)")


def _promised(path: Path) -> int:
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


def _natural(path: Path) -> list:
    """Sorts drive_2 before drive_10."""
    parts = [""]
    for letter in path.name:
        parts[-1:] = [parts[-1] + letter] if letter.isdigit() == parts[-1][-1:].isdigit() else [parts[-1], letter]
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def _salvage(file: Path, damage: list[str]) -> Iterator[Record]:
    if file.suffix in FILE_KINDS:
        yield from salvage(file, damage)
    else:
        damage.append(f"{file.name}: is compressed as a whole and cannot be read: decompress it first (zstd -d)")


def _indexed(path: Path):
    """rosbags' own reader of the bag, not yet open."""
    try:
        from rosbags.rosbag1 import Reader as Reader1
        from rosbags.rosbag2 import Reader as Reader2
    except ImportError as error:
        raise MissingPackageError("reading bags needs rosbags: pip install 'mrfs_ros[bags]'") from error
    return Reader1(path) if path.suffix in (".bag", ".active") else Reader2(path)


def _channel(connection, path: Path) -> Channel:
    ros1 = path.suffix in (".bag", ".active")
    return Channel(connection.topic, connection.msgtype, connection.msgdef.data, ros1, _is_latched(connection))


def _is_latched(connection) -> bool:
    """By ROS 1's flag, or the durability that ROS 2's publisher offered; static transforms always are."""
    profiles = getattr(connection.ext, "offered_qos_profiles", None) or []
    kept = any(getattr(profile.durability, "name", "") == "TRANSIENT_LOCAL" for profile in profiles)
    return bool(getattr(connection.ext, "latching", None)) or kept or connection.topic.endswith("/tf_static")


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
