"""Several bags read as one, in the order of recording: each camera's own bag, or the parts of a drive."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from mrfs_ros.bag.reading.bag_reader import Bag, Topic
from mrfs_ros.bag.reading.records import Record
from mrfs_ros.errors import ConfigError


class Bags:
    """The bags at ``paths`` with the interface of ``Bag``: topics of all, messages merged by time of recording.

    ConfigError when two of the paths are one bag; other errors as of ``Bag``.
    """

    def __init__(self, paths: Sequence[Path]):
        self.path = paths[0]
        places = Counter(path.resolve() for path in paths)
        if twice := [path for path in paths if places[path.resolve()] > 1]:
            raise ConfigError(f"{twice[0]}: is named twice: name each bag once")
        with ExitStack() as stack:
            self._bags = [stack.enter_context(Bag(path)) for path in paths]
            self._stack = stack.pop_all()
        self.topics = _merged([bag.topics for bag in self._bags])
        with_messages = [bag for bag in self._bags if any(topic.count for topic in bag.topics.values())]
        self.start_ns = min((bag.start_ns for bag in with_messages), default=0)
        self.end_ns = max((bag.end_ns for bag in with_messages), default=0)

    def __enter__(self) -> Bags:
        return self

    def __exit__(self, *_) -> None:
        self._stack.close()

    @property
    def damage(self) -> list[str]:
        """As of ``Bag``, of all."""
        return [sentence for bag in self._bags for sentence in bag.damage]

    @property
    def notes(self) -> list[str]:
        """As of ``Bag``, of all."""
        return [sentence for bag in self._bags for sentence in bag.notes]

    def messages(
        self, topics: Collection[str], start_ns: int | None = None, stop_ns: int | None = None, *, apart: bool = False
    ) -> Iterator[Record]:
        """As of ``Bag``."""
        streams = (bag.messages(topics, start_ns, stop_ns, apart=apart) for bag in self._bags)
        return heapq.merge(*streams, key=lambda record: record.log_ns)


def open_bags(paths: Sequence[Path]) -> Bag | Bags:
    """The bag at one path, or those at several as one."""
    return Bag(paths[0]) if len(paths) == 1 else Bags(paths)


def _merged(topics: Sequence[dict[str, Topic]]) -> dict[str, Topic]:
    """By name, each with the channel of the bag that has most of its messages, and the messages of all."""
    merged: dict[str, Topic] = {}
    largest: Counter[str] = Counter()
    for name, topic in (item for one in topics for item in one.items()):
        other = merged.get(name)
        channel = topic.channel if other is None or topic.count > largest[name] else other.channel
        largest[name] = max(largest[name], topic.count)
        merged[name] = Topic(channel, topic.count + (other.count if other else 0))
    return merged
