"""The training loop: it learns, ends when told, goes on as if never stopped, and says what is wrong."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from toy_run import CLASSES, batch_of, course, metrics, trainer_of, weights, write_pairs, write_settings

from mrfs_ros.checkpoint import read_checkpoint
from mrfs_ros.cli.main import main
from mrfs_ros.errors import MrfsError
from mrfs_ros.training.fit import fit
from mrfs_ros.training.losses import mrfs_loss
from mrfs_ros.training.run_folder import RunFolder, load_state

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small_encoders", "tidy")]

TEST = Path(__file__).resolve().parent.parent


def run(settings: Path, out: Path, **how) -> tuple:
    """Train as ``mrfs train`` does; the trainer and the folder."""
    trainer, datasets = trainer_of(settings)
    folder = RunFolder(out, trainer.config, resume=False)
    fit(trainer, datasets, folder, **({"validate": None} | how))
    return trainer, datasets, folder


def test_it_learns_two_frames_by_heart(tmp_path, view):
    root = write_pairs(tmp_path / "data", view, (64, 96))
    steps = 60
    settings = write_settings(
        tmp_path / "settings.yaml", root, crop_height=64, crop_width=96, head_width=96, steps=steps, rate=2e-3,
        warmup_steps=5, log_every=5, ema_decay=0.9,
    )  # fmt: skip
    _, datasets, _ = run(settings, tmp_path / "out")
    segmentation, fusion = (course(tmp_path / "out", name) for name in ("segmentation", "fusion"))
    assert segmentation[steps] < segmentation[1] / 10, segmentation
    assert fusion[steps] < fusion[1] / 2, fusion
    # The averaged weights, in eval mode, know the frames too.
    network, batch = read_checkpoint(tmp_path / "out" / "last.safetensors").network(), batch_of(datasets)
    rgb, thermal = batch["rgb"] / 255, batch["thermal"] / 255
    with torch.no_grad():
        logits, fused = network(rgb, thermal)
        result = mrfs_loss(logits, fused, rgb, thermal, batch["label"], batch["valid"])
    assert (logits.argmax(1) == batch["label"]).float().mean() > 0.9
    assert result["fusion"] < fusion[1] / 2


def arguments(settings: Path, out: Path, *more: str) -> list[str]:
    return ["train", str(settings), "--out", str(out), "--device", "cpu", *more]


def kill_after_step(process: subprocess.Popen, out: Path, step: int, timeout_s: float = 300) -> None:
    """SIGKILL, to the process and its workers, some moment after the metrics of ``step`` appear."""
    deadline = time.monotonic() + timeout_s
    try:
        while f'"step": {step},' not in (text(out / "metrics.jsonl")):
            assert process.poll() is None, "the run ended before it was killed"
            assert time.monotonic() < deadline
            time.sleep(0.01)
        time.sleep(random.uniform(0, 0.15))
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def test_a_killed_run_goes_on_as_if_it_had_never_stopped(tmp_path, settings, set_threads, capsys):
    """Validation, means over several steps, dropout, workers, warm-up: nothing may notice.

    A process of its own is killed; this one goes on with its run, and then makes the whole run.
    """
    every = {"log_every": 2, "save_every": 3, "eval_every": 5}  # on purpose none a multiple of the others
    root = str(tmp_path / "data")
    file = settings(
        steps=14, workers=1, threads=1, class_weights="sqrt", clip_norm=1.0, val=[{"root": root, "split": "all"}],
        augment={"mirror": 0.5, "scale_low": 0.8, "scale_high": 1.2, "rgb_noise": 5.0}, **every,
    )  # fmt: skip
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    program = [sys.executable, "-m", "small_encoders", *arguments(file, killed)]
    paths = {"PYTHONPATH": os.pathsep.join(filter(None, (str(TEST), os.environ.get("PYTHONPATH"))))}
    with (tmp_path / "log").open("w") as log:
        first = subprocess.Popen(program, stdout=log, stderr=log, start_new_session=True, env=os.environ | paths)
        last = random.choice((4, 5, 6, 8))
        kill_after_step(first, killed, last)
        assert first.wait() == -signal.SIGKILL, text(tmp_path / "log")
    began = load_state(killed)["step"]
    assert began in (3, 6, 9, 12)
    assert main(arguments(file, killed, "--resume")) == 0
    assert f"run folder {killed}, step {began} of 14" in capsys.readouterr().out
    assert main(arguments(file, whole)) == 0
    for name in ("last", "best"):
        expected, got = weights(whole / f"{name}.safetensors"), weights(killed / f"{name}.safetensors")
        assert expected.keys() == got.keys()
        differing = [key for key in expected if not torch.equal(expected[key], got[key])]
        assert not differing, (f"killed after the metrics of step {last}", differing)
    assert metrics(killed) == metrics(whole)
    assert {step for step, _, _ in metrics(whole)} == {1, 2, 3, 4, 5, 6, 8, 9, 10, 12, 14}
    assert {"val/mIoU", "val/IoU/hot", "total", "rate"} <= {name for _, name, _ in metrics(whole)}


def test_means_are_those_of_the_steps_between_entries(tmp_path, settings):
    common = {"steps": 5, "save_every": 100, "eval_every": 100}
    run(settings(log_every=1, **common), tmp_path / "each")
    run(settings(log_every=3, **common), tmp_path / "third")
    each, third = course(tmp_path / "each", "total"), course(tmp_path / "third", "total")
    assert third.keys() == {1, 3, 5}
    assert third[1] == each[1]
    assert third[3] == pytest.approx((each[2] + each[3]) / 2, rel=1e-6)
    assert third[5] == pytest.approx((each[4] + each[5]) / 2, rel=1e-6)


def test_the_rate_warms_up_and_falls(tmp_path, settings):
    run(settings(steps=6, warmup_steps=2, rate=1e-3, poly_power=1.0, log_every=1), tmp_path / "out")
    expected = {s + 1: 1e-3 * min(1, (s + 1) / 2) * (1 - s / 6) for s in range(6)}
    assert course(tmp_path / "out", "rate") == pytest.approx(expected)


def test_a_time_budget_ends_the_run_and_the_rate_reaches_zero(tmp_path, settings):
    budget_s = 2.5
    trainer, _, _ = run(settings(steps=10**6, warmup_steps=0, log_every=1), tmp_path / "out", budget_s=budget_s)
    assert trainer.elapsed_s >= budget_s
    assert 2 <= trainer.step < 10**4
    rates = course(tmp_path / "out", "rate")
    assert list(rates) == list(range(1, trainer.step + 1))
    assert all(after < before for before, after in zip(rates.values(), list(rates.values())[1:]))
    lines = [json.loads(line) for line in (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()]
    longest_s = max(2 / line["value"] for line in lines if line["name"] == "crops_per_s")
    assert rates[trainer.step] < 1e-3 * (1.5 * longest_s / budget_s) ** 0.9  # the last step began that near the end
    assert read_checkpoint(tmp_path / "out" / "best.safetensors").provenance["steps"] == trainer.step
    assert load_state(tmp_path / "out")["step"] == trainer.step


def test_a_finished_run_has_nothing_to_go_on_to(tmp_path, settings):
    file = settings(steps=3)
    run(file, tmp_path / "out")
    before = weights(tmp_path / "out" / "last.safetensors"), metrics(tmp_path / "out")
    (tmp_path / "out" / "last.safetensors").unlink()
    trainer, datasets = trainer_of(file)
    folder = RunFolder(tmp_path / "out", trainer.config, resume=True)
    trainer.load_state(load_state(tmp_path / "out"))
    fit(trainer, datasets, folder, validate=None)
    assert trainer.step == 3
    after = weights(tmp_path / "out" / "last.safetensors"), metrics(tmp_path / "out")
    assert after[1] == before[1]
    assert all(torch.equal(after[0][name], tensor) for name, tensor in before[0].items())


def test_validation_chooses_the_best_weights(tmp_path, settings):
    """Of three validations the second scores highest; best is its average in half precision, last is the third's."""
    seen, scores = [], [0.2, 0.5, 0.1]

    def validate(network) -> dict[str, float]:
        assert not network.training
        seen.append({name: tensor.clone() for name, tensor in network.state_dict().items()})
        return {"mIoU": scores[len(seen) - 1]}

    trainer, _, _ = run(settings(steps=6, eval_every=2, ema_decay=0.5), tmp_path / "out", validate=validate)
    assert len(seen) == 3
    assert trainer.network.training
    assert trainer.best == 0.5
    assert course(tmp_path / "out", "val/mIoU") == dict(zip((2, 4, 6), scores))
    best, last = (read_checkpoint(tmp_path / "out" / f"{name}.safetensors") for name in ("best", "last"))
    assert best.provenance["scores"] == {"mIoU": 0.5}
    assert (best.provenance["steps"], last.provenance["steps"]) == (4, 6)
    for name, tensor in seen[1].items():
        halved = tensor.half().float() if tensor.is_floating_point() else tensor
        assert torch.equal(best.weights[name], halved), name
    assert all(torch.equal(last.weights[name], tensor) for name, tensor in seen[2].items())
    assert not torch.equal(seen[1]["decode_head.linear_pred.weight"], seen[2]["decode_head.linear_pred.weight"])


def test_best_weights_and_time_outlive_a_stop(tmp_path, settings):
    """Stopped while it validates the second time: the score to beat is still the first one."""
    file, scores = settings(steps=4, eval_every=2, save_every=2), iter([0.9])

    def validate(network) -> dict[str, float]:
        score = next(scores, None)
        if score is None:
            raise KeyboardInterrupt
        return {"mIoU": score}

    with pytest.raises(KeyboardInterrupt):
        run(file, tmp_path / "out", validate=validate)
    state = load_state(tmp_path / "out")
    trainer, datasets = trainer_of(file)
    trainer.load_state(state)
    assert (trainer.step, trainer.elapsed_s, trainer.best) == (2, state["elapsed_s"], 0.9)
    assert trainer.elapsed_s > 0
    fit(trainer, datasets, RunFolder(tmp_path / "out", trainer.config, resume=True), validate=lambda _: {"mIoU": 0.5})
    assert trainer.elapsed_s > state["elapsed_s"]
    assert read_checkpoint(tmp_path / "out" / "best.safetensors").provenance["steps"] == 2
    assert read_checkpoint(tmp_path / "out" / "last.safetensors").provenance["steps"] == 4


def test_validation_is_no_time_of_training(tmp_path, settings):
    begin_s = time.monotonic()
    trainer, _, _ = run(
        settings(steps=2, eval_every=1), tmp_path / "out", validate=lambda _: time.sleep(0.5) or {"mIoU": 0.0}
    )
    assert 0 < trainer.elapsed_s < time.monotonic() - begin_s - 1.0


def test_crops_a_second_are_batches_over_time(tmp_path, settings):
    trainer, _, _ = run(settings(steps=8, log_every=1, save_every=100, eval_every=100), tmp_path / "out")
    lines = [json.loads(line) for line in (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()]
    seconds = sum(trainer.config.batch_size / line["value"] for line in lines if line["name"] == "crops_per_s")
    assert seconds == pytest.approx(trainer.elapsed_s, rel=0.3)


def test_a_score_of_zero_is_a_result_too(tmp_path, settings):
    run(settings(steps=1), tmp_path / "out", validate=lambda network: {"mIoU": 0.0})
    assert read_checkpoint(tmp_path / "out" / "best.safetensors").provenance["scores"] == {"mIoU": 0.0}


def test_without_validation_the_last_average_is_the_result(tmp_path, settings):
    trainer, _, _ = run(settings(steps=4, eval_every=2, ema_decay=0.5), tmp_path / "out")
    best = read_checkpoint(tmp_path / "out" / "best.safetensors")
    assert best.provenance["steps"] == 4
    assert best.classes.names == tuple(CLASSES)
    average = trainer.averaged_network().state_dict()["aux_head.CNN_fuse.3.weight"]
    assert torch.equal(best.weights["aux_head.CNN_fuse.3.weight"], average.half().float())
    assert not torch.equal(average, trainer.network.aux_head.CNN_fuse[3].weight)


def test_what_the_weights_say_of_their_making(tmp_path, settings):
    _, _, folder = run(settings(steps=2, class_names=[*CLASSES, "unicorn", "yeti"]), tmp_path / "out")
    provenance = read_checkpoint(tmp_path / "out" / "last.safetensors").provenance
    assert provenance["untrained classes"] == "unicorn, yeti"
    assert provenance["pairs"] == 2
    assert provenance["steps"] == 2
    assert provenance["torch"] == torch.__version__
    assert provenance["settings"]["rate"] == 1e-3
    assert provenance["settings"]["train"] == [{"root": "data", "split": "all"}]
    assert str(tmp_path) not in json.dumps(provenance["settings"])
    assert folder.origin.items() <= provenance.items()


def test_pairs_without_labels_train_the_fusion_alone(tmp_path, settings, view):
    root = write_pairs(tmp_path / "unlabelled", view, (64, 64), labelled=False)
    file = settings(train=[{"root": str(root), "split": "all"}], steps=6, log_every=1, class_weights="median")
    trainer, _, _ = run(file, tmp_path / "out")
    assert set(course(tmp_path / "out", "segmentation").values()) == {0.0}
    fusion = course(tmp_path / "out", "fusion")
    assert fusion[6] < fusion[1]
    assert trainer.class_weights is None
    provenance = read_checkpoint(tmp_path / "out" / "last.safetensors").provenance
    assert provenance["untrained classes"] == "cold, warm, hot"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_ends_the_run_before_anything_is_saved(tmp_path, settings, value):
    trainer, datasets = trainer_of(settings(steps=5, log_every=1000, save_every=2, eval_every=4))
    folder = RunFolder(tmp_path / "out", trainer.config, resume=False)
    with torch.no_grad():
        trainer.network.decode_head.linear_pred.bias[0] = value
    with pytest.raises(MrfsError, match=r"the loss is nan after step 1: lower rate, set clip_norm, or use amp: none"):
        fit(trainer, datasets, folder, validate=None)
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"config.yaml", "run.json", "metrics.jsonl"}


def test_numbers_that_go_bad_between_two_log_entries(tmp_path, settings):
    """Found when the next state is due, which is not written."""
    trainer, datasets = trainer_of(settings(steps=9, log_every=1000, save_every=2))
    folder = RunFolder(tmp_path / "out", trainer.config, resume=False)
    bar = BreakingBar(trainer.network, step=3)
    with pytest.raises(MrfsError, match="the loss is nan after step 4"):
        fit(trainer, datasets, folder, validate=None, progress_bar=lambda **_: bar)
    assert load_state(tmp_path / "out")["step"] == 2


class BreakingBar:
    """A progress bar, told of every step, that breaks the network after one of them."""

    def __init__(self, network, step: int):
        self.network, self.left = network, step

    def update(self, _: int) -> None:
        self.left -= 1
        if self.left == 0:
            with torch.no_grad():
                self.network.decode_head.linear_pred.bias.fill_(float("nan"))

    def set_postfix_str(self, _: str) -> None:
        pass

    def close(self) -> None:
        pass


def test_the_encoder_side_goes_into_the_weights(tmp_path, settings):
    for side in (0, 48):
        trainer, datasets = trainer_of(settings(encoder_side=side, steps=1))
        folder = RunFolder(tmp_path / f"run{side}", trainer.config, resume=False)
        fit(trainer, datasets, folder, validate=lambda network: {"mIoU": 0.5})
        for name in ("last.safetensors", "best.safetensors"):
            assert read_checkpoint(folder.path / name).encoder_side == side
