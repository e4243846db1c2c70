"""The diary of a run: one line of JSON for each pair, written when everything else of the pair is."""

from __future__ import annotations

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
    value. ``problem``: why there is no answer to this pair, or empty.
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
        else:
            self.answered += 1
            self.last_answered = entry.index
            self.engine_seconds += entry.seconds


class Journal:
    """Lines in ``path``: first what was asked for, then one ``Entry`` each."""

    def __init__(self, path: Path, order: dict):
        self._path = path
        order = json.loads(json.dumps(order))  # as it will be read back
        if not self._recover(order):
            path.write_text(json.dumps(order) + "\n", encoding="utf-8")
        self._file = path.open("a", encoding="utf-8")

    def _recover(self, order: dict) -> bool:
        """Drop a torn last line; False if nothing was written yet. ConfigError when something else was asked for."""
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return False
        whole = content[: content.rfind(b"\n") + 1]
        if whole.count(b"\n") < 2:  # nothing was done yet: whatever it was, it may begin anew
            return False
        begun = json.loads(whole[: whole.index(b"\n")])
        if different := sorted(key for key in {*begun, *order} if begun.get(key) != order.get(key)):
            raise ConfigError(
                f"{self._path}: a run with other settings ({', '.join(different)}) has begun here: repeat that one, "
                f"or remove this file to begin anew"
            )
        if len(whole) < len(content):
            self._path.write_bytes(whole)
        return True

    def entries(self) -> Iterator[Entry]:
        """All entries so far, in order."""
        with self._path.open(encoding="utf-8") as lines:
            next(lines)
            for line in lines:
                values = json.loads(line)
                yield Entry(**{**values, "shares": tuple(values["shares"])})

    def add(self, entry: Entry) -> None:
        """Write an entry; once this returns, it survives the end of the process."""
        self._file.write(json.dumps(asdict(entry)) + "\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()
