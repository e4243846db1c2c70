"""Many bags in one process: what is done stays done, what is half done goes on, what is bad stops nobody."""

from __future__ import annotations

import fcntl
import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from bags import pairs, write_bag
from fleets import NAMES, PAIRS, asked, cut, fetched, results, run, uploaded

from mrfs_ros.bag.settings import BagSettings
from mrfs_ros.cli.main import main
from mrfs_ros.config import NodeConfig
from mrfs_ros.errors import ConfigError
from mrfs_ros.files import lock
from mrfs_ros.fleet import remote_files
from mrfs_ros.fleet import run as fleet
from mrfs_ros.fleet import task as fleet_task
from mrfs_ros.fleet.run import run_fleet

pytestmark = pytest.mark.slow  # seconds together: not for the core suite


def test_each_bag_gets_its_folder_and_a_second_call_does_nothing(recordings, undisturbed, tmp_path, engine):
    assert {name.split("/")[0] for name in undisturbed} == set(NAMES)
    assert sum(name.startswith("street/street_frames/") for name in undisturbed) == 3 * PAIRS
    assert "run1_cam/run1_cam/metadata.yaml" in undisturbed
    assert run(asked(recordings, tmp_path / "out")) == dict.fromkeys(NAMES, "done")
    assert results(tmp_path / "out") == undisturbed
    assert engine.calls == 3 * PAIRS
    assert run(asked(recordings, tmp_path / "out")) == dict.fromkeys(NAMES, "done earlier")
    assert engine.calls == 3 * PAIRS
    done = json.loads((tmp_path / "out/street" / fleet_task.DONE).read_text())
    assert done["summary"]["answered"] == PAIRS and "stub" in done["engine"]
    assert any("rgb from /rgb/image" in event for event in done["events"])


def test_more_bags_later_leave_the_names_of_the_first(recordings, tmp_path):
    first = asked(recordings, tmp_path / "out", bags=(f"{recordings}/run1/cam",))
    assert run(first) == {"cam": "done"}
    assert run(asked(recordings, tmp_path / "out")) == {"cam": "done earlier", "run2_cam": "done", "street": "done"}


def test_calls_at_the_same_time_keep_each_others_names(recordings, tmp_path):
    out = tmp_path / "out"
    first, second = (asked(recordings, out, bags=(f"{recordings}/run{n}/cam",)) for n in (1, 2))
    fleet.planned(first)
    (out / fleet.ASKED).rename(tmp_path / "first.json")  # what a call that began earlier is about to write
    with ThreadPoolExecutor(1) as pool:
        with lock(out / "bags.json.lock", 0.0, "is this test"):
            waiting = pool.submit(fleet.planned, second)
            time.sleep(0.3)
            (tmp_path / "first.json").rename(out / fleet.ASKED)
        tasks, others = waiting.result()
    assert [task.name for task in tasks] == ["run2_cam"] and [task.name for task in others] == ["cam"]
    assert sorted(json.loads((out / fleet.ASKED).read_text())["names"].values()) == ["cam", "run2_cam"]


def test_bad_bags_are_told_and_stop_nobody(recordings, tmp_path):
    (tmp_path / "bad.mcap").write_bytes(b"no bag at all")
    out = tmp_path / "out"
    states = run(asked(recordings, out, f"{tmp_path}/bad.mcap", f"{tmp_path}/gone"))
    assert [states[name] for name in NAMES] == ["done"] * 3
    assert states["bad"].startswith("failed: ")
    assert states["gone"] == f"failed: {tmp_path}/gone: no such bag"
    assert sorted(path.name for path in out.iterdir()) == sorted((*NAMES, "bags.json", "summary.json", "summary.md"))
    facts = {bag["name"]: bag for bag in json.loads((out / "summary.json").read_text())["bags"]}
    assert facts["bad"]["summary"] is None and facts["street"]["summary"]["answered"] == PAIRS
    assert "| 3 of 5 done |" in (out / "summary.md").read_text()


def test_a_bag_with_damage_is_done_in_part_also_later(recordings, tmp_path):
    storage = write_bag(tmp_path / "torn", pairs(40, size=(96, 128))) / "torn.mcap"
    storage.write_bytes(storage.read_bytes()[: storage.stat().st_size * 2 // 3])
    settings = asked(recordings, tmp_path / "out", bags=(str(tmp_path / "torn"),))
    assert run(settings) == {"torn": "partly"}
    assert run(settings) == {"torn": "partly earlier"}
    assert "\n- torn: " in (tmp_path / "out/summary.md").read_text()
    events = json.loads((tmp_path / "out/torn/done.json").read_text())["events"]
    assert "rgb from /rgb/image, thermal from /thermal/image" in "\n".join(events[:-1])
    assert len(events) > 1


def test_the_table_holds_the_bags_of_earlier_calls_too(recordings, tmp_path, capsys):
    (tmp_path / "bad.mcap").write_bytes(b"no bag at all")
    run(asked(recordings, tmp_path / "out", f"{tmp_path}/bad.mcap"))
    for _ in range(2):
        assert run(asked(recordings, tmp_path / "out", bags=(f"{recordings}/street",))) == {"street": "done earlier"}
        facts = {bag["name"]: bag for bag in json.loads((tmp_path / "out/summary.json").read_text())["bags"]}
        states = {name: bag["state"] for name, bag in facts.items()}
        assert states.pop("bad").startswith("failed earlier: ")
        assert states == dict.fromkeys(NAMES, "done earlier")
        assert facts["run1_cam"]["summary"]["answered"] == PAIRS
        assert "| 3 of 4 done |" in (tmp_path / "out/summary.md").read_text()
    (tmp_path / "out/summary.json").write_text("torn")
    run(asked(recordings, tmp_path / "out", bags=(f"{recordings}/street",)))
    assert "| bad |  |  |  |  |  |  |  | not run |" in (tmp_path / "out/summary.md").read_text()


def test_a_bag_of_an_earlier_call_that_has_changed_since_is_left_as_it_is(recordings, tmp_path):
    bag = cut(recordings, tmp_path / "in")
    run(asked(recordings, tmp_path / "out", bags=(str(bag), f"{recordings}/run1/cam")))
    bag.write_bytes(b"another bag")
    run(asked(recordings, tmp_path / "out", bags=(f"{recordings}/run1/cam",)))
    facts = json.loads((tmp_path / "out/summary.json").read_text())["bags"]
    assert {bag["name"]: bag["state"] for bag in facts} == {"street": "partly earlier", "cam": "done earlier"}


def test_other_weights_in_the_same_file_are_other_settings(recordings, tmp_path):
    """The engine of these tests reads no weights: any bytes will do."""
    settings = [
        asked(recordings, tmp_path / "out", run=BagSettings(node=NodeConfig(weights=str(tmp_path / name))))
        for name in ("a.safetensors", "b.safetensors")
    ]
    (tmp_path / "a.safetensors").write_bytes(b"first")
    run(settings[0])
    (tmp_path / "a.safetensors").rename(tmp_path / "b.safetensors")
    assert set(run(settings[1]).values()) == {"done earlier"}
    (tmp_path / "b.safetensors").write_bytes(b"second")
    with pytest.raises(ConfigError, match=r"other settings \(weights\)"):
        run(settings[1])


def test_a_bad_bag_behind_a_url_leaves_no_copy(recordings, tmp_path):
    (tmp_path / "bad.mcap").write_bytes(b"no bag at all")
    [state] = run(
        asked(recordings, tmp_path / "out", bags=(f"file://{tmp_path}/bad.mcap",), scratch=str(tmp_path / "scratch"))
    ).values()
    assert state.startswith("failed: ")
    assert not [path for path in (tmp_path / "scratch").rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    "others, named",
    [
        ({"results": ("out",)}, "results"),
        ({"run": BagSettings(every=2, node=NodeConfig(slop_s=0.01))}, "every, slop_s"),
        ({"run": BagSettings(node=NodeConfig(weights="untrained"))}, "weights"),
    ],
)
def test_other_settings_are_refused(recordings, tmp_path, others, named):
    run(asked(recordings, tmp_path / "out", bags=(f"{recordings}/street",)))
    with pytest.raises(ConfigError, match=rf"other settings \({named}\)"):
        run(asked(recordings, tmp_path / "out", **others))
    run(asked(recordings, tmp_path / "out", run=BagSettings(workers=1, batch=2)))  # these change nothing


@pytest.mark.parametrize(
    "text, got",
    [("", "an empty file"), ('{"names": {', "JSONDecodeError"), ("[]", "TypeError"), ('{"names": {}}', "KeyError")],
)
def test_a_torn_note_of_what_was_asked_is_told(recordings, tmp_path, text, got):
    settings = asked(recordings, tmp_path / "out", bags=(f"{recordings}/street",))
    run(settings)
    (tmp_path / "out" / fleet.ASKED).write_text(text)
    with pytest.raises(ConfigError, match=rf"bags\.json: expected the settings .*{got}.* or remove it"):
        run(settings)
    assert (tmp_path / "out" / fleet.ASKED).read_text() == text
    (tmp_path / "out" / fleet.ASKED).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="expected the settings"):
        run(settings)
    (tmp_path / "out" / fleet.ASKED).unlink()
    assert run(settings) == {"street": "done earlier"}


@pytest.mark.parametrize("place", ["{}/file", "{}/file/below", "file://{}/file"])
def test_results_where_a_file_lies_are_refused(recordings, tmp_path, place):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"--out .*/file.* is a file: name another|no such file or folder"):
        run(asked(recordings, place.format(tmp_path)))


@pytest.mark.parametrize("before", [False, True])
def test_results_where_nothing_can_be_written_are_refused(recordings, tmp_path, monkeypatch, engine, before):
    settings = asked(recordings, tmp_path / "out", bags=(f"{recordings}/street",))
    if before:
        run(settings)
    calls, real = engine.calls, Path.open

    def denied(path, mode="r", *rest, **more):
        if path.is_relative_to(tmp_path / "out") and mode != "r":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, mode, *rest, **more)

    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(ConfigError, match=r"--out .*Permission denied \(.*mend that, or name another"):
        run(settings)
    assert engine.calls == calls


def test_a_home_folder_is_found(recordings, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert run(asked(recordings, "~/out", bags=(f"{recordings}/street",))) == {"street": "done"}
    assert not (tmp_path / "~").exists() and (tmp_path / "out/summary.md").exists()


def test_a_folder_that_is_not_ours_is_left_alone(recordings, tmp_path):
    (tmp_path / "out/street").mkdir(parents=True)
    (tmp_path / "out/street/mine").touch()
    states = run(asked(recordings, tmp_path / "out"))
    assert "is there already" in states["street"] and states["run1_cam"] == "done"
    assert (tmp_path / "out/street/mine").exists()


def test_what_another_process_works_on_is_left_to_it(recordings, tmp_path, monkeypatch):
    monkeypatch.setattr(fleet_task, "LOCK_WAIT_S", 0.2)
    (tmp_path / "out").mkdir()
    with (tmp_path / "out/street.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write("host 123")
        file.flush()
        states = run(asked(recordings, tmp_path / "out"))
    assert "another process works on this bag (host 123)" in states["street"]
    assert run(asked(recordings, tmp_path / "out"))["street"] == "done"


def test_bags_and_results_behind_urls(recordings, undisturbed, store, tmp_path):
    uploaded(recordings, store)
    settings = asked(
        remote_files.joined(store, "in"), remote_files.joined(store, "out"), scratch=str(tmp_path / "scratch")
    )
    assert run(settings) == dict.fromkeys(NAMES, "done")
    assert fetched(settings.out, tmp_path) == undisturbed
    assert not list((tmp_path / "scratch").iterdir()), "nothing stays behind"
    assert run(settings) == dict.fromkeys(NAMES, "done earlier")


def test_half_of_the_results_uploaded_count_for_nothing(recordings, undisturbed, store, tmp_path, monkeypatch, engine):
    real, fails = remote_files.put, iter([True, True, False])

    def put(folder, url, names):
        if "street" in url and next(fails):
            real(folder, url, names[: len(names) // 2])
            raise ConnectionError("lost")
        real(folder, url, names)

    settings = asked(recordings, remote_files.joined(store, "out"), retries=1)
    monkeypatch.setattr(remote_files, "put", put)
    states = run(settings)
    assert states == {
        "run1_cam": "done",
        "run2_cam": "done",
        "street": f"failed: ConnectionError: lost; the next call goes on after {PAIRS} pairs",
    }
    assert remote_files.read_text(remote_files.joined(settings.out, "street", fleet_task.DONE)) is None
    assert run(settings)["street"] == "done"
    assert engine.calls == 3 * PAIRS, "what is whole needs only the way home"
    assert fetched(settings.out, tmp_path) == undisturbed


def test_errors_of_our_own_come_with_a_trace(recordings, tmp_path, monkeypatch):
    monkeypatch.setattr(fleet_task.Task, "bag_settings", lambda *_: 1 / 0)
    outcome = run_fleet(asked(recordings, tmp_path / "out"), lambda _: None)[0]
    assert outcome.state == "failed: ZeroDivisionError: division by zero" and "bag_settings" in outcome.trace


def test_the_command(recordings, tmp_path, capsys):
    command = ["bags", f"{recordings}/*/cam", "--out", str(tmp_path / "out"), "--no-rosbag", "--csv", "--slop", "0.02"]
    assert main(command) == 0
    said = capsys.readouterr()
    assert said.out == (tmp_path / "out/summary.md").read_text()
    assert "[2/2] run2_cam: done, 5 of 5 pairs" in said.err
    assert len((tmp_path / "out/run1_cam/run1_cam.csv").read_text().splitlines()) == 1 + PAIRS
    assert main([*command[:1], f"{tmp_path}/gone", *command[1:]]) == 3
    capsys.readouterr()
    assert main([*command[:1], f"{recordings}/run1/cam", *command[2:]]) == 0, "a failure of another call is not of this"
    assert capsys.readouterr().out == (tmp_path / "out/summary.md").read_text()
    assert main([*command[:-1], "0.03"]) == 2
    assert "other settings (slop_s)" in capsys.readouterr().err


def test_help_says_what_the_options_take(capsys):
    with pytest.raises(SystemExit):
        main(["bags", "--help"])
    said = capsys.readouterr().out
    assert "--out FOLDER" in said and "--scratch FOLDER" in said and "--no-rosbag" in said
