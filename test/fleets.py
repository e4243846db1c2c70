"""What the tests of many bags share: asking for them, and looking at what came of it."""

from __future__ import annotations

from pathlib import Path

from mrfs_ros.fleet import remote_files, summary_table
from mrfs_ros.fleet import run as fleet
from mrfs_ros.fleet import task as fleet_task
from mrfs_ros.fleet.run import FleetSettings, run_fleet

PAIRS = 5
NAMES = ("run1_cam", "run2_cam", "street")


def asked(recordings, out, *more, **others) -> FleetSettings:
    bags = (f"{recordings}/*/cam", f"{recordings}/street", *more)
    return FleetSettings(**{"bags": bags, "out": str(out), "results": ("out", "frames"), **others})


def run(settings) -> dict[str, str]:
    return {outcome.name: outcome.state for outcome in run_fleet(settings, lambda _: None)}


def results(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in (fleet.ASKED, summary_table.TABLE, summary_table.FACTS, fleet_task.DONE)
    }


def names_in(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def cut(recordings, folder) -> Path:
    """The bag ``street`` as one file in ``folder``, one of its images not what it was."""
    content = (recordings / "street/street.mcap").read_bytes()
    folder.mkdir(exist_ok=True)
    (folder / "street.mcap").write_bytes(content.replace(b"rgb8", b"xgb8", 1))
    return folder / "street.mcap"


def uploaded(recordings, store) -> None:
    files = [str(path.relative_to(recordings)) for path in recordings.rglob("*") if path.is_file()]
    remote_files.put(recordings, remote_files.joined(store, "in"), files)


def fetched(url: str, folder: Path) -> dict[str, bytes]:
    return results(remote_files.fetch(url, folder, "results"))
