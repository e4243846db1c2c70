"""A study of variants in one folder: every run once, equal budgets, resumed, shared between processes, in one table."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from toy_run import course, write_pairs, write_settings

from mrfs_ros.checkpoint import read_checkpoint
from mrfs_ros.errors import ConfigError, ImageError, MrfsError
from mrfs_ros.evaluation.metrics import CONVENTIONS
from mrfs_ros.files import lock
from mrfs_ros.network.cost import Cost
from mrfs_ros.studies.ablation import Run, do_run, planned_runs, read_data
from mrfs_ros.studies.ablation_table import Scored, markdown, scored, shown
from mrfs_ros.studies.ablation_variants import PAPER_VARIANTS
from mrfs_ros.training.train_config import TrainConfig, load_config


@pytest.fixture
def config(tmp_path, small_pair, set_threads) -> TrainConfig:
    """Two frames, two steps; what the runs saved is removed afterwards."""
    root = write_pairs(tmp_path / "data", small_pair, (64, 96))
    val = [{"root": str(root), "split": "all"}]
    yield load_config(write_settings(tmp_path / "s.yaml", root, steps=2, threads=1, val=val, save_every=1))
    for heavy in (*tmp_path.rglob("latest.pt*"), *tmp_path.rglob("*.safetensors*")):
        heavy.unlink()


def test_runs_go_seed_by_seed_in_folders_of_their_own(config, tmp_path):
    runs = planned_runs(config, ["full", "rmPC"], [3, 1], tmp_path / "out")
    assert [(run.variant, run.seed) for run in runs] == [("full", 3), ("rmPC", 3), ("full", 1), ("rmPC", 1)]
    assert len({run.folder for run in runs}) == 4
    assert all(run.config.seed == run.seed and not run.done for run in runs)
    assert not (tmp_path / "out").exists()
    with pytest.raises(ConfigError, match="val: expected at least one dataset"):
        planned_runs(replace(config, val=[]), ["full"], [0], tmp_path)


@pytest.mark.slow
def test_a_run_is_done_once_and_other_settings_are_refused(config, tmp_path):
    (run,) = planned_runs(config, ["rmIGM"], [0], tmp_path)
    data = read_data(config)
    # Left by a run that was killed before its first state: begun anew.
    run.folder.mkdir(parents=True)
    (run.folder / "metrics.jsonl").write_text('{"step": 1, "name": "total", "value": 1e9, "unit": ""}\n')
    do_run(run, data, device="cpu", backend="eager")
    assert run.done
    assert read_checkpoint(run.folder / "last.safetensors").config.visual_attention == "none"
    assert course(run.folder, "total").keys() == {1, 2}
    before = {path: path.stat().st_mtime_ns for path in run.folder.rglob("*") if path.name != "lock"}
    do_run(run, data, device="cpu", backend="eager")
    assert before == {path: path.stat().st_mtime_ns for path in run.folder.rglob("*") if path.name != "lock"}
    with pytest.raises(ConfigError, match="differs from the settings given in steps"):
        planned_runs(replace(config, steps=3), ["rmIGM"], [0], tmp_path)
    (result,) = scored([run])
    everything = run.scores()
    assert result.values["EN"] == [everything["fusion"]["fused"]["EN"]]
    ious = everything["segmentation"]["IoU"]
    assert result.values["mIoU"] == pytest.approx([100 * np.mean(list(ious.values()))])
    for damaged in ("{", "{}", "[]", '{"groups": null}'):
        (run.folder / "scores.json").write_text(damaged)
        with pytest.raises(
            ConfigError, match=r"scores\.json: cannot be read .* delete it, and this run is scored again"
        ):
            run.scores()
    (run.folder / "config.yaml").unlink()
    with pytest.raises(ConfigError, match=r"config\.yaml: cannot be read"):  # nothing says what was trained here
        planned_runs(config, ["rmIGM"], [0], tmp_path)


def test_what_a_kill_left_before_the_first_state_is_no_hindrance(config, tmp_path):
    folder = tmp_path / "runs" / "full-seed0"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text("")
    (run,) = planned_runs(config, ["full"], [0], tmp_path)
    assert not run.done


def test_frames_that_cannot_be_scored_are_found_before_training(config, tmp_path, small_pair):
    small = write_pairs(tmp_path / "small", small_pair, (40, 64))
    with pytest.raises(ImageError, match=r"small all: 0: is 40x64 \(HxW\): expected 41x41 or more"):
        read_data(replace(config, val=[*config.val, {"root": str(small), "split": "all"}]))


@pytest.mark.slow
def test_a_run_goes_on_from_its_last_state_to_the_same_weights(config, tmp_path):
    """Stopped after its first step, as by a kill: equal to a run that never stopped."""
    data = read_data(config)
    whole, cut = (planned_runs(config, ["full"], [0], tmp_path / name)[0] for name in ("whole", "cut"))
    do_run(whole, data, device="cpu", backend="eager")

    class Stop(Exception):
        pass

    class Bar:
        def __init__(self, **_):
            pass

        def set_postfix_str(self, _):
            pass

        def update(self, _):
            raise Stop

    with pytest.raises(Stop):
        do_run(cut, data, device="cpu", backend="eager", training_bar=Bar)
    assert not cut.done
    do_run(cut, data, device="cpu", backend="eager")
    weights = [read_checkpoint(run.folder / "last.safetensors").weights for run in (whole, cut)]
    assert all((weights[0][name] == weights[1][name]).all() for name in weights[0])
    scores = [run.scores() for run in (whole, cut)]
    assert scores[0] == scores[1]


def test_a_run_of_another_process_is_left_to_it(config, tmp_path):
    (run,) = planned_runs(config, ["full"], [0], tmp_path)
    with lock(run.folder / "lock", 0.0, ""):
        with pytest.raises(MrfsError, match=rf"lock: another process does this run \(.* {os.getpid()}\): try again"):
            do_run(run, read_data(config), device="cpu")
        assert [path.name for path in run.folder.iterdir()] == ["lock"]


def written(folder: Path, variant: str, seed: int, iou: dict[str, float | None], entropy: float) -> Run:
    """A run that is done, with these scores; class "ghost" is predicted, but never labelled."""
    folder = folder / f"{variant}-{seed}"
    folder.mkdir(parents=True)
    fused = {name: entropy if name == "EN" else 1.0 for name in CONVENTIONS} | {"PSNR": None}
    recall = {name: None if name == "ghost" else 0.5 for name in iou}
    everything = {"segmentation": {"IoU": iou, "recall": recall}, "fusion": {"fused": fused, "average": {}}}
    (folder / "scores.json").write_text(json.dumps({"groups": {"all": everything}}))
    return Run(variant, seed, TrainConfig(), folder)


def test_the_table_has_means_and_spreads_over_seeds(tmp_path):
    runs = [
        written(tmp_path, "full", 0, {"car": 0.5, "person": 0.3, "ghost": 0.0}, 6.0),
        written(tmp_path, "rmPC", 0, {"car": 0.2, "person": 0.1, "ghost": 0.0}, 7.0),
        written(tmp_path, "full", 1, {"car": 0.7, "person": 0.3, "ghost": 0.0}, 6.5),
        Run("rmPC", 1, TrainConfig(), tmp_path / "not done"),
    ]
    full, removed = scored(runs)
    assert (full.seeds, removed.seeds) == ((0, 1), (0,))
    assert full.values["mIoU"] == pytest.approx([40, 50])
    assert full.values["car"] == pytest.approx([50, 70]) and "ghost" not in full.values and "PSNR" not in full.values
    assert full.values["EN"] == [6.0, 6.5]
    assert removed.against(full, "mIoU") == pytest.approx([-25]) and full.against(full, "EN") == [0, 0]
    text = markdown([full, removed], PAPER_VARIANTS, dict.fromkeys(PAPER_VARIANTS, Cost(2_500_000, 31 * 10**9)), {})
    assert (
        "| full | the paper's network and loss | 2.50 | 31.0 | 45.0 ± 7.1 | +0.0 ± 0.0 | 60.0 ± 14.1 | 30.0 ± 0.0 |"
        in text
    )
    assert "| rmPC | PC-Att removed | 2.50 | 31.0 | 15.0 | -25.0 | 20.0 | 10.0 |" in text
    assert "| rmPC | 7.00 |" in text


@pytest.mark.parametrize(
    "values, how, text",
    [
        ([6.51], {}, "6.51"),
        ([0.01234], {}, "0.0123"),
        ([6000.0, 6200.0], {}, "6100 ± 141"),
        ([0.0, 0.0], {}, "0.00 ± 0.00"),
        ([-0.4, 0.8], {"digits": 1, "sign": "+"}, "+0.2 ± 0.8"),
        ([], {"digits": 1}, "-"),
    ],
)
def test_numbers_are_shown_with_three_digits(values, how, text):
    assert shown(values, **how) == text


def test_scores_without_labels_have_a_table_of_fusion(tmp_path):
    run = written(tmp_path, "full", 0, {"car": 0.5}, 6.0)
    content = json.loads((run.folder / "scores.json").read_text())
    del content["groups"]["all"]["segmentation"]
    (run.folder / "scores.json").write_text(json.dumps(content))
    (result,) = scored([run])
    assert isinstance(result, Scored) and "mIoU" not in result.values and result.values["EN"] == [6.0]


def test_scores_of_other_frames_or_labels_are_not_compared(tmp_path):
    first = written(tmp_path, "full", 0, {"car": 0.5, "person": 0.3}, 6.0)
    other = written(tmp_path, "rmPC", 0, {"car": 0.5, "person": 0.3, "bike": 0.1}, 6.0)
    with pytest.raises(ConfigError, match=r"rmPC-0/scores\.json: was scored on other frames or labels than .*full-0"):
        scored([first, other])


def test_a_metric_that_one_run_lacks_is_in_no_row(tmp_path):
    runs = [written(tmp_path, "full", seed, {"car": 0.5}, 6.0) for seed in (0, 1)]
    content = json.loads((runs[0].folder / "scores.json").read_text())
    content["groups"]["all"]["fusion"]["fused"]["PSNR"] = 20.0
    (runs[0].folder / "scores.json").write_text(json.dumps(content))
    (result,) = scored(runs)
    assert "PSNR" not in result.values and result.values["EN"] == [6.0, 6.0]
