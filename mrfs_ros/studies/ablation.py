"""Variants trained and scored under equal budgets and seeds: many runs in one folder, each done once."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from mrfs_ros.data.dataset import PairDataset, by_name
from mrfs_ros.data.scenes import training_dataset
from mrfs_ros.engine import load_engine
from mrfs_ros.engine.load import resolve_device
from mrfs_ros.errors import ConfigError, ImageError
from mrfs_ros.evaluation.dataset_scores import evaluate
from mrfs_ros.evaluation.metrics import SMALLEST_SIDE
from mrfs_ros.evaluation.score_report import write_report
from mrfs_ros.files import lock
from mrfs_ros.studies.ablation_variants import variant_config
from mrfs_ros.training.fit import Trainer, fit
from mrfs_ros.training.memory import limit_caches
from mrfs_ros.training.processes import Processes
from mrfs_ros.training.run_folder import STATE, RunFolder, check_same_settings, load_state
from mrfs_ros.training.train_config import TrainConfig

SCORES = "scores.json"  # written last: a run that has it is done
_LOCK = "lock"
WEIGHTS = "last.safetensors"  # the average after the last step: no variant gets to choose its best moment


@dataclass(frozen=True)
class Run:
    """One variant trained from one seed, in a folder of its own."""

    variant: str
    seed: int
    config: TrainConfig
    folder: Path

    @property
    def done(self) -> bool:
        return (self.folder / SCORES).is_file()

    def scores(self) -> dict[str, Any]:
        """What ``mrfs_ros.evaluation.score_report.as_json`` says of all frames; ConfigError if that cannot be read."""
        try:
            return dict(json.loads((self.folder / SCORES).read_text(encoding="utf-8"))["groups"]["all"])
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise ConfigError(
                f"{self.folder / SCORES}: cannot be read ({type(error).__name__}: {error}): "
                "delete it, and this run is scored again"
            ) from error

    def provenance(self) -> dict[str, str]:
        """Where this run comes from, see ``run_folder.origin``; empty if nothing says so."""
        try:
            return dict(json.loads((self.folder / "run.json").read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return {}


@dataclass(frozen=True)
class Data:
    """The datasets that all runs share, read once; ``notes``: on their files and the memory that they take."""

    train: list[PairDataset]
    val: dict[str, PairDataset]
    notes: tuple[str, ...] = ()


def planned_runs(config: TrainConfig, variants: Sequence[str], seeds: Sequence[int], out: Path) -> list[Run]:
    """Every variant with every seed, seed by seed, so that a study that is cut short has compared all variants.

    ConfigError for unknown variants, wrong settings, or a folder in which one of these runs has other settings.
    """
    if not config.val:
        raise ConfigError("val: expected at least one dataset to score the variants on")
    runs = []
    for seed in seeds:
        for name in variants:
            run = Run(name, seed, variant_config(config, name, seed), out / "runs" / f"{name}-seed{seed}")
            if run.done or (run.folder / STATE).is_file():  # otherwise it begins anew
                check_same_settings(run.folder / "config.yaml", run.config)
            runs.append(run)
    return runs


def read_data(config: TrainConfig) -> Data:
    """The datasets of a configuration; errors as for ``PairDataset``.

    Reads all of val, so that nothing is trained for frames that cannot be scored: ImageError for one that is damaged,
    or too small for the metrics.
    """
    classes = config.class_set()
    train = [training_dataset(entry, classes) for entry in config.datasets("train")]
    val = [PairDataset(entry, classes) for entry in config.datasets("val")]
    memory = limit_caches([*train, *val])
    named = by_name(val)
    for name, dataset in named.items():
        for pair in dataset:
            if min(pair.thermal.shape) < SMALLEST_SIDE:
                size, least = "x".join(map(str, pair.thermal.shape)), f"{SMALLEST_SIDE}x{SMALLEST_SIDE}"
                raise ImageError(f"{name}: {pair.name}: is {size} (HxW): expected {least} or more, to score it")
    found = dict.fromkeys(note for dataset in (*train, *val) for note in dataset.notes)
    return Data(train, named, (*found, memory))


def do_run(
    run: Run,
    data: Data,
    *,
    device: str = "auto",
    backend: str = "auto",
    training_bar: Callable[..., object] | None = None,
    scoring_bar: Callable[..., Iterator] = iter,
) -> None:
    """Train a run to its last step, from where it was left, and score it; MrfsError if another process is at it.

    ``training_bar``, ``scoring_bar``: as for ``fit`` and ``evaluate``.
    """
    with lock(run.folder / _LOCK, 0.0, "does this run"):
        if run.done:
            return
        _train(run, data, device, training_bar)
        engine = load_engine(run.folder / WEIGHTS, device, backend)
        evaluation = evaluate(engine, data.val, progress=scoring_bar)
        write_report(evaluation, run.folder, {"variant": run.variant, "seed": str(run.seed)})


def _train(run: Run, data: Data, device: str, bar: Callable[..., object] | None) -> None:
    begun = (run.folder / STATE).is_file()
    if not begun:
        _clear(run.folder)
    if run.config.threads:
        torch.set_num_threads(run.config.threads)
    trainer = Trainer(run.config, data.train, Processes(0, 1, torch.device(resolve_device(device))))
    folder = RunFolder(run.folder, run.config, resume=begun)
    if begun:
        trainer.load_state(load_state(run.folder))
    fit(trainer, data.train, folder, validate=None, progress_bar=bar)


def _clear(folder: Path) -> None:
    """Take away what a run left that ended before its first state."""
    for entry in folder.iterdir():
        if entry.name != _LOCK:
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
