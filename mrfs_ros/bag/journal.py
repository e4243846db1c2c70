"""The diary of a run: one line of JSON for each pair, written when everything else of the pair is."""

from __future__ import annotations

import fcntl
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from mrfs_ros.errors import ConfigError


@dataclass(frozen=True)
class Entry:
    """What is kept of one pair; times in nanoseconds, ``seconds`` is what the engine took.

    ``shares``: part of the pixels of each class, 0 to 1, the last one of unlabelled pixels. ``metrics``: name to
    value. ``problem``: why there is no answer to this pair, or empty. ``unpaired``: rgb and thermal images in no pair
    since the entry before.
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

    @property
    def gap_ns(self) -> int | None:
        """Thermal minus rgb stamp; None when a camera was missing."""
        if self.rgb_stamp_ns is None or self.thermal_stamp_ns is None:
            return None
        return self.thermal_stamp_ns - self.rgb_stamp_ns


@dataclass
class Tally:
    """The entries of a diary added up; ``last_answered`` is the index of the last pair with an answer, or -1."""

    pairs: int = 0
    answered: int = 0
    last_answered: int = -1
    engine_seconds: float = 0.0
    problems: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)  # the first text of each reason

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Tally:
        tally = cls()
        for entry in entries:
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
            self.last_answered = entry.index
            self.engine_seconds += entry.seconds


class Journal:
    """Lines in ``path``: first what was asked for, then one ``Entry`` each; one process at a time.

    ConfigError when another process writes here, when something else was asked for, or when ``path`` is no diary.
    """

    def __init__(self, path: Path, order: dict):
        self._path = path
        order = json.loads(json.dumps(order))  # as it will be read back
        self._file = path.open("a+", encoding="utf-8")
        try:
            self._lock()
            if not self._recover(order):
                self._file.truncate(0)
                self._file.write(json.dumps(order) + "\n")
                self._file.flush()
        except BaseException:
            self._file.close()
            raise

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigError(
                f"{self._path}: another run is writing this result: wait for it, or name another"
            ) from error

    def _recover(self, order: dict) -> bool:
        """Drop what is torn or damaged at the end; False if nothing was done yet, so that it may begin anew."""
        lines = self._path.read_bytes().splitlines(keepends=True)
        whole = 0
        for number, line in enumerate(lines):
            try:
                values = json.loads(line)
                if not line.endswith(b"\n") or not isinstance(values, dict):
                    break
                if number:
                    _entry(values)
            except (ValueError, TypeError, KeyError):
                break
            whole += 1
        if len(lines) > 1 and not whole:
            raise ConfigError(f"{self._path}: is no diary of a run: remove what begins with {self._path.stem}")
        if whole < 2:
            return False
        begun = json.loads(lines[0])
        if different := sorted(key for key in {*begun, *order} if begun.get(key) != order.get(key)):
            raise ConfigError(
                f"{self._path}: a run with other settings ({', '.join(different)}) has begun here: repeat that one, "
                f"or remove everything that begins with {self._path.stem} to begin anew"
            )
        self._file.truncate(sum(map(len, lines[:whole])))
        return True

    def entries(self) -> Iterator[Entry]:
        """All entries so far, in order."""
        with self._path.open(encoding="utf-8") as lines:
            next(lines)
            for line in lines:
                yield _entry(json.loads(line))

    def add(self, entry: Entry) -> None:
        """Write an entry; once this returns, it survives the end of the process."""
        self._file.write(json.dumps(asdict(entry)) + "\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def _entry(values: dict) -> Entry:
    return Entry(**{**values, "shares": tuple(values["shares"]), "unpaired": tuple(values.get("unpaired", (0, 0)))})
