"""Bags over a real Ray cluster of two workers: nothing is lost or done twice when one is killed half-way."""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from bags import pairs, write_bag

from mrfs_ros.bag.journal import Tally, read_segments
from mrfs_ros.bag.settings import BagSettings
from mrfs_ros.config import NodeConfig
from mrfs_ros.errors import CheckpointError, ConfigError, MissingPackageError
from mrfs_ros.fleet import remote_files, summary_table
from mrfs_ros.fleet import run as fleet
from mrfs_ros.fleet import task as fleet_task
from mrfs_ros.fleet.run import FleetSettings, run_fleet
from mrfs_ros.fleet.task import Outcome

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
COUNTS = {"a": 3, "b": 16, "c": 2}
VICTIM = "b"


@pytest.fixture(scope="module")
def cluster():
    """A Ray cluster of this process with two cores, and two GPUs that it only believes in."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'mrfs_ros[fleet]'")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        ray.init(
            address="local", num_cpus=2, num_gpus=2, include_dashboard=False, log_to_driver=False,
            object_store_memory=80 * 2**20, logging_level="ERROR",
        )  # fmt: skip
        yield ray
        ray.shutdown()


@pytest.fixture(scope="module")
def recordings(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("recordings")
    for name, count in COUNTS.items():
        write_bag(folder / name, pairs(count, size=(64, 64)))
    return folder


@pytest.fixture(scope="module")
def run_settings(tiny_weights) -> BagSettings:
    return BagSettings(node=NodeConfig(weights=str(tiny_weights), device="cpu", backend="eager"), segment_s=0.0)


def asked(recordings, out, run, *more, **others) -> FleetSettings:
    return FleetSettings(
        **{
            "bags": (*(f"{recordings}/{name}" for name in COUNTS), *more), "out": str(out), "run": run, "ray": "local",
            "cores": 1, "results": ("out", "frames"), **others,
        }
    )  # fmt: skip


def results(folder: Path) -> dict[str, Any]:
    """The bytes of all results."""
    said = (fleet.ASKED, summary_table.TABLE, summary_table.FACTS, fleet_task.DONE)
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name not in said)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def undisturbed(recordings, run_settings, tmp_path_factory) -> dict[str, Any]:
    """What one process makes of the bags, with as many threads as a worker has."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        out = tmp_path_factory.mktemp("undisturbed")
        run_fleet(asked(recordings, out, run_settings, ray=""), lambda _: None)
    finally:
        torch.set_num_threads(threads)
    return results(out)


class Killer(threading.Thread):
    """Kills who works on a bag as soon as its journal holds three pairs."""

    def __init__(self, folder: Path, name: str):
        super().__init__(daemon=True)
        self._journal = folder / f"{name}.partial" / f"{name}.partial.journal"
        self._lock = folder / f"{name}.lock"

    def run(self) -> None:
        until = time.monotonic() + 120
        while time.monotonic() < until:
            try:
                if Tally.of(read_segments(self._journal)).pairs > 3:
                    os.kill(int(self._lock.read_text().split()[1]), signal.SIGKILL)
                    return
            except FileNotFoundError:
                pass
            time.sleep(0.005)


def by_name(outcomes: list[Outcome]) -> dict[str, Outcome]:
    return {outcome.name: outcome for outcome in outcomes}


def test_nothing_is_lost_when_a_worker_is_killed(cluster, recordings, run_settings, undisturbed, tmp_path):
    out, lines = tmp_path / "out", []
    (tmp_path / "bad.mcap").write_bytes(b"no bag at all")
    settings = asked(recordings, out, run_settings, str(tmp_path / "bad.mcap"))
    killer = Killer(out, VICTIM)
    killer.start()
    ended = by_name(run_fleet(settings, lines.append))
    killer.join()
    assert {name: ended[name].state for name in COUNTS} == dict.fromkeys(COUNTS, "done")
    assert {name: ended[name].summary.answered for name in COUNTS} == COUNTS
    assert 3 <= ended[VICTIM].summary.resumed_at < COUNTS[VICTIM], "what was done was not done again"
    assert ended["bad"].state.startswith("failed: ")
    assert sum("its worker died" in line and "trying again" in line for line in lines) == 1
    ready = [line for line in lines if "engine ready on" in line]
    assert len(ready) >= 2 and sum("eager" in line for line in ready) == 1, "an engine is described once"
    assert results(out) == undisturbed
    again = by_name(run_fleet(asked(recordings, out, run_settings), lines.append))
    assert {name: again[name].state for name in COUNTS} == dict.fromkeys(COUNTS, "done earlier")


def test_engines_on_gpus_bags_behind_urls_and_no_more_tries(cluster, recordings, run_settings, undisturbed, tmp_path):
    settings = asked(
        recordings, f"file://{tmp_path}/out", replace(run_settings, node=replace(run_settings.node, device="auto")),
        bags=(f"file://{recordings}/{VICTIM}",), scratch=str(tmp_path / "scratch"), retries=0, cores=99,
    )  # fmt: skip
    [task], _ = fleet.planned(settings)
    killer = Killer(Path(task.scratch), VICTIM)
    killer.start()
    [ended] = run_fleet(settings, lambda _: None)
    killer.join()
    assert ended.state.startswith("failed: its worker died")
    assert not (tmp_path / "out" / VICTIM).exists()
    [ended] = run_fleet(settings, lambda _: None)
    assert ended.state == "done" and ended.summary.resumed_at >= 3
    home = results(remote_files.fetch(settings.out, tmp_path, "home"))
    assert home == {name: content for name, content in undisturbed.items() if name.startswith(f"{VICTIM}/")}
    assert not list((tmp_path / "scratch").iterdir()), "nothing stays behind"


def test_what_all_workers_lack_ends_the_call(cluster, recordings, run_settings, tmp_path):
    (tmp_path / "bad.safetensors").write_bytes(b"no weights")
    run = BagSettings(node=NodeConfig(weights=str(tmp_path / "bad.safetensors"), device="cpu"))
    with pytest.raises(CheckpointError, match=r"bad\.safetensors"):
        run_fleet(asked(recordings, tmp_path / "out", run, bags=(f"{recordings}/a",)), lambda _: None)


@pytest.mark.parametrize(
    "node, cores, message",
    [({"device": "cuda:1"}, 1, "use auto, cpu or cuda"), ({"device": "cpu"}, 3, "no machine .* has 3 cores")],
)
def test_what_the_cluster_cannot_do_is_said(cluster, recordings, tmp_path, node, cores, message):
    settings = asked(recordings, tmp_path, BagSettings(node=NodeConfig(**node)), cores=cores)
    with pytest.raises(ConfigError, match=message):
        run_fleet(settings, lambda _: None)


def test_without_ray_the_line_that_helps(recordings, run_settings, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'mrfs_ros\[fleet\]'"):
        run_fleet(asked(recordings, tmp_path, run_settings), lambda _: None)


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1"])
def test_a_cluster_that_is_not_there_is_told_at_once(recordings, run_settings, tmp_path, address, monkeypatch):
    ray = pytest.importorskip("ray")
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with pytest.raises(ConfigError, match="nobody answers there"):
        run_fleet(asked(recordings, tmp_path, run_settings, ray=address), lambda _: None)
