"""Journal of a run: which pairs are done and on the disk, and how far the files count that hold their results."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from mrfs_ros.errors import ConfigError
from mrfs_ros.files import lock, write_text


@dataclass(frozen=True)
class Entry:
    """What is kept of one pair; times in nanoseconds, ``seconds`` is what the engine took.

    ``shares``: part of the pixels of each class, 0 to 1, the last one of unlabelled pixels. ``metrics``: name to
    value. ``problem``: why there is no answer to this pair, or empty. ``unpaired``: rgb and thermal images in no pair
    since the entry before. ``objects``: fields of each ``SegmentedObject``, where these are asked for.
    """

    index: int
    stamp_ns: int
    rgb_stamp_ns: int | None
    thermal_stamp_ns: int | None
    log_ns: int
    seconds: float = 0.0
    shares: tuple[float, ...] = ()
    metrics: dict[str, float] = field(default_factory=dict)
    problem: str = ""
    reason: str = ""
    unpaired: tuple[int, int] = (0, 0)
    objects: tuple[dict[str, Any], ...] = ()

    @property
    def gap_ns(self) -> int | None:
        """Thermal minus rgb stamp; None when a camera was missing."""
        if self.rgb_stamp_ns is None or self.thermal_stamp_ns is None:
            return None
        return self.thermal_stamp_ns - self.rgb_stamp_ns


Sizes = dict[str, dict[str, int]]  # of each result's files, by their paths in its working folder [bytes]


@dataclass(frozen=True)
class Segment:
    """Half a minute of a run: its entries, and what was on the disk when it ended.

    ``sizes``: so much of the files that it wrote counts, those that grow included. ``copied``: messages copied since
    the run began.
    """

    entries: tuple[Entry, ...]
    sizes: Sizes
    copied: int


@dataclass
class Tally:
    """The segments of a journal added up."""

    pairs: int = 0
    answered: int = 0
    copied: int = 0
    engine_seconds: float = 0.0
    problems: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)  # the first text of each reason

    @classmethod
    def of(cls, segments: Iterable[Segment]) -> Tally:
        tally = cls()
        for segment in segments:
            tally.copied = segment.copied
            for entry in segment.entries:
                tally.add(entry)
        return tally

    def add(self, entry: Entry) -> None:
        """Count one more."""
        self.pairs += 1
        if entry.problem:
            self.problems[entry.reason] += 1
            self.examples.setdefault(entry.reason, entry.problem)
        else:
            self.answered += 1
            self.engine_seconds += entry.seconds


class Journal:
    """A folder with a file for each segment, each written as a whole; one process at a time.

    A segment counts if its file is there, and those of all segments before it. MrfsError when another process writes
    here, ConfigError when a run with another configuration has begun here.

    Attributes:
        unreadable: an earlier run left segments, but the first cannot be read, so that none counts.
    """

    def __init__(self, folder: Path, configuration: Mapping[str, object]):
        self._folder = folder
        self._configuration = json.loads(json.dumps(configuration))  # as it will be read back
        self._stack = ExitStack()
        self._stack.enter_context(lock(folder / "lock", 0.0, "is writing this result"))
        try:
            self._check_configuration()
        except BaseException:
            self.close()
            raise
        self._count = sum(1 for _ in read_segments(folder))
        self.unreadable = not self._count and any(folder.glob("*.json"))

    def _check_configuration(self) -> None:
        begun = _content(self._folder, 0).get("configuration", self._configuration)
        asked = self._configuration
        if different := sorted(key for key in {*begun, *asked} if begun.get(key) != asked.get(key)):
            raise ConfigError(
                f"{self._folder}: a run with other settings ({', '.join(different)}) has begun here: repeat that one, "
                f"or remove everything that begins with {self._folder.stem} to begin anew"
            )

    def __len__(self) -> int:
        return self._count

    def segments(self) -> Iterator[Segment]:
        """All segments so far, in order."""
        return read_segments(self._folder)

    def entries(self) -> Iterator[Entry]:
        """All entries so far, in order."""
        return (entry for segment in self.segments() for entry in segment.entries)

    def keep(self, segments: int) -> None:
        """Forget all but the first ``segments`` segments, and whatever a kill left."""
        kept = {_path(self._folder, number) for number in range(segments)}
        for path in self._folder.glob("*.json*"):
            if path not in kept:
                path.unlink()
        self._count = segments

    def add(self, segment: Segment) -> None:
        """Write a segment; once this returns, it survives a power cut if its files do."""
        content = {"configuration": self._configuration, **asdict(segment)}
        write_text(_path(self._folder, self._count), json.dumps(content))
        self._count += 1

    def remove(self) -> None:
        """The run is finished: leave nothing."""
        shutil.rmtree(self._folder)
        self.close()

    def close(self) -> None:
        self._stack.close()


def read_segments(folder: Path) -> Iterator[Segment]:
    """The segments of a journal in order, up to the first that cannot be read."""
    for number in count():
        content = _content(folder, number)
        try:
            entries = tuple(_entry(values) for values in content["entries"])
            yield Segment(entries, content["sizes"], content["copied"])
        except (KeyError, TypeError):
            return


def _path(folder: Path, number: int) -> Path:
    return folder / f"{number:06d}.json"


def _content(folder: Path, number: int) -> dict:
    try:
        content = json.loads(_path(folder, number).read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _entry(values: dict) -> Entry:
    return Entry(**values | {name: tuple(values[name]) for name in ("shares", "unpaired", "objects")})
