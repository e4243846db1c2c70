"""Bags that change, runs that are cut short, results whose exchange is: nothing is lost, repeated or mixed."""

from __future__ import annotations

import json
import os
import re
import shutil
from contextlib import suppress
from pathlib import Path

import pytest
from fleets import NAMES, PAIRS, asked, cut, names_in, results, run
from stub_engine import StubEngine

from mrfs_ros.bag import job
from mrfs_ros.fleet import remote_files, summary_table
from mrfs_ros.fleet import run as fleet
from mrfs_ros.fleet import task as fleet_task
from mrfs_ros.fleet.run import run_fleet

pytestmark = pytest.mark.slow  # seconds together: not for the core suite


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_a_bag_that_has_changed_is_done_again(recordings, tmp_path, engine, scheme):
    bag = cut(recordings, tmp_path / "in")
    settings = asked(recordings, f"{scheme}{tmp_path}/out", bags=(f"{scheme}{bag}",), scratch=str(tmp_path / "s"))
    assert run(settings) == {"street": "partly"}
    assert run(settings) == {"street": "partly earlier"}
    (tmp_path / "out/street/of_the_first").touch()
    shutil.copy(recordings / "street/street.mcap", bag)
    assert run(settings) == {"street": "done again: the bag has changed"}
    assert "| done again: the bag has changed |" in (tmp_path / "out/summary.md").read_text()
    fresh = asked(recordings, tmp_path / "fresh", bags=(str(bag),))
    assert run(fresh) == {"street": "done"}
    assert results(tmp_path / "out") == results(tmp_path / "fresh"), "nothing of the first results stays"
    assert names_in(tmp_path / "out") == ["bags.json", "street", "summary.json", "summary.md"]
    calls = engine.calls
    os.utime(bag, (1, 1))  # as long as before
    assert run(settings) == {"street": "done again: the bag has changed"}
    bag.unlink()  # no reason to do it again
    assert run(settings) == {"street": "done earlier"}
    assert engine.calls == calls + PAIRS


def test_what_file_managers_leave_in_a_bag_is_no_change(recordings, tmp_path):
    shutil.copytree(recordings / "street", tmp_path / "street")
    settings = asked(recordings, tmp_path / "out", bags=(str(tmp_path / "street"),))
    run(settings)
    (tmp_path / "street/.DS_Store").touch()
    assert run(settings) == {"street": "done earlier"}
    (tmp_path / "street/more").touch()
    assert run(settings) == {"street": "done again: the bag has changed"}


def test_old_results_stay_until_new_ones_are_whole(recordings, tmp_path, monkeypatch):
    bag = cut(recordings, tmp_path / "in")
    settings = asked(recordings, tmp_path / "out", bags=(str(bag),))
    run(settings)
    old = results(tmp_path / "out")
    bag.write_bytes(b"no bag at all")
    [state] = run(settings).values()
    assert state.startswith("failed: ") and state.endswith("; the results are those from before the bag changed")
    assert results(tmp_path / "out") == old
    shutil.copy(recordings / "street/street.mcap", bag)
    real = Path.replace

    def killed(path, target):  # between the two renames
        if path.name == "street.partial":
            raise KeyboardInterrupt
        return real(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            run(settings)
    assert results(tmp_path / "out/.street.old") == {
        name.removeprefix("street/"): content for name, content in old.items()
    }
    assert run(settings) == {"street": "done again: the bag has changed"}
    assert names_in(tmp_path / "out") == ["bags.json", "street", "summary.json", "summary.md"]


def test_old_results_behind_a_url_that_made_room_are_not_spoken_of(recordings, tmp_path, monkeypatch):
    bag = cut(recordings, tmp_path / "in")
    settings = asked(recordings, f"file://{tmp_path}/out", bags=(str(bag),), retries=0, scratch=str(tmp_path / "s"))
    run(settings)
    shutil.copy(recordings / "street/street.mcap", bag)
    with monkeypatch.context() as patch:
        patch.setattr(remote_files, "put", lambda *_: (_ for _ in ()).throw(ConnectionError("lost")))
        assert run(settings)["street"] == f"failed: ConnectionError: lost; the next call goes on after {PAIRS} pairs"
    assert run(settings) == {"street": "done"}


def test_a_run_that_was_cut_short_begins_anew_when_the_bag_has_changed(recordings, tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    bag = shutil.copy(recordings / "street/street.mcap", tmp_path / "in/street.mcap")
    settings = asked(recordings, tmp_path / "out", bags=(str(bag),))
    with monkeypatch.context() as patch:
        patch.setattr(fleet, "configured_engine", lambda _: Interrupted(4))
        with pytest.raises(KeyboardInterrupt):
            run(settings)
    os.utime(bag, (1, 1))
    [outcome] = run_fleet(settings, lambda _: None)
    assert outcome.state == "done" and outcome.summary.resumed_at == 0


def test_a_bag_that_fails_half_way_says_that_it_goes_on(recordings, tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    bag = shutil.copy(recordings / "street/street.mcap", tmp_path / "in/street.mcap")
    settings = asked(recordings, tmp_path / "out", bags=(str(bag),), retries=0)
    with monkeypatch.context() as patch:
        patch.setattr(fleet, "configured_engine", lambda _: Interrupted(4))
        with pytest.raises(KeyboardInterrupt):
            run(settings)
    moved = bag.rename(tmp_path / "moved")
    assert re.fullmatch(r"failed: .*no such bag; the next call goes on after [1-3] pairs", run(settings)["street"])
    moved.rename(bag)
    [outcome] = run_fleet(settings, lambda _: None)
    assert outcome.state == "done" and outcome.summary.resumed_at


def test_a_bag_that_fails_before_its_first_answer_leaves_nothing(recordings, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(job, "Results", full)
    (tmp_path / "out/cam.partial").mkdir(parents=True)
    (tmp_path / "out/cam.partial/mine").touch()
    state = run(asked(recordings, tmp_path / "out", bags=(f"{recordings}/street",)))["street"]
    assert state.startswith("failed: results cannot be written: No space left on device")
    found = names_in(tmp_path / "out")
    assert found == ["bags.json", "cam.partial", "summary.json", "summary.md"], "only what is ours is removed"


def test_a_dead_process_leaves_only_what_is_of_use(recordings, tmp_path, monkeypatch):
    settings = asked(recordings, tmp_path / "out", bags=(f"{recordings}/street",))
    [task], _ = fleet.planned(settings)
    for at, kept in ((1, 0), (4, 3)):
        with suppress(KeyboardInterrupt):
            fleet_task.run_task(task, Interrupted(at))
        outcome = fleet_task.abandoned(task, "its worker died")
        assert outcome.passing and bool(kept) == bool(outcome.kept) == task.work().exists()
    assert re.fullmatch(r"failed: its worker died; the next call goes on after [1-3] pairs", outcome.state)


class Interrupted(StubEngine):
    """Ctrl-C at the ``at``-th frame."""

    def __init__(self, at: int):
        super().__init__()
        self._at = at

    def __call__(self, rgb, thermal):
        if self.calls + 1 == self._at:
            raise KeyboardInterrupt
        return super().__call__(rgb, thermal)


def test_an_interrupted_call_goes_on_where_it_was(recordings, undisturbed, tmp_path, monkeypatch, engine):
    with monkeypatch.context() as patch:
        patch.setattr(fleet, "configured_engine", lambda _: Interrupted(PAIRS + 4))
        with pytest.raises(KeyboardInterrupt):
            run(asked(recordings, tmp_path / "out"))
    facts = json.loads((tmp_path / "out/summary.json").read_text())
    assert [bag["state"] for bag in facts["bags"]] == ["done", facts["bags"][1]["state"], "not run"]
    assert re.fullmatch(r"interrupted: the next call goes on after [1-3] pairs", facts["bags"][1]["state"])
    outcomes = run_fleet(asked(recordings, tmp_path / "out"), lambda _: None)
    assert [outcome.state for outcome in outcomes] == ["done earlier", "done", "done"]
    assert 0 < outcomes[1].summary.resumed_at < PAIRS
    assert engine.calls == 2 * PAIRS - outcomes[1].summary.resumed_at
    assert results(tmp_path / "out") == undisturbed


def test_killed_before_it_is_written_down_a_bag_is_done_again(recordings, undisturbed, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(fleet_task, "asdict", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run(asked(recordings, tmp_path / "out"))
    assert (tmp_path / "out/run1_cam.partial/run1_cam/metadata.yaml").exists()
    assert run(asked(recordings, tmp_path / "out")) == dict.fromkeys(NAMES, "done")
    assert results(tmp_path / "out") == undisturbed


def test_two_calls_do_not_write_their_tables_at_once(recordings, tmp_path, monkeypatch):
    settings = asked(recordings, tmp_path / "out", bags=(f"{recordings}/street",))
    real, held = summary_table.write, []

    def write(outcomes, folder):
        held.append((tmp_path / "out/bags.json.lock").exists())
        real(outcomes, folder)

    monkeypatch.setattr(summary_table, "write", write)
    assert run(settings) == {"street": "done"}
    assert held == [True]
