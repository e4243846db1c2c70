"""Bags of every kind read alike: rosbag2 (mcap, sqlite3, compressed, split, bare files) and ROS 1, damaged ones too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from mrfs_ros.bag.reading.index_check import (
    Given,
    expected_between,
    expected_by_file,
    expected_by_metadata,
    expected_counts,
    index_error,
    losses,
)
from mrfs_ros.bag.reading.records import Channel, Record
from mrfs_ros.bag.reading.salvage import salvage
from mrfs_ros.bag.reading.salvage_mcap import read_summary
from mrfs_ros.bag.reading.write_ahead_log import joined, log_of
from mrfs_ros.bag.reading.zstd_files import unpack_file, unpacked
from mrfs_ros.bag.rosbags_internals import file_of, first_last_ns, storages_of
from mrfs_ros.data.video_files import VIDEO_SUFFIXES, VIDEO_WAY
from mrfs_ros.errors import ConfigError, MissingPackageError, needs_package, some

FILE_KINDS = (".mcap", ".db3", ".bag", ".active")
PACKED_KINDS = (".mcap.zstd", ".db3.zstd")  # as rosbag2 compresses whole storage files


@dataclass(frozen=True)
class Topic:
    """One topic of a bag: what it carries, how often."""

    channel: Channel
    count: int


class Bag:
    """A bag opened for reading; ``damage`` grows while it is read, a sentence for each thing that is lost.

    ``notes``: what is unusual about the bag, but loses nothing.
    ``topics``: by name. ``start_ns``, ``end_ns``: when its first and last message were recorded; equal if it has none.
    A storage file that is compressed as a whole is unpacked to a temporary folder, several times its size, for as long
    as the bag is open; a database with a write-ahead log is copied there.
    Raises ConfigError for a path that is no bag, MissingPackageError without rosbags.
    """

    def __init__(self, path: Path):
        self.path = path
        self.damage: list[str] = []
        self.notes: list[str] = []
        self._stack = ExitStack()
        self._reader = None
        self._files = _files(path)  # ConfigError before anything is opened
        try:
            self._open()
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self) -> Bag:
        return self

    def __exit__(self, *_) -> None:
        self._stack.close()

    def messages(
        self, topics: Collection[str], start_ns: int | None = None, stop_ns: int | None = None, *, apart: bool = False
    ) -> Iterator[Record]:
        """Messages on ``topics`` recorded from ``start_ns`` to before ``stop_ns``, in the order of recording.

        Those that only a second look finds come last. ``apart``: while others are read too, through a reader of its
        own.
        """
        if self._reader is None:
            yield from self._salvaged(topics, start_ns, stop_ns, [])  # the scan has told what is damaged
            return
        given, again = Given(), ""
        try:
            with _indexed(self.path) if apart else nullcontext(self._reader) as reader:
                connections = [connection for connection in reader.connections if connection.topic in topics]
                if not connections:
                    return
                for connection, log_ns, raw in reader.messages(connections, start_ns, stop_ns):
                    record = unpacked(Record(self._channels[connection.id], log_ns, raw))
                    given.add(record)
                    yield record
        except Exception as error:  # damaged files make the readers raise all there is
            again = f"damaged ({_line(error)})"
        expected = self._expected(topics, start_ns, stop_ns)
        if missing := losses(expected, given.counts):
            again = again or f"the index did not lead to {missing}"
        if not again:
            return
        self._tell(f"{self.path.name}: {again}: read on from front to back")
        damage: list[str] = []
        for record in self._salvaged(topics, start_ns, stop_ns, damage):
            if not given.took(record):
                given.counts[record.channel.topic] += 1
                yield record
        if missing := losses(expected, given.counts):
            damage.append(f"{self.path.name}: {missing} are lost")
        self._tell(*damage)

    def _open(self) -> None:
        """By the index, or from front to back if it cannot be trusted."""
        if any(map(log_of, self._files)):
            self._join_logs()
            self._unpack()
            self._scan()
            return
        try:
            self._reader = self._stack.enter_context(_indexed(self.path))
            if why := index_error(self._reader):
                raise ValueError(why)
        except MissingPackageError:
            raise
        except Exception as error:  # as above
            self._reader = None
            self._stack.close()
            self.notes.append(
                f"{self.path.name}: no index that can be used ({self._why(error)}): read from front to back"
            )
            self._unpack()
            self._scan()
            return
        storages = storages_of(self._reader)
        self._files = [file_of(storage) for storage in storages]  # unpacked, if they were compressed
        self._channels = {each.id: _channel(each, self.path) for each in self._reader.connections}
        counts: dict[Channel, int] = {}
        for connection in self._reader.connections:
            channel = self._channels[connection.id]
            counts[channel] = counts.get(channel, 0) + connection.msgcount
        self._set_topics(counts, expected_counts(self._reader))
        times = [first_last_ns(storage) for storage in storages]
        times = [first_last for first_last in times if first_last[0] <= first_last[1]]
        self.start_ns = min((first for first, _ in times), default=0)
        self.end_ns = max((last for _, last in times), default=0)

    def _why(self, error: Exception) -> str:
        if self.path.is_dir() and not (self.path / "metadata.yaml").exists():
            return "metadata.yaml is missing, was the recording cut off?"
        foreign = {name for file in self._files if file.suffix == ".mcap" for name in read_summary(file).foreign}
        if isinstance(error, (KeyError, UnicodeDecodeError)) and foreign:
            return f"some of its topics are not of ROS but {', '.join(sorted(foreign))}"
        return _line(error)

    def _set_topics(self, counts: Mapping[Channel, int], totals: Mapping[str, int]) -> None:
        """``topics``, each with the channel that has most messages."""
        self.topics: dict[str, Topic] = {}
        for channel, count in counts.items():
            other = self.topics.get(channel.topic)
            if other is None or count > counts[other.channel]:
                self.topics[channel.topic] = Topic(channel, totals[channel.topic])
        for name, topic in self.topics.items():
            others = {channel.kind for channel in counts if channel.topic == name} - {topic.channel.kind}
            if others:
                self.notes.append(
                    f"{self.path.name}: {name} has messages of several types: {topic.channel.kind}, and fewer of "
                    f"{', '.join(sorted(others))}"
                )

    def _expected(self, topics: Collection[str], start_ns: int | None, stop_ns: int | None) -> Counter[str]:
        """How many messages must come."""
        try:
            expected = expected_between(self._reader, topics, start_ns, stop_ns)
        except Exception:  # as above
            expected = Counter()
        if (start_ns is None or start_ns <= self.start_ns) and (stop_ns is None or stop_ns > self.end_ns):
            expected |= Counter({topic: self.topics[topic].count for topic in topics if topic in self.topics})
        return expected

    def _tell(self, *sentences: str) -> None:
        """Add to ``damage`` what is not there yet from reading it before."""
        self.damage += [sentence for sentence in sentences if sentence not in self.damage]

    def _join_logs(self) -> None:
        """Databases whose recorder was killed to copies that hold all it wrote."""
        folder = Path(self._stack.enter_context(TemporaryDirectory(prefix="mrfs_bag_")))
        self._files = [joined(file, folder, self.notes, self.damage) if log_of(file) else file for file in self._files]

    def _unpack(self) -> None:
        """Files that are compressed as a whole to plain ones."""
        if all(file.suffix in FILE_KINDS for file in self._files):
            return
        folder = Path(self._stack.enter_context(TemporaryDirectory(prefix="mrfs_bag_")))
        self._files = [
            file if file.suffix in FILE_KINDS else unpack_file(file, folder, self.damage) for file in self._files
        ]

    def _scan(self) -> None:
        """Topics, counts and times of a bag without an index."""
        counts: dict[Channel, int] = {}
        times: list[int] = []
        expected = 0
        for file in self._files:
            expected += expected_by_file(file)
            for record in salvage(file, self.damage):
                counts[record.channel] = counts.get(record.channel, 0) + 1
                times = [min(times[0], record.log_ns), max(times[1], record.log_ns)] if times else [record.log_ns] * 2
        totals: Counter[str] = Counter()
        for channel, count in counts.items():
            totals[channel.topic] += count
        self._set_topics(counts, totals)
        self.start_ns, self.end_ns = times or (0, 0)
        expected, found = max(expected, expected_by_metadata(self.path)), sum(counts.values())
        if expected > found:
            self.damage.append(f"{self.path.name}: {expected - found} of {expected} messages are lost")

    def _salvaged(
        self, topics: Collection[str], start_ns: int | None, stop_ns: int | None, damage: list[str]
    ) -> Iterator[Record]:
        """As ``messages``, without the index."""
        for file in self._files:
            for record in salvage(file, damage):
                in_time = (start_ns is None or record.log_ns >= start_ns) and (
                    stop_ns is None or record.log_ns < stop_ns
                )
                if in_time and record.channel.topic in topics:
                    yield record


def _files(path: Path) -> list[Path]:
    """The storage files of a bag, in order."""
    if path.is_dir():
        content = [entry for entry in path.iterdir() if not entry.name.startswith(".")]  # ._NAME.mcap: left by macOS
        files = [file for file in content if {*file.suffixes[-2:]} & {".mcap", ".db3"} and file.is_file()]
        if files:
            return sorted(files, key=_natural)
        if inside := sorted(entry.name for entry in content if _is_like_a_bag(entry)):
            raise ConfigError(f"{path}: is no bag, but holds {some(inside)}: name one of these")
    elif path.name == "metadata.yaml":
        raise ConfigError(f"{path}: is part of a bag: name its folder, {path.parent}")
    elif path.is_file() and _is_storage(path):
        return [path]
    elif not path.exists():
        raise ConfigError(f"{path}: no such bag")
    elif path.suffix.lower() in VIDEO_SUFFIXES:
        raise ConfigError(f"{path}: is a video, no bag: {VIDEO_WAY}")
    raise ConfigError(f"{path}: is no bag: expected a rosbag2 folder, or a file .mcap, .db3 (ROS 2) or .bag (ROS 1)")


def _is_like_a_bag(path: Path) -> bool:
    if path.is_dir():
        return (path / "metadata.yaml").is_file()
    return _is_storage(path)


def _is_storage(file: Path) -> bool:
    return file.suffix in FILE_KINDS or file.name.endswith(PACKED_KINDS)


def files_of(path: Path) -> list[Path]:
    """All that lies in a bag's folder, or the one file that it is, with its write-ahead log."""
    if path.is_file():
        return [path, *filter(None, [log_of(path)])]
    return sorted(file for file in path.iterdir() if file.is_file())


def _natural(path: Path) -> list:
    """Sorts drive_2 before drive_10."""
    parts = [""]
    for letter in path.name:
        parts[-1:] = [parts[-1] + letter] if letter.isdigit() == parts[-1][-1:].isdigit() else [parts[-1], letter]
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def _indexed(path: Path):
    """rosbags' own reader of the bag, not yet open."""
    with needs_package("reading bags", "rosbags", "bags"):
        from rosbags.rosbag1 import Reader as Reader1
        from rosbags.rosbag2 import Reader as Reader2
    return Reader1(path) if path.suffix in (".bag", ".active") else Reader2(path)


def _channel(connection, path: Path) -> Channel:
    ros1 = path.suffix in (".bag", ".active")
    return Channel(connection.topic, connection.msgtype, connection.msgdef.data, ros1, _is_latched(connection))


def _is_latched(connection) -> bool:
    """By ROS 1's flag, or the durability that ROS 2's publisher offered."""
    profiles = getattr(connection.ext, "offered_qos_profiles", None) or []
    kept = any(getattr(profile.durability, "name", "") == "TRANSIENT_LOCAL" for profile in profiles)
    return bool(getattr(connection.ext, "latching", None)) or kept


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
