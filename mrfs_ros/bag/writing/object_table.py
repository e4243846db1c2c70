"""Objects of a run as a table: CSV, a line for each, or JSON, an entry for each pair."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from pathlib import Path

from mrfs_ros.bag.journal import Entry
from mrfs_ros.files import atomic
from mrfs_ros.objects import SegmentedObject


def write_objects(path: Path, entries: Iterable[Entry]) -> None:
    """Write ``path`` in one step, as its suffix says; nothing of pairs without an answer.

    ``pair``: index of the pair, ``stamp_ns``: stamp of its results [ns]; the rest as in ``SegmentedObject``, empty
    (CSV) or null (JSON) where that is not known.
    """
    answered = (entry for entry in entries if not entry.problem)
    with atomic(path) as unfinished, unfinished.open("w", newline="", encoding="utf-8") as file:
        if path.suffix == ".json":
            file.write("[")
            for number, entry in enumerate(answered):
                pair = {"pair": entry.index, "stamp_ns": entry.stamp_ns, "objects": entry.objects}
                file.write(("," if number else "") + "\n" + json.dumps(pair))
            file.write("\n]\n")
            return
        writer = csv.writer(file)
        writer.writerow(["pair", "stamp_ns", *SegmentedObject._fields])
        for entry in answered:
            for found in entry.objects:
                writer.writerow([entry.index, entry.stamp_ns, *found.values()])
