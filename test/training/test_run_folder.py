"""The run folder: what it holds, whom it lets in, and what a killed run leaves in it."""

from __future__ import annotations

import json
import os
import resource
import subprocess
from pathlib import Path

import pytest
import torch

from mrfs_ros import __version__
from mrfs_ros.checkpoint import read_checkpoint, save_checkpoint
from mrfs_ros.errors import CheckpointError, ConfigError
from mrfs_ros.training.run_folder import MetricsLog, RunFolder, load_state
from mrfs_ros.training.train_config import TrainConfig, read_yaml

CONFIG = TrainConfig(train=[{"root": "/data"}], rate=1e-4, steps=10)


@pytest.fixture
def begun(tmp_path) -> Path:
    """The folder of a run that has saved a state."""
    RunFolder(tmp_path / "runs" / "a", CONFIG, resume=False).save_state({"step": 3})
    return tmp_path / "runs" / "a"


def lines(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_a_new_folder_tells_its_settings_and_its_origin(tmp_path):
    folder = RunFolder(tmp_path / "runs" / "a", CONFIG, resume=False)
    written = read_yaml(tmp_path / "runs" / "a" / "config.yaml")
    assert written["rate"] == 1e-4
    assert written["batch_size"] == CONFIG.batch_size
    record = json.loads((tmp_path / "runs" / "a" / "run.json").read_text())
    assert record == folder.origin
    assert record["mrfs_ros"] == __version__
    assert record["torch"] == torch.__version__
    assert record.keys() == {"command", "commit", "mrfs_ros", "torch", "device", "date"}
    assert record["command"].startswith("mrfs")


def test_the_commit_is_gits(tmp_path):
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short=12", "HEAD"]
    head = subprocess.run(command, capture_output=True, text=True)
    if head.returncode:
        pytest.skip("no git checkout")
    assert (
        RunFolder(tmp_path / "a", CONFIG, resume=False).origin["commit"].removesuffix("-dirty") == head.stdout.strip()
    )


def test_latest_follows_the_newest_run(tmp_path):
    for name in ("first", "second"):
        RunFolder(tmp_path / "runs" / name, CONFIG, resume=False)
        assert (tmp_path / "runs" / "latest").readlink() == Path(name)
    assert (tmp_path / "runs" / "latest" / "config.yaml").is_file()
    assert sorted(p.name for p in (tmp_path / "runs").iterdir()) == ["first", "latest", "second"]


def test_somebodys_own_latest_is_left_alone(tmp_path):
    (tmp_path / "latest").mkdir()
    RunFolder(tmp_path / "a", CONFIG, resume=False)
    assert not (tmp_path / "latest").is_symlink()


def test_going_on_through_the_link_keeps_the_link(begun):
    latest = begun.parent / "latest"
    RunFolder(latest, CONFIG, resume=True)
    assert latest.readlink() == Path("a")
    assert load_state(latest) == {"step": 3}


def test_the_current_folder_may_hold_the_run(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    RunFolder(Path(), CONFIG, resume=False)
    assert (tmp_path / "latest").readlink() == Path("here")


def test_a_folder_with_a_run_is_refused(begun):
    with pytest.raises(ConfigError, match="a: holds a run already: choose another --out, or go on with it by --resume"):
        RunFolder(begun, CONFIG, resume=False)
    assert load_state(begun) == {"step": 3}


def test_a_run_that_ended_before_its_first_state(tmp_path):
    """Neither way may point to the other."""
    RunFolder(tmp_path / "a", CONFIG, resume=False)
    with pytest.raises(ConfigError, match=r"choose another --out, or delete it, it ended before its first latest\.pt"):
        RunFolder(tmp_path / "a", CONFIG, resume=False)
    with pytest.raises(ConfigError, match=r"holds no latest\.pt to go on from: delete it and start without --resume"):
        RunFolder(tmp_path / "a", CONFIG, resume=True)


def test_nothing_to_go_on_from(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere: holds no latest\.pt to go on from: start without --resume"):
        RunFolder(tmp_path / "nowhere", CONFIG, resume=True)
    assert not (tmp_path / "nowhere").exists()


def test_an_out_that_is_a_file(tmp_path):
    (tmp_path / "a").write_text("")
    with pytest.raises(ConfigError, match=r"a: cannot be made \(File exists\): choose another --out"):
        RunFolder(tmp_path / "a", CONFIG, resume=False)


def test_going_on_keeps_settings_and_origin(begun):
    before = {name: (begun / name).read_bytes() for name in ("config.yaml", "run.json")}
    resumed = RunFolder(begun, CONFIG, resume=True)
    assert {name: (begun / name).read_bytes() for name in before} == before
    assert resumed.origin == json.loads(before["run.json"])


def test_changed_settings_are_refused_by_name(begun):
    changed = TrainConfig(train=[{"root": "/data"}], rate=2e-4, steps=11)
    with pytest.raises(ConfigError, match=r"config\.yaml: differs from the settings given in steps, rate: "):
        RunFolder(begun, changed, resume=True)
    RunFolder(begun, CONFIG, resume=True)


def test_a_run_from_before_a_setting_existed_goes_on_with_its_default(begun):
    stated = begun / "config.yaml"
    stated.write_text("".join(line for line in stated.read_text().splitlines(True) if "label_smoothing" not in line))
    RunFolder(begun, CONFIG, resume=True)
    with pytest.raises(ConfigError, match="label_smoothing"):
        RunFolder(begun, TrainConfig(train=[{"root": "/data"}], rate=1e-4, steps=10, label_smoothing=0.1), resume=True)


def test_metrics_have_name_value_unit_and_step(tmp_path):
    log = MetricsLog(tmp_path, 0)
    log.add(20, {"total": 1.5, "rate": 1e-4, "crops_per_s": 30.0})
    log.add(40, {"val/mIoU": 0.25})
    log.close()
    assert lines(tmp_path) == [
        {"step": 20, "name": "total", "value": 1.5, "unit": ""},
        {"step": 20, "name": "rate", "value": 1e-4, "unit": "1/step"},
        {"step": 20, "name": "crops_per_s", "value": 30.0, "unit": "1/s"},
        {"step": 40, "name": "val/mIoU", "value": 0.25, "unit": ""},
    ]


def test_tensorboard_reads_the_same_numbers(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log = MetricsLog(tmp_path, 0)
    for step in (10, 20):
        log.add(step, {"total": step / 4})
    log.close()
    board = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [(e.step, e.value) for e in board.Scalars("total")] == [(10, 2.5), (20, 5.0)]


def test_tensorboard_only_if_wanted(tmp_path):
    MetricsLog(tmp_path, 0, tensorboard=False).close()
    assert not (tmp_path / "tensorboard").exists()


@pytest.mark.parametrize("torn", ["", '{"step": 30, "name": "tot', '{"step": 30', "{", "\0\0\0\0"])
def test_metrics_are_cut_back_to_the_step_that_a_run_goes_on_from(tmp_path, torn):
    log = MetricsLog(tmp_path, 0, tensorboard=False)
    for step in (1, 10, 20, 30):
        log.add(step, {"total": float(step), "rate": 0.5})
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write(torn)
    log = MetricsLog(tmp_path, 20, tensorboard=False)
    assert [line["step"] for line in lines(tmp_path)] == [1, 1, 10, 10, 20, 20]
    log.add(30, {"total": 31.0})
    assert lines(tmp_path)[-1] == {"step": 30, "name": "total", "value": 31.0, "unit": ""}
    assert [p.name for p in tmp_path.iterdir()] == ["metrics.jsonl"]


def test_a_state_comes_back_as_it_was(begun):
    state = {"step": 7, "best": 0.5, "network": {"weight": torch.randn(3, 4)}}
    RunFolder(begun, CONFIG, resume=True).save_state(state)
    loaded = load_state(begun)
    assert torch.equal(loaded["network"].pop("weight"), state["network"].pop("weight"))
    assert loaded == state
    assert sorted(p.name for p in begun.iterdir()) == ["config.yaml", "latest.pt", "run.json"]


def test_states_and_cut_back_metrics_are_replaced_whole(begun, replaced_whole):
    with replaced_whole(begun / "latest.pt"):
        RunFolder(begun, CONFIG, resume=True).save_state({"step": 4})
    assert load_state(begun) == {"step": 4}
    with replaced_whole(begun / "metrics.jsonl"):
        MetricsLog(begun, 3, tensorboard=False).close()


def test_a_full_disk_leaves_the_last_state(begun, tiny_weights):
    """A limit on the size of files is a disk that is full in the middle of the write."""
    checkpoint = read_checkpoint(tiny_weights)
    folder = RunFolder(begun, CONFIG, resume=True)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        with pytest.raises(CheckpointError, match=r"latest\.pt: cannot be written: free space"):
            folder.save_state({"step": 8, "weight": torch.zeros(10**6)})
        with pytest.raises(CheckpointError, match=r"last\.safetensors: cannot be written \(.*File too large"):
            save_checkpoint(begun / "last.safetensors", checkpoint.network(), checkpoint.classes, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert load_state(begun) == {"step": 3}


@pytest.mark.parametrize("text", ["", "{", "[1]", "null"])
def test_a_damaged_story(begun, text):
    (begun / "run.json").write_text(text)
    with pytest.raises(ConfigError, match=r"run\.json: cannot be read \(.*\): delete .* and start anew"):
        RunFolder(begun, CONFIG, resume=True)


@pytest.mark.parametrize("damage", ["cut", "text", "empty", "code"])
def test_a_damaged_state(begun, damage):
    state = begun / "latest.pt"
    torch.save({"step": 3, "weight": torch.zeros(1000)}, state)
    if damage == "code":
        torch.save({"step": os.system}, state)
    else:
        state.write_bytes({"cut": state.read_bytes()[:1500], "text": b"hello", "empty": b""}[damage])
    with pytest.raises(CheckpointError, match=r"latest\.pt: cannot be read \(\w+: .*\): start a new run") as error:
        load_state(begun)
    assert "\n" not in str(error.value)


def test_weights_are_written_whole(begun, tiny_weights):
    checkpoint = read_checkpoint(tiny_weights)
    network = checkpoint.network()
    best_file, last_file = begun / "best.safetensors", begun / "last.safetensors"
    save_checkpoint(best_file, network, checkpoint.classes, {"steps": 7}, torch.float16)
    save_checkpoint(last_file, network, checkpoint.classes, {"steps": 7})
    last, best = (read_checkpoint(begun / f"{name}.safetensors") for name in ("last", "best"))
    assert last.provenance == best.provenance == {"steps": 7}
    for name, tensor in checkpoint.weights.items():
        assert torch.equal(last.weights[name], tensor)
        assert torch.equal(best.weights[name], tensor.half().float() if tensor.is_floating_point() else tensor)
    (begun / "best.safetensors.unfinished").write_bytes(b"half")  # what a kill leaves
    save_checkpoint(best_file, network, checkpoint.classes, {"steps": 8})
    assert read_checkpoint(begun / "best.safetensors").provenance == {"steps": 8}
    assert not list(begun.glob("*.unfinished"))
