"""Tables of objects: what they hold, and nothing of pairs without an answer."""

from __future__ import annotations

import csv
import json

from made_frames import START_NS, STEP_NS, made_entry

from mrfs_ros.bag.writing.object_table import write_objects
from mrfs_ros.objects import SegmentedObject


def found(x: int, mean: float | None = None) -> dict:
    return SegmentedObject(1, "car", 0.75, x, 2, 30, 20, 550, mean, mean and mean + 5)._asdict()


ENTRIES = [
    made_entry(0, objects=(found(1), found(40, 21.5))),
    made_entry(1, problem="no image", reason="data_size"),
    made_entry(2),
    made_entry(3, objects=(found(2),)),
]


def test_csv_has_a_line_for_each_object(tmp_path):
    write_objects(tmp_path / "objects.csv", ENTRIES)
    with (tmp_path / "objects.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["pair", "stamp_ns", *SegmentedObject._fields]
    assert [(row["pair"], row["x"], row["mean_celsius"], row["max_celsius"]) for row in rows] == [
        ("0", "1", "", ""),
        ("0", "40", "21.5", "26.5"),
        ("3", "2", "", ""),
    ]
    names = "class_id", "class_name", "score", "area"
    assert {tuple(row[name] for name in names) for row in rows} == {("1", "car", "0.75", "550")}


def test_json_has_an_entry_for_each_answered_pair(tmp_path):
    write_objects(tmp_path / "objects.json", ENTRIES)
    pairs = json.loads((tmp_path / "objects.json").read_text())
    assert [(pair["pair"], pair["stamp_ns"]) for pair in pairs] == [(i, START_NS + i * STEP_NS) for i in (0, 2, 3)]
    assert [pair["objects"] for pair in pairs] == [[found(1), found(40, 21.5)], [], [found(2)]]


def test_a_run_without_pairs(tmp_path):
    for suffix, content in ((".json", []), (".csv", None)):
        write_objects(tmp_path / f"objects{suffix}", [])
        text = (tmp_path / f"objects{suffix}").read_text()
        assert json.loads(text) == content if suffix == ".json" else len(text.splitlines()) == 1
