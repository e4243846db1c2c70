"""Seeded bags with missing halves, in any order, of any clocks: no wrong result with exit code 0.

More cases by hand: MRFS_CASES=2000 python -m pytest test/bag/test_missing_halves.py
"""

from __future__ import annotations

import os
import random
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from bags import START_NS, message, write_bag
from stub_engine import StubEngine

from mrfs_ros.bag.job import run_bag
from mrfs_ros.bag.settings import BagSettings
from mrfs_ros.bag.summary import Summary
from mrfs_ros.config import NodeConfig

pytestmark = pytest.mark.slow
CASES = int(os.environ.get("MRFS_CASES", "60"))
MS = 10**6
CLOCKS = {
    "same": lambda ns, half: ns,
    "zero": lambda ns, half: 0,
    "since boot": lambda ns, half: ns - START_NS + 7 * 10**9,
    "future": lambda ns, half: ns + 10**17,
    "falls back": lambda ns, half: ns - 3 * 10**9 if half else ns,
}


@dataclass
class Drive:
    """``kept``: of rgb and thermal, the numbers of the moments whose image lies in the bag and can be read."""

    count: int
    period_ms: int
    clock: str
    order: str
    stamp: str
    kept: tuple[set[int], set[int]] = field(default_factory=lambda: (set(), set()))
    repeated: tuple[Counter, Counter] = field(default_factory=lambda: (Counter(), Counter()))
    bad: int = 0


class Watching(StubEngine):
    """Notes which moments' images come as pairs."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[int, int]] = []

    def __call__(self, rgb, thermal):
        self.seen.append((int(rgb[0, 0, 0]), int(thermal[0, 0])))
        return super().__call__(rgb, thermal)


def made(seed: int, folder: Path) -> tuple[Drive, list[Path]]:
    """The drive of a seed, and its bags."""
    rng = random.Random(seed)
    drive = Drive(
        count=rng.randint(3, 30),
        period_ms=rng.choice((100, 100, 40, 33)),
        clock=rng.choice(("same",) * 12 + tuple(CLOCKS)),
        order=rng.choice(("usual", "usual", "rgb first", "thermal first", "shuffled", "two bags")),
        stamp=rng.choice(("header", "header", "recorded")),
    )
    lag_ms = rng.randint(1, int(0.4 * min(drive.period_ms, 30)))
    lost = lost_images(rng, drive.count)
    entries = []
    for i in range(drive.count):
        for camera in (0, 1):
            if (camera, i) in lost:
                continue
            ns = START_NS + (i * drive.period_ms + camera * lag_ms) * MS
            stamp_ns = CLOCKS[drive.clock](ns, i >= drive.count // 2) if camera else ns
            pixels = np.full((32, 32, 3) if camera == 0 else (32, 32), i + 1, np.uint8)
            kind, content = message(pixels, stamp_ns, "frame")
            if rng.random() < 0.003:
                content, drive.bad = replace(content, encoding="8UC7"), drive.bad + 1
            else:
                drive.kept[camera].add(i)
            copies = 2 if rng.random() < 0.01 else 1
            drive.repeated[camera][i] += copies - 1 if i in drive.kept[camera] else 0
            drive.bad += copies - 1 if i not in drive.kept[camera] else 0
            entries += [(("/rgb/image", "/thermal/image")[camera], ns, kind, content)] * copies
    return drive, written(rng, drive, entries, folder)


def lost_images(rng: random.Random, count: int) -> set[tuple[int, int]]:
    """(camera, moment) of the images that are not in the bag: here and there, in runs, all of an end, all of one."""
    lost = {(rng.randint(0, 1), rng.randrange(count)) for _ in range(rng.choice((0, 0, 0, 0, 1, 2, 5)))}
    if rng.random() < 0.15:
        begin, camera = rng.randrange(count), rng.randint(0, 1)
        lost |= {(camera, i) for i in range(begin, min(count, begin + rng.randint(1, count)))}
    return lost


def written(rng: random.Random, drive: Drive, entries: list, folder: Path) -> list[Path]:
    storage = {"storage": rng.choice(("mcap", "sqlite3"))}
    parts = [[entry for entry in entries if (entry[0] == "/rgb/image") is rgb] for rgb in (True, False)]
    if drive.order == "two bags":
        return [write_bag(folder / f"bag{n}", part, **storage) for n, part in enumerate(parts) if part]
    if drive.order != "usual":
        if drive.order == "shuffled":  # blocks of a camera's messages, in their order
            begun = [0, 0]
            entries = []
            while any(begun[c] < len(parts[c]) for c in (0, 1)):
                camera, block = rng.randint(0, 1), rng.randint(1, 15)
                entries += parts[camera][begun[camera] : begun[camera] + block]
                begun[camera] += block
        else:
            entries = parts[0] + parts[1] if drive.order == "rgb first" else parts[1] + parts[0]
        entries = [(t, START_NS + 10**12 + n * MS, k, m) for n, (t, _, k, m) in enumerate(entries)]
    return [write_bag(folder / "bag", entries, **storage)]


def tells_its_period(kept: set[int]) -> bool:
    """Whether a camera that lost all others could not as well be a slower one, which is a frame late."""
    steps = np.diff(sorted(kept))
    return len(steps) > 0 and float(np.median(steps)) == 1


def check(seed: int, folder: Path) -> Summary | None:
    """Run the case and hold it against what its bags hold; None where a camera has no image at all."""
    drive, bags = made(seed, folder)
    if not all(drive.kept):
        return None
    engine = Watching()
    asked = BagSettings(
        source=str(bags[0]),
        more=tuple(map(str, bags[1:])),
        csv=str(folder / "t.csv"),
        rgb_topic="/rgb/image",
        thermal_topic="/thermal/image",
        stamp=drive.stamp,
        node=NodeConfig(),
    )
    summary = run_bag(asked, engine)
    both = drive.kept[0] & drive.kept[1]
    there = [len(kept) + sum(again.values()) for kept, again in zip(drive.kept, drive.repeated)]
    assert summary.unpaired == tuple(count - summary.pairs for count in there), (seed, drive)
    assert sum(summary.skipped.values()) == drive.bad, (seed, drive)
    if summary.exit_code == 0 and all(map(tells_its_period, drive.kept)):
        assert engine.seen == [(i + 1, i + 1) for i in sorted(both)], (seed, drive)
    if drive.clock == "same" and drive.stamp == "header" and drive.period_ms >= 40:
        paired = [pair for pair in engine.seen if pair[0] == pair[1]]
        assert summary.pairing_loss or len(paired) == len(both), (seed, drive)
        assert drive.period_ms < 100 or engine.seen == [(i + 1, i + 1) for i in sorted(both)], (seed, drive)
    return summary


@pytest.mark.parametrize("first", range(0, CASES, 20))
def test_no_wrong_result_with_exit_code_0(tmp_path, first):
    codes = Counter()
    for seed in range(first, first + 20):
        folder = tmp_path / str(seed)
        folder.mkdir()
        summary = check(seed, folder)
        codes[None if summary is None else summary.exit_code] += 1
    assert codes[0] and codes[3]  # the cases are of both kinds
