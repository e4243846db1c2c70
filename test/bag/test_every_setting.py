"""Every field of ``BagSettings`` changes something that can be observed of a run; a new field fails here."""

from __future__ import annotations

import csv
import threading
import time
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from bags import START_NS, flat, pairs, read_bag, write_bag
from stub_engine import StubEngine

from mrfs_ros.bag import job
from mrfs_ros.bag.job import Progress, run_bag
from mrfs_ros.bag.journal import read_segments
from mrfs_ros.bag.settings import BagSettings
from mrfs_ros.config import NodeConfig
from mrfs_ros.errors import ConfigError

S = 10**9
COUNT = 6


class Batches(StubEngine):
    """Remembers how many pairs it got at once."""

    def __init__(self):
        super().__init__()
        self.sizes: list[int] = []

    def batch(self, rgb, thermal):
        self.sizes.append(len(rgb))
        return super().batch(rgb, thermal)


@pytest.fixture(scope="module")
def bags(tmp_path_factory) -> Path:
    """A bag with a second camera of each kind, one of other pairs, one in two halves, one with late recording."""
    folder = tmp_path_factory.mktemp("bags")
    other = pairs(COUNT, topics=("/other/rgb", "/other/thermal"), look=flat)
    write_bag(folder / "two", sorted([*pairs(COUNT), *other], key=lambda entry: entry[1]))
    write_bag(folder / "one", pairs(COUNT))
    write_bag(folder / "another", pairs(COUNT, first=30))
    for camera in ("rgb", "thermal"):
        write_bag(folder / camera, (entry for entry in pairs(COUNT) if camera in entry[0]))
    late = ((t, log_ns + (S // 25 if "thermal" in t else 0), *rest) for t, log_ns, *rest in pairs(COUNT))
    write_bag(folder / "late", late)
    return folder


def said(settings: BagSettings) -> Any:
    """What is asked for and cannot be, or how many pairs were answered."""
    try:
        return run_bag(settings, StubEngine()).answered
    except ConfigError as error:
        return str(error)


def made(settings: BagSettings) -> Any:
    """The files of all results."""
    run_bag(settings, StubEngine())
    files = [path for path in Path().rglob("*") if path.is_file()]
    assert all(path.stat().st_size for path in files)
    return sorted(map(str, files))


def rows(settings: BagSettings) -> Any:
    """The table, without the times that the engine took."""
    run_bag(settings, StubEngine())
    with Path("table.csv").open() as file:
        return [{name: value for name, value in row.items() if name != "engine_ms"} for row in csv.DictReader(file)]


def stamps(settings: BagSettings) -> Any:
    return [(int(row["rgb_stamp_ns"]) - START_NS) / S for row in rows(settings)]


def columns(settings: BagSettings) -> Any:
    return list(rows(settings)[0])


def topics(settings: BagSettings) -> Any:
    run_bag(settings, StubEngine())
    return {topic: len(messages) for topic, messages in read_bag(Path("out")).items()}


def objects(settings: BagSettings) -> Any:
    """The table of objects, by its suffix."""
    run_bag(settings, StubEngine())
    return [path.read_text() for path in Path().glob("objects.*")]


def types(settings: BagSettings) -> Any:
    run_bag(settings, StubEngine())
    about = yaml.safe_load(Path("out/metadata.yaml").read_text())["rosbag2_bagfile_information"]
    kinds = {topic["topic_metadata"]["type"] for topic in about["topics_with_message_count"]}
    return about["storage_identifier"], kinds


def at_once(settings: BagSettings) -> Any:
    engine = Batches()
    run_bag(settings, engine)
    return engine.sizes


def several_threads(settings: BagSettings) -> Any:
    """Do several threads decode?"""
    seen = set()

    def decode(*arguments: Any, **more: Any) -> Any:
        seen.add(threading.get_ident())
        time.sleep(0.02)
        return real(*arguments, **more)

    real = job.decode
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(job, "decode", decode)
        run_bag(settings, StubEngine())
    return len(seen) > 1


def segments(settings: BagSettings) -> Any:
    """Does the run bring what it has to the disk before it ends?"""
    found = []

    def look(_: Progress) -> None:
        found.extend(read_segments(Path("table.csv.partial.journal")))

    run_bag(settings, StubEngine(), on_progress=look)
    return bool(found)


def pictures(settings: BagSettings) -> Any:
    """Both cameras' images as the network got them."""
    run_bag(settings, StubEngine())
    found = [path.read_bytes() for path in sorted(Path("pairs").rglob("*.png"))]
    assert len(found) == 2 * COUNT
    return found


TABLE = {"source": "../one", "csv": "table.csv"}
OUT = {"source": "../one", "out": "out"}
CHOSEN = {"source": "../two", "pairs": "pairs", "rgb_topic": "/rgb/image", "thermal_topic": "/thermal/image"}
# Field: what it changes, the settings beside it, and its other value.
OBSERVED: dict[str, tuple[Callable[[BagSettings], Any], dict[str, Any], Any]] = {
    "source": (stamps, TABLE, "../another"),
    "more": (said, {**TABLE, "source": "../rgb"}, ("../thermal",)),
    "out": (made, TABLE, "out"),
    "video": (made, TABLE, "video.mp4"),
    "frames": (made, TABLE, "frames"),
    "pairs": (made, TABLE, "pairs"),
    "csv": (made, OUT, "table.csv"),
    "objects": (objects, {**TABLE, "objects": "objects.csv"}, "objects.json"),
    "report": (made, TABLE, "page.html"),
    "rerun": (made, TABLE, "recording.rrd"),
    "rgb_topic": (pictures, CHOSEN, "/other/rgb"),
    "thermal_topic": (pictures, CHOSEN, "/other/thermal"),
    "start_s": (stamps, TABLE, 0.25),
    "end_s": (stamps, TABLE, 0.25),
    "stamp": (said, {**TABLE, "source": "../late"}, "recorded"),
    "every": (stamps, TABLE, 2),
    "batch": (at_once, TABLE, 3),
    "workers": (several_threads, {**TABLE, "workers": 1}, 4),
    "overlay": (topics, OUT, True),
    "outputs": (topics, OUT, ("confidence", "objects", "fused/compressed")),
    "compressed": (types, OUT, True),
    "copy": (topics, OUT, ("/rgb/image",)),
    "storage": (types, OUT, "sqlite3"),
    "metrics": (columns, TABLE, "all"),
    "segment_s": (segments, TABLE, 0.0),
    "node": (said, TABLE, NodeConfig(slop_s=0.003)),
}


@pytest.mark.parametrize("name", [spec.name for spec in fields(BagSettings)])
def test_a_setting_changes_what_is_observed(name, bags, monkeypatch):
    assert name in OBSERVED, f"a setting that no test observes: say in OBSERVED what {name} changes"
    observe, beside, other = OBSERVED[name]
    one, seen = BagSettings(**beside), []
    for number, settings in enumerate((one, one, replace(one, **{name: other}))):
        place = bags / f"{name}{number}"
        place.mkdir()
        monkeypatch.chdir(place)
        seen.append(observe(settings))
    assert seen[0] == seen[1] != seen[2]


@pytest.mark.parametrize(
    "changes, text",
    [
        ({"node": NodeConfig(object_classes="cars")}, "'cars' is no class of MFNet: did you mean car, "),
        ({"objects": "table.txt"}, "objects: expected a file that ends in .csv or .json, got table.txt"),
        ({"outputs": ("fused", "depth")}, "outputs: expected some of segmentation, .*, got depth"),
    ],
)
def test_settings_of_outputs_that_cannot_be(bags, changes, text, monkeypatch):
    monkeypatch.chdir(bags)
    with pytest.raises(ConfigError, match=text):
        run_bag(BagSettings(source="one", out="never", **changes), StubEngine())
    assert not Path("never").exists()


def test_outputs_that_stay_silent_are_told(bags, monkeypatch):
    monkeypatch.chdir(bags)
    for number, unit in enumerate(("counts", "scaled")):
        settings = BagSettings(
            source="one", out=f"told{number}", outputs=("thermal", "confidence"), node=NodeConfig(thermal_unit=unit)
        )
        said: list[str] = []
        run_bag(settings, StubEngine(), say=said.append)
        expected = "no thermal: thermal values are no temperatures (thermal_unit: counts, "
        assert any(line.startswith(expected) for line in said) == (unit == "counts")
        assert len(read_bag(Path(settings.out)).get("/mrfs/thermal", [])) == (0 if unit == "counts" else COUNT)


def test_nothing_is_left_over():
    assert OBSERVED.keys() == {spec.name for spec in fields(BagSettings)}
