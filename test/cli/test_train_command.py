"""``mrfs train`` as a user types it: help, what is wrong with settings in one line, and a short run from end to end."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from toy_run import CLASSES, course, write_pairs, write_settings

import mrfs_ros
from mrfs_ros.camera.image_io import write_png
from mrfs_ros.checkpoint import read_checkpoint
from mrfs_ros.cli.main import main
from mrfs_ros.geometry.calibration_file import write_calibration
from mrfs_ros.geometry.camera_models import Homography
from mrfs_ros.training.run_folder import load_state

pytestmark = pytest.mark.usefixtures("small_encoders")


@pytest.fixture
def settings(tmp_path, small_pair, set_threads) -> Path:
    """Two 64x64 frames and three steps; what the runs saved is removed afterwards."""
    root = write_pairs(tmp_path / "data", small_pair, (64, 96))
    yield write_settings(
        tmp_path / "settings.yaml", root, steps=3, threads=1, val=[{"root": str(root), "split": "all"}]
    )
    for heavy in (*tmp_path.rglob("latest.pt*"), *tmp_path.rglob("*.safetensors*")):
        heavy.unlink()


def train(settings: Path, out: Path, *more: str) -> int:
    return main(["train", str(settings), "--out", str(out), "--device", "cpu", *more])


def test_help_tells_how_to_go_on(capsys):
    with pytest.raises(SystemExit) as end:
        main(["train", "--help"])
    assert end.value.code == 0
    text = capsys.readouterr().out
    assert "--resume" in text
    assert "go on from the run folder's last saved state" in text
    assert "examples:\n  mrfs train " in text
    assert "torchrun" in text


@pytest.mark.slow
def test_a_short_run_from_end_to_end(settings, tmp_path, small_pair, capsys):
    out = tmp_path / "runs" / "a"
    assert train(settings, out, "--set", "tensorboard=true", "--set", "log_every=1") == 0
    text = capsys.readouterr().out
    assert "mit_b0 on cpu, 1 process(es); 2 pairs to learn from, 2 to choose on" in text
    assert "labelled pixels: {'cold': " in text
    assert f"run folder {out}, step 0 of 3" in text
    assert text.endswith(f"done after 3 steps: {out / 'best.safetensors'}\n")
    network = mrfs_ros.load_network(out / "best.safetensors")
    assert network.config.num_classes == len(CLASSES)
    result = mrfs_ros.load_engine(out / "last.safetensors", device="cpu")(*small_pair)
    assert result.labels.max() < len(CLASSES)
    assert (tmp_path / "runs" / "latest" / "metrics.jsonl").is_file()
    assert list((out / "tensorboard").iterdir())
    assert course(out, "total").keys() == {1, 2, 3}
    score = course(out, "val/mIoU")[3]
    assert 0 <= score <= 1
    assert read_checkpoint(out / "best.safetensors").provenance["scores"]["mIoU"] == score


@pytest.mark.slow
def test_a_run_is_refused_gone_on_with_and_not_mixed(settings, tmp_path, capsys):
    assert train(settings, tmp_path / "a") == 0
    assert train(settings, tmp_path / "a") == 2
    assert error_line(capsys).endswith("holds a run already: choose another --out, or go on with it by --resume")
    assert train(settings, tmp_path / "a", "--resume", "--set", "rate=0.5") == 2
    assert "differs from the settings given in rate: " in error_line(capsys)
    assert train(settings, tmp_path / "latest", "--resume") == 0
    assert "step 3 of 3\n" in capsys.readouterr().out
    assert load_state(tmp_path / "a")["step"] == 3


@pytest.mark.slow
def test_a_time_budget_ends_the_run(settings, tmp_path, capsys):
    assert train(settings, tmp_path / "a", "--set", "steps=1000000", "--time-budget", "0.5s") == 0
    steps = load_state(tmp_path / "a")["step"]
    assert 1 <= steps < 1000
    assert f"done after {steps} steps" in capsys.readouterr().out


def error_line(capsys) -> str:
    error = capsys.readouterr().err.splitlines()
    lines = [line for line in error if line.startswith("mrfs: error: ")]
    assert len(lines) == 1, error
    assert error[-1] == lines[0]
    return lines[0]


@pytest.mark.parametrize(
    "arguments, text",
    [
        (["--set", "colour=red"], "unknown setting colour: expected one of variant, "),
        (["--set", "steps"], "setting 'steps': expected NAME=VALUE"),
        (["--set", "steps=many"], "steps: expected int, got str 'many'"),
        (["--set", "steps=0"], "steps: expected 1 to 100000000, got 0"),
        (["--set", "preset=KITTI"], "preset: expected one of MFNet, FMB, PST900, got 'KITTI'"),
        (["--set", "amp=fp16"], "amp: fp16 needs CUDA"),
        (["--set", "pretrained=nowhere.pth"], "no weights file at "),
        (["--set", "train=[]"], "train: expected at least one dataset"),
        (["--time-budget", "soon"], "duration 'soon': expected a number with s, m or h, such as 25m"),
        (["--time-budget", "0s"], "duration '0s': expected a number with s, m or h"),
        (["--time-budget", "25"], "duration '25': expected a number with s, m or h"),
        (["--resume"], "holds no latest.pt to go on from: start without --resume"),
        (["--device", "tpu"], "unknown device 'tpu'"),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else "",
)
def test_a_bad_argument_ends_in_one_line_and_exit_code_2(settings, tmp_path, capsys, arguments, text):
    assert train(settings, tmp_path / "a", *arguments) == 2
    assert text in error_line(capsys)
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    "content, text",
    [
        ("steps: [", "is no YAML: "),
        ("- steps", "expected 'name: value' lines, got list"),
        ("steps: 3", "train: expected at least one dataset"),
        (json.dumps({"train": [{"root": "nowhere"}]}), "expected a folder, there is none at "),
        (json.dumps({"train": [{"root": ".", "colour": 1}]}), "unknown setting colour"),
    ],
)
def test_a_bad_file_ends_in_one_line_and_exit_code_2(tmp_path, capsys, content, text):
    file = tmp_path / "settings.yaml"
    file.write_text(content)
    assert train(file, tmp_path / "a") == 2
    assert text in error_line(capsys)


def test_a_missing_file(tmp_path, capsys):
    assert train(tmp_path / "nowhere.yaml", tmp_path / "a") == 2
    assert "nowhere.yaml: cannot be read (No such file or directory): expected a YAML file" in error_line(capsys)


@pytest.fixture
def herd(tmp_path, small_pair):
    """Makes settings of three classes over pairs of folders that hold these images."""

    def made(label: np.ndarray, thermal: np.ndarray | None = None, names: str = "background, cow, person") -> Path:
        images = {"rgb": small_pair[0][:64, :96], "thermal": small_pair[1][:64, :96] if thermal is None else thermal}
        for folder, image in (images | {"label": label}).items():
            (tmp_path / folder).mkdir()
            write_png(tmp_path / folder / "a.png", np.ascontiguousarray(image))
        entry = f"[{{root: {tmp_path}, split: all}}]"
        (tmp_path / "herd.yaml").write_text(
            f"classes: herd\nclass_names: [{names}]\ntrain: {entry}\nval: {entry}\nbatch_size: 1\ncrop_height: 64\n"
            "crop_width: 64\nsteps: 1\nhead_width: 8\nworkers: 0\nthreads: 1\ntensorboard: false\n"
        )
        return tmp_path / "herd.yaml"

    yield made
    for heavy in (*tmp_path.rglob("latest.pt*"), *tmp_path.rglob("*.safetensors*")):
        heavy.unlink()


@pytest.mark.slow
def test_classes_that_no_label_has_are_named(herd, tmp_path, capsys):
    label = np.zeros((64, 96), np.uint8)
    label[:20] = 2
    assert train(herd(label), tmp_path / "out") == 0
    printed = capsys.readouterr()
    text = "mrfs: warning: no label to learn from has a pixel of cow: the network will not know it"
    assert printed.err.splitlines().count(text) == 1
    assert "memory: 2 pairs take 0 MB decoded, " in printed.out


@pytest.mark.slow
def test_a_mask_of_0_and_255_is_told(herd, tmp_path, capsys):
    label = np.zeros((64, 96), np.uint8)
    label[:20] = 255
    assert train(herd(label, names="background, cow"), tmp_path / "out") == 0
    assert "for masks of 0 and 255 set label_map: {255: 1}" in capsys.readouterr().err


@pytest.mark.slow
def test_training_on_cameras_that_are_not_aligned(herd, tmp_path, small_pair, capsys):
    label = np.zeros((64, 96), np.uint8)
    settings = herd(label, thermal=small_pair[1][:64, :64])
    assert train(settings, tmp_path / "a") == 2
    assert "make a calibration with mrfs calibrate" in error_line(capsys)
    homography = Homography(((1.0, 0, 8.0), (0, 1.0, 0), (0, 0, 1.0)), (64, 64), (64, 96))
    write_calibration(tmp_path / "calib.yaml", homography)
    assert train(settings, tmp_path / "a", "--calibration", str(tmp_path / "calib.yaml")) == 0
    assert f"calibration: {tmp_path / 'calib.yaml'}" in (tmp_path / "a" / "config.yaml").read_text()
    seen = read_checkpoint(tmp_path / "a" / "best.safetensors").provenance["settings"]["train"][0]["calibration"]
    assert seen == "calib.yaml"  # no path of this machine
