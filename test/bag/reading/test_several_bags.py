"""Several bags as one: each camera's own, parts of a drive, kinds mixed, overlapping only in part."""

from __future__ import annotations

import pytest
from bags import PERIOD_NS, START_NS, images, pairs, read_bag, write_bag, write_ros1_bag
from stub_engine import StubEngine

from mrfs_ros.bag.job import run_bag
from mrfs_ros.bag.settings import BagSettings
from mrfs_ros.errors import ConfigError

COUNT = 20


def of(entries, camera: str) -> list:
    return [entry for entry in entries if camera in entry[0]]


def run(tmp_path, *bags, **more):
    said = []
    asked = BagSettings(source=str(bags[0]), more=tuple(map(str, bags[1:])), **{"out": str(tmp_path / "out"), **more})
    return run_bag(asked, StubEngine(), say=said.append), "\n".join(said)


@pytest.mark.parametrize("kind", [{}, {"storage": "sqlite3"}, {"compression": "file"}, {"compression": "message"}])
def test_each_camera_in_a_bag_of_its_own(tmp_path, kind):
    entries = list(pairs(COUNT))
    run(tmp_path, write_bag(tmp_path / "both", entries), out=str(tmp_path / "one"), copy=("all",))
    rgb, thermal = (write_bag(tmp_path / c, of(entries, c), **k) for c, k in (("rgb", {}), ("thermal", kind)))
    summary, said = run(tmp_path, thermal, rgb, copy=("all",))
    assert (summary.answered, summary.exit_code) == (COUNT, 0)
    assert said == f"{thermal} and {rgb}: rgb from /rgb/image, thermal from /thermal/image"
    assert read_bag(tmp_path / "out") == read_bag(tmp_path / "one")


def test_a_ros1_bag_beside_a_rosbag2(tmp_path):
    """The same topic in two bags: messages of both, each read in its own format."""
    later = write_bag(tmp_path / "later", pairs(5, first=COUNT))
    summary, _ = run(tmp_path, write_ros1_bag(tmp_path / "first.bag", COUNT), later)
    stamps = list(images(read_bag(tmp_path / "out")["/mrfs/fused"]))
    assert stamps == [START_NS + i * PERIOD_NS for i in range(COUNT + 5)] and summary.exit_code == 0


def test_bags_that_overlap_in_part(tmp_path):
    rgb = write_bag(tmp_path / "rgb", of(pairs(COUNT), "rgb"))
    thermal = write_bag(tmp_path / "thermal", of(pairs(COUNT, first=12), "thermal"))
    summary, said = run(tmp_path, rgb, thermal)
    assert (summary.answered, summary.unpaired, summary.exit_code) == (8, (12, 12), 3)
    assert "images without a partner: 12 of 20 rgb, 12 of 20 thermal" in said


def test_bags_of_clocks_that_differ_by_hours(tmp_path):
    """The computer's clock stamps and records: the bags do not overlap in time, and the stamps still pair."""
    rgb = write_bag(tmp_path / "rgb", of(pairs(COUNT), "rgb"))
    late = [(t, log_ns + 3600 * 10**9, k, m) for t, log_ns, k, m in of(pairs(COUNT), "thermal")]
    summary, said = run(tmp_path, rgb, write_bag(tmp_path / "thermal", late))
    assert (summary.answered, summary.exit_code) == (COUNT, 0) and "paired by stamp" in said


def test_another_second_bag_is_another_run(tmp_path):
    rgb, thermal, other = (
        write_bag(tmp_path / name, of(pairs(COUNT, first=first), name[:3]))
        for name, first in (("rgb", 0), ("thermal", 0), ("thermal2", 1))
    )
    (tmp_path / "out").mkdir()
    (tmp_path / "out").rmdir()

    def stop(progress):
        if progress.done == 5:
            raise KeyboardInterrupt

    asked = BagSettings(source=str(rgb), more=(str(thermal),), out=str(tmp_path / "out"))
    with pytest.raises(KeyboardInterrupt):
        run_bag(asked, StubEngine(), on_progress=stop)
    with pytest.raises(ConfigError, match=r"a run with other settings .more, source files. has begun here"):
        run(tmp_path, rgb, other)
    summary, _ = run(tmp_path, rgb, thermal)
    assert (summary.resumed_at, summary.answered) == (5, COUNT)


def test_a_bag_named_twice_and_one_that_is_a_target(tmp_path):
    bag = write_bag(tmp_path / "drive", pairs(2))
    with pytest.raises(ConfigError, match="drive: is named twice: name each bag once"):
        run(tmp_path, bag, tmp_path / "." / "drive")
    with pytest.raises(ConfigError, match="must be apart"):
        run(tmp_path, bag, tmp_path / "out")


def test_one_of_them_is_damaged(tmp_path):
    entries = list(pairs(60, size=(96, 128)))
    rgb, thermal = (write_bag(tmp_path / c, of(entries, c)) for c in ("rgb", "thermal"))
    with (rgb / "rgb.mcap").open("r+b") as file:
        file.truncate(1_600_000)
    summary, _ = run(tmp_path, rgb, thermal)
    assert 15 <= summary.answered <= 45 and summary.damage and summary.exit_code == 3
    assert summary.unpaired == (0, 60 - summary.answered)
