"""``mrfs evaluate`` as a user runs it: folders in, tables and pictures out, one line per error."""

from __future__ import annotations

import json
import shutil

import cv2
import numpy as np
import pytest

from mrfs_ros.cli.main import main
from mrfs_ros.geometry.calibration_file import write_calibration
from mrfs_ros.geometry.camera_models import Homography

pytestmark = pytest.mark.slow  # seconds together: not for the core suite


@pytest.fixture
def dataset(tmp_path, small_pair):
    """Two labelled pairs in the folder layout, and a training configuration that names them under val."""
    rgb, thermal = small_pair
    root = tmp_path / "street"
    for folder in ("rgb", "thermal", "label"):
        (root / folder).mkdir(parents=True)
    for name in ("a", "b"):
        assert cv2.imwrite(str(root / "rgb" / f"{name}.png"), rgb[:, :, ::-1])
        assert cv2.imwrite(str(root / "thermal" / f"{name}.png"), thermal)
        assert cv2.imwrite(str(root / "label" / f"{name}.png"), np.where(thermal > 150, 2, 0).astype(np.uint8))
    entry = "  - {root: street, split: all}\n"
    (tmp_path / "settings.yaml").write_text(f"train:\n{entry}val:\n{entry}")
    return root


def evaluate(*arguments) -> int:
    return main(["evaluate", *map(str, arguments), "--device", "cpu"])


def test_a_folder_is_scored(dataset, tmp_path, tiny_weights, capsys):
    out = tmp_path / "out"
    assert evaluate("--root", dataset, "--weights", tiny_weights, "--baselines", "--out", out) == 0
    printed = capsys.readouterr().out
    assert "| data | street all: 2 pairs |" in printed
    assert "| person |" in printed
    assert "all: average" in printed
    assert sorted(path.name for path in out.iterdir()) == [
        "contact_sheet.jpg", "frames.csv", "scores.json", "scores.md",
    ]  # fmt: skip
    assert (out / "scores.md").read_text() in printed
    height, width = cv2.imread(str(out / "contact_sheet.jpg")).shape[:2]
    assert (height, width) == (2 * (26 + 240), 5 * 320)


def test_a_configuration_is_scored(dataset, tmp_path, tiny_weights):
    out = tmp_path / "out"
    arguments = (tmp_path / "settings.yaml", "--weights", tiny_weights, "--no-fusion", "--window", "64x96", "--stretch")
    assert evaluate(*arguments, "--out", out) == 0
    content = json.loads((out / "scores.json").read_text())
    assert content["facts"]["image"] == "window 64x96, stride 2/3"
    assert content["facts"]["fused image"].startswith("STRETCHED")
    assert content["groups"]["all"]["fusion"] == {}
    assert 0 <= content["groups"]["all"]["segmentation"]["pixel_accuracy"] <= 1


@pytest.mark.parametrize("more", [(), ("--window", "64x96")])
def test_truth_and_answers_are_joined_by_the_same_groups(dataset, tmp_path, tiny_weights, more):
    """All classes in one group: whatever the network answers is right; labels are read as the network's classes."""
    labels = np.full((96, 128), 8, np.uint8)
    labels[:10], labels[10:20] = 0, 3
    assert cv2.imwrite(str(dataset / "label" / "a.png"), labels)
    names = "car, person, bike, curve, car_stop, guardrail, color_cone, bump, background"
    (tmp_path / "all.yaml").write_text(f"groups: {{2: {{name: anything, classes: [{names}]}}}}")
    arguments = ("--root", dataset, "--weights", tiny_weights, "--no-fusion", "--label-groups", tmp_path / "all.yaml")
    assert evaluate(*arguments, *more, "--out", tmp_path / "out") == 0
    scores = json.loads((tmp_path / "out/scores.json").read_text())["groups"]["all"]["segmentation"]
    assert scores["pixel_accuracy"] == 1.0
    assert scores["IoU"] == {"background": None, "unused_1": None, "anything": 1.0}


def test_two_datasets_of_one_name_are_both_scored(dataset, tmp_path, tiny_weights):
    shutil.copytree(dataset, tmp_path / "second" / "street")
    entries = "  - {root: street, split: all}\n  - {root: second/street, split: all}\n"
    (tmp_path / "settings.yaml").write_text(f"train:\n{entries}val:\n{entries}")
    out = tmp_path / "out"
    assert evaluate(tmp_path / "settings.yaml", "--weights", tiny_weights, "--no-fusion", "--out", out) == 0
    content = json.loads((out / "scores.json").read_text())
    assert content["facts"]["data"] == "1: street all: 2 pairs, 2: street all: 2 pairs"
    assert content["groups"]["all"]["frames"] == 4


@pytest.mark.parametrize(
    "arguments, text",
    [
        ([], "expected a training configuration or --root FOLDER, one of them"),
        (["--root", "nowhere"], "dataset root 'nowhere': expected a folder"),
        (["--root", "{root}", "--layout", "mars"], "unknown layout 'mars': expected one of folder, mfnet"),
        (["--root", "{root}", "--split", "test"], "test.txt: no such list"),
        (["--root", "{root}", "--window", "64x64", "--backend", "torch"], "--window runs on backend eager"),
        (["nowhere.yaml"], "nowhere.yaml: cannot be read"),
    ],
)
def test_what_cannot_be_scored(dataset, tmp_path, tiny_weights, capsys, arguments, text):
    words = [word.format(root=dataset) for word in arguments]
    assert evaluate(*words, "--weights", tiny_weights, "--out", tmp_path / "out") == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("mrfs: error: ")]
    assert len(errors) == 1
    assert text in errors[0]


def test_out_that_cannot_be_made(dataset, tmp_path, tiny_weights, capsys):
    (tmp_path / "file").write_text("")
    assert evaluate("--root", dataset, "--weights", tiny_weights, "--out", tmp_path / "file") == 2
    assert "cannot be made" in capsys.readouterr().err


@pytest.mark.parametrize("window", ["big", "8x8", "64", "-64x64", "64x64x3"])
def test_windows_that_are_none(window, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", "--root", "anywhere", "--out", "out", f"--window={window}"])
    assert stop.value.code == 2
    assert f"expected HEIGHTxWIDTH from 32x32 up, such as 480x640, got '{window}'" in capsys.readouterr().err


def test_cameras_that_are_not_aligned(dataset, tmp_path, tiny_weights, capsys):
    """Scored as node and bag would answer: warped, and rgb without a class where thermal sees nothing."""
    for name in ("a", "b"):
        thermal = cv2.imread(str(dataset / "thermal" / f"{name}.png"), 0)
        assert cv2.imwrite(str(dataset / "thermal" / f"{name}.png"), thermal[:, :96])
        (dataset / "label" / f"{name}.png").rename(dataset / "label" / f"{name}_mask.png")
    arguments = ("--root", dataset, "--weights", tiny_weights, "--out", tmp_path / "out")
    assert evaluate(*arguments) == 2
    assert "make a calibration with mrfs calibrate" in capsys.readouterr().err
    homography = Homography(((1.0, 0, 20.0), (0, 1.0, 0), (0, 0, 1.0)), (96, 96), (96, 128))
    write_calibration(tmp_path / "calib.yaml", homography)
    assert evaluate(*arguments, "--calibration", tmp_path / "calib.yaml", "--label-name", "{}_mask") == 0
    assert "rgb and label files are paired by their names: {} and {}_mask" in capsys.readouterr().out
    scores = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert scores["groups"]["all"]["segmentation"] is not None
