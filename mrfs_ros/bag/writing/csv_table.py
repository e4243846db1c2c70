"""CSV table of a run: a line for each entry of its journal."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from mrfs_ros.bag.journal import Entry
from mrfs_ros.files import atomic
from mrfs_ros.types import ClassSet


def write_table(path: Path, entries: Iterable[Entry], classes: ClassSet, metrics: list[str]) -> None:
    """Write ``path`` in one step; stamps in ns, gap and engine time in ms, shares 0 to 1 (id 255 is no class).

    ``unpaired_rgb``, ``unpaired_thermal``: images of that camera in no pair since the line before, after the last pair
    included in its line. A pair without an answer has its problem in the last column, and nothing in those of the
    results.
    """
    shares = [f"share {name}" for name in (*classes.names, 255)]
    header = ["pair", "stamp_ns", "rgb_stamp_ns", "thermal_stamp_ns", "gap_ms", "recorded_ns", "engine_ms"]
    with atomic(path) as unfinished, unfinished.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*header, *shares, *metrics, "unpaired_rgb", "unpaired_thermal", "problem"])
        for entry in entries:
            stamps = [entry.stamp_ns, entry.rgb_stamp_ns, entry.thermal_stamp_ns]
            gap = "" if entry.gap_ns is None else f"{entry.gap_ns / 1e6:.3f}"
            results = [f"{1000 * entry.seconds:.2f}", *(f"{share:.6f}" for share in entry.shares)]
            results += ["" if name not in entry.metrics else f"{entry.metrics[name]:.6g}" for name in metrics]
            if entry.problem:
                results = [""] * (1 + len(shares) + len(metrics))
            cells = ["" if value is None else value for value in stamps]
            writer.writerow([entry.index, *cells, gap, entry.log_ns, *results, *entry.unpaired, entry.problem])
