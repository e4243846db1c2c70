"""``mrfs ablate`` as a user types it: the list, a small study from end to end, what is wrong in one line."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest
from toy_run import write_pairs, write_settings

from mrfs_ros.camera.image_io import write_png
from mrfs_ros.cli.main import main

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small_encoders")]


@pytest.fixture
def settings(tmp_path, small_pair, set_threads) -> Path:
    """Two frames and one step; what the runs saved is removed afterwards."""
    root = write_pairs(tmp_path / "data", small_pair, (64, 96))
    val = [{"root": str(root), "split": "all"}]
    yield write_settings(tmp_path / "settings.yaml", root, steps=1, threads=1, val=val)
    for heavy in (*tmp_path.rglob("latest.pt*"), *tmp_path.rglob("*.safetensors*")):
        heavy.unlink()


def test_a_small_study_from_end_to_end(settings, tmp_path, small_pair, capsys):
    out = tmp_path / "study"
    words = ["ablate", str(settings), "--out", str(out), "--device", "cpu", "--backend", "eager", "--sheet", "1"]
    assert main([*words, "--variants", "full,rmPC"]) == 0
    text = capsys.readouterr().out
    assert "2 variants, 1 seeds, each 1 steps of 2 crops; 0 of 2 runs are done" in text
    assert "| runs | 2 of 2 done |" in text
    assert "| rmPC | PC-Att removed | " in text
    assert (out / "ablation.md").read_text() in text
    content = json.loads((out / "ablation.json").read_text())
    assert list(content["variants"]) == ["full", "rmPC"]
    assert content["variants"]["rmPC"]["seeds"] == [0]
    scores = json.loads((out / "runs" / "full-seed0" / "scores.json").read_text())
    assert content["variants"]["full"]["scores"]["SD"] == [scores["groups"]["all"]["fusion"]["fused"]["SD"]]
    sheet = cv2.imread(str(out / "ablation.jpg"))
    assert sheet.shape[1] == 4 * 240 and sheet.shape[0] == 2 * (26 + 160)  # rgb, thermal, two variants; two rows
    record = out / "runs" / "rmPC-seed0" / "run.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"commit": "older", "device": "a GPU"}))
    own = tmp_path / "own"
    for folder, image in zip(("rgb", "thermal"), small_pair):
        (own / folder).mkdir(parents=True)
        write_png(own / folder / "mine.png", image)
    assert main([*words, "--variants", "rmPC", "--pictures", str(own)]) == 0  # done already: table and sheet alone
    text = capsys.readouterr().out
    assert "1 of 1 runs are done" in text
    assert "| commit | older |" in text and "| device | a GPU |" in text  # where it was trained, not where this ran
    sheet = cv2.imread(str(out / "ablation.jpg"))
    assert sheet.shape[:2] == (2 * (26 + 180), 3 * 240)  # one frame of 96x128


def test_the_list_names_costs_and_own_variants(settings, capsys):
    values = json.loads(settings.read_text()) | {"variants": {"wide": {"head_width": 64}}}
    settings.write_text(json.dumps(values))
    assert main(["ablate", str(settings), "--list", "--variants", "full,wide"]) == 0
    header, _, full, wide = capsys.readouterr().out.splitlines()
    assert header.startswith("| variant | change | parameters, M | multiply-adds at 480x640, G |")
    assert full.startswith("| full | the paper's network and loss | ")
    assert wide.startswith("| wide | head_width: 64 | ")
    assert float(wide.split("|")[3]) > float(full.split("|")[3])


@pytest.mark.parametrize(
    "words, text",
    [
        (["--out", "OUT", "--variants", "rmigm"], "unknown variant 'rmigm': expected one of full, model_1"),
        (["--out", "OUT", "--variants", "rmIGM,rmIGM"], "--variants: expected each one once, got rmIGM,rmIGM"),
        (["--out", "OUT", "--seeds", "0,zero"], "--seeds: expected different whole numbers such as 0,1,2, got 0,zero"),
        (["--out", "OUT", "--seeds", "1,1"], "--seeds: expected different whole numbers"),
        (["--out", "OUT", "--seeds", "0,00"], "--seeds: expected different whole numbers"),
        (
            ["--out", "OUT", "--set", "visual_attention=none"],
            "visual_attention: expected igm, which the variants change",
        ),
        (["--out", "OUT", "--set", "val=[]"], "val: expected at least one dataset to score the variants on"),
        (["--out", "OUT", "--sheet", "0"], "--sheet"),
        ([], "expected CONFIG and --out FOLDER, or --list"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(words, text, settings, tmp_path, capsys):
    out = tmp_path / "out"
    try:
        code = main(["ablate", str(settings), *(str(out) if word == "OUT" else word for word in words)])
    except SystemExit as end:
        code = end.code
    assert code == 2
    assert text in capsys.readouterr().err
    assert not list(tmp_path.glob("out/*"))


def test_a_run_that_fails_does_not_stop_the_others(settings, tmp_path, capsys):
    values = json.loads(settings.read_text()) | {
        "variants": {"wild": {"rate": 1.0, "head_rate": 1000.0, "weight_decay": 1.0, "warmup_steps": 0}}
    }
    settings.write_text(json.dumps(values))
    out = tmp_path / "out"
    words = ["ablate", str(settings), "--out", str(out), "--device", "cpu", "--backend", "eager", "--set", "steps=4"]
    assert main([*words, "--variants", "wild,full"]) == 3
    output = capsys.readouterr()
    assert "\nmrfs: wild, seed 0: " in output.err and "NaN" in output.err
    assert "| runs | 1 of 2 done |" in output.out


def test_a_file_in_the_way_of_the_runs_is_one_line(settings, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "runs").write_text("")
    assert main(["ablate", str(settings), "--out", str(tmp_path / "out"), "--variants", "rmPC", "--device", "cpu"]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("mrfs: error: ") and "rmPC-seed0: Not a directory: expected files and folders" in error
