"""Every field of ``TrainConfig`` changes something that can be observed of a run; a new field fails here."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass, field, fields
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from toy_run import course, metrics, one_step, trainer_of, write_pairs, write_settings

from mrfs_ros.checkpoint import Checkpoint, read_checkpoint, save_checkpoint
from mrfs_ros.cli.main import main
from mrfs_ros.config import NetworkConfig
from mrfs_ros.evaluation import dataset_scores
from mrfs_ros.network import build_network
from mrfs_ros.studies.ablation_variants import known_variants
from mrfs_ros.training.fit import Trainer
from mrfs_ros.training.run_folder import RunFolder
from mrfs_ros.training.train_config import TrainConfig, load_config
from mrfs_ros.types import ClassSet, numbered_hues

pytestmark = pytest.mark.slow  # seconds together: not for the core suite

BASE = {"steps": 2, "threads": 1, "crop_height": 32, "crop_width": 32, "log_every": 1, "rate": 1e-2}


@dataclass
class Run:
    """A run of ``mrfs train``: what it wrote and printed, and what was seen of it, step by step."""

    folder: Path
    printed: str = ""
    crops: list[torch.Tensor] = field(default_factory=list)
    readers: list[int] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)
    saved: list[int] = field(default_factory=list)
    validated_at: set[int] = field(default_factory=set)  # encoder sides

    @property
    def result(self) -> Checkpoint:
        return read_checkpoint(self.folder / "last.safetensors")


class Bench:
    """Runs in a folder with two frames, ``one``, and weights files; equal settings are run once."""

    def __init__(self, folder: Path):
        self.folder, self.settings = folder, folder / "settings.yaml"
        self._runs: dict[str, Run] = {}
        self._count = 0

    def write(self, settings: dict[str, Any]) -> None:
        write_settings(self.settings, self.folder / "one", **{**BASE, **settings})

    def trainer(self) -> Trainer:
        return trainer_of(self.settings)[0]

    def run(self) -> Run:
        """The run of the settings."""
        text = self.settings.read_text()
        if text not in self._runs:
            self._runs[text] = self.new_run()
        return self._runs[text]

    def new_run(self) -> Run:
        self._count += 1
        run = Run(self.folder / f"run{self._count}")
        step, scores = Trainer.train_step, dataset_scores.validation_scores

        def seen_step(trainer: Trainer, batch: dict[str, torch.Tensor], progress: float) -> Any:
            run.crops.append(batch["rgb"])
            run.readers.append(len(multiprocessing.active_children()))
            run.threads.append(torch.get_num_threads())
            return step(trainer, batch, progress)

        def seen_scores(engine: Any, datasets: Any) -> dict[str, float]:
            run.validated_at.add(engine.info.encoder_side.pixels)
            return scores(engine, datasets)

        with pytest.MonkeyPatch.context() as patch, redirect_stdout(StringIO()) as out:
            patch.setattr(Trainer, "train_step", seen_step)
            patch.setattr(dataset_scores, "validation_scores", seen_scores)
            patch.setattr(RunFolder, "save_state", lambda _, state: run.saved.append(state["step"]))
            assert main(["train", str(self.settings), "--out", str(run.folder), "--device", "cpu"]) == 0
        run.printed = out.getvalue()
        return run


@pytest.fixture(scope="module")
def bench(tmp_path_factory, view, small_encoders) -> Iterator[Bench]:
    folder, before = tmp_path_factory.mktemp("bench"), torch.get_num_threads()
    write_pairs(folder / "one", view, (64, 64))
    names = ("cold", "warm", "hot")
    network = build_network(NetworkConfig(num_classes=len(names), head_width=8), seed=9)
    save_checkpoint(folder / "init.safetensors", network, ClassSet("own", names, numbered_hues(3)), {})
    encoder = network.backbone.state_dict().items()
    mit = {name: tensor for name, tensor in encoder if name.startswith(("patch_embed", "block", "norm"))}
    save_file(mit, folder / "mit.safetensors")
    yield Bench(folder)
    torch.set_num_threads(before)


def shapes(part: str) -> Callable[[Bench], Any]:
    """The names and shapes of the weights of one part of the result."""

    def observe(bench: Bench) -> Any:
        found = {name: tensor.shape for name, tensor in bench.run().result.weights.items() if name.startswith(part)}
        assert found
        return found

    return observe


def weights(part: str) -> Callable[[Bench], Any]:
    """The weights of one part of the result."""

    def observe(bench: Bench) -> Any:
        found = {name: tensor.tolist() for name, tensor in bench.run().result.weights.items() if name.startswith(part)}
        assert found
        return found

    return observe


def start(part: str) -> Callable[[Bench], Any]:
    """The weights of one part before the first step."""
    return lambda bench: {
        name: tensor.tolist() for name, tensor in bench.trainer().network.state_dict().items() if name.startswith(part)
    }


def logged(name: str) -> Callable[[Bench], Any]:
    """One metric by step."""
    return lambda bench: course(bench.run().folder, name)


def first(name: str) -> Callable[[Bench], Any]:
    """One loss of the first step, the same whatever the rates are."""
    return lambda bench: course(bench.run().folder, name)[1]


def classes(bench: Bench) -> Any:
    return bench.run().result.classes.names


def colours(bench: Bench) -> Any:
    return bench.run().result.classes.colors


def known_pixels(bench: Bench) -> Any:
    return bench.trainer().pixels.tolist()


def own_variants(bench: Bench) -> Any:
    return sorted(known_variants(load_config(bench.settings)))


def crop_size(bench: Bench) -> Any:
    return [batch.shape for batch in bench.run().crops]


def changed_parts(bench: Bench) -> Any:
    trainer, datasets = trainer_of(bench.settings)
    before = {name: tensor.clone() for name, tensor in trainer.network.named_parameters()}
    one_step(trainer, datasets)
    return {name.split(".")[0] for name, now in trainer.network.named_parameters() if not now.equal(before[name])}


def gradient_norm(bench: Bench) -> Any:
    trainer, datasets = trainer_of(bench.settings)
    one_step(trainer, datasets)
    return torch.stack([p.grad.norm() for p in trainer.network.parameters()]).norm().item()


def encoder_side(bench: Bench) -> Any:
    """That of the validation, which is that of the weights file."""
    (side,) = {bench.run().result.encoder_side, *bench.run().validated_at}
    assert bench.run().validated_at
    return side


def crops(bench: Bench) -> Any:
    """All crops. (First weights and dropout: see the tests of one step.)"""
    return [batch.tolist() for batch in bench.run().crops]


def readers(bench: Bench) -> Any:
    return bench.run().readers


def threads(bench: Bench) -> Any:
    return bench.run().threads


def board(bench: Bench) -> Any:
    return (bench.run().folder / "tensorboard").exists()


def saved(bench: Bench) -> Any:
    return bench.run().saved


ONE = [{"root": "one", "split": "all"}]
TWICE = [*ONE, *ONE]
PUBLIC = {"class_names": [], "classes": "MFNet"}
FOUR = {"steps": 4}
# Field: what it changes, the settings beside it (also the field's own), and its other value.
OBSERVED: dict[str, tuple[Callable[[Bench], Any], dict[str, Any], Any]] = {
    "variant": (shapes("backbone.block1"), {}, "mit_b1"),
    "head_width": (shapes("decode_head"), {}, 16),
    "visual_attention": (shapes("backbone.IGMAVCs"), {}, "pooled"),
    "semantic_attention": (shapes("backbone.PCASCs"), {}, "cross"),
    "classes": (classes, PUBLIC, "FMB"),
    "class_names": (classes, {}, ["cold", "warm", "hot", "hotter"]),
    "class_colors": (colours, {}, [[0, 0, 0], [9, 9, 9], [99, 9, 9]]),
    "pretrained": (start("backbone.patch_embed1"), {}, "mit.safetensors"),
    "init": (start("decode_head"), {}, "init.safetensors"),
    "train": (known_pixels, {"train": ONE}, TWICE),
    "val": (logged("val/mIoU"), {}, ONE),
    "augment": (first("fusion"), {}, {"mirror": 1.0}),
    "preset": (first("fusion"), {}, "PST900"),
    "fusion_target": (first("fusion"), {}, {"gamma": 0.3}),
    "fusion_rule": (first("fusion"), {}, "proportional"),
    "fusion_weight": (first("total"), {}, 0.0),
    "class_weights": (first("segmentation"), {}, "median"),
    "shift_logits": (lambda bench: "logit shifts" in bench.run().printed, {"val": ONE}, True),
    "label_smoothing": (first("segmentation"), {}, 0.3),
    "variants": (own_variants, {}, {"mine": {"rate": 0.1}}),
    "steps": (lambda bench: max(course(bench.run().folder, "total")), {}, 3),
    "batch_size": (crop_size, {}, 4),
    "crop_height": (crop_size, {}, 48),
    "crop_width": (crop_size, {}, 48),
    "rate": (logged("rate"), {}, 2e-2),
    "learn": (changed_parts, {}, ["fusion_head"]),
    "head_rate": (weights("decode_head"), {}, 0.5),
    "weight_decay": (weights("decode_head"), {}, 0.9),
    "warmup_steps": (logged("rate"), {}, 1),
    "poly_power": (logged("rate"), {}, 0.0),
    "clip_norm": (gradient_norm, {}, 0.001),
    "amp": (first("segmentation"), {}, "bf16"),
    "ema_decay": (weights("decode_head"), {}, 0.0),
    "freeze_norms": (weights("decode_head.linear_fuse.1.running_mean"), {}, 0.0),
    "encoder_side": (encoder_side, {"val": ONE}, 32),
    "seed": (crops, {}, 1),
    "workers": (readers, {}, 2),
    "threads": (threads, {"threads": 1}, 2),
    "tensorboard": (board, {}, True),
    "log_every": (logged("total"), FOUR, 3),
    "save_every": (saved, FOUR, 3),
    "eval_every": (logged("val/mIoU"), {**FOUR, "val": ONE}, 1),
}


@pytest.mark.parametrize("name", [spec.name for spec in fields(TrainConfig)])
def test_a_setting_changes_what_is_observed(name, bench):
    assert name in OBSERVED, f"a setting that no test observes: say in OBSERVED what {name} changes"
    observe, beside, other = OBSERVED[name]
    seen = []
    for settings in (beside, {**beside, name: other}):
        bench.write(settings)
        seen.append(observe(bench))
    assert seen[0] != seen[1]


def test_the_same_settings_change_nothing(bench):
    bench.write({"val": ONE})
    runs = bench.new_run(), bench.new_run()
    assert metrics(runs[0].folder) == metrics(runs[1].folder)
    first, second = (run.result.weights for run in runs)
    assert first.keys() == second.keys() and all(first[name].equal(second[name]) for name in first)


def test_nothing_is_left_over():
    assert OBSERVED.keys() == {spec.name for spec in fields(TrainConfig)}
