"""A training run small enough for tests: two cuts of a sample with labels from their heat, settings and numbers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch

from mrfs_ros.camera.image_io import write_png
from mrfs_ros.checkpoint import read_checkpoint
from mrfs_ros.data.dataset import PairDataset
from mrfs_ros.network import MRFS
from mrfs_ros.network.encoder import DropPath
from mrfs_ros.training.fit import Trainer, fit
from mrfs_ros.training.processes import Processes
from mrfs_ros.training.train_config import TrainConfig, load_config

CPU = torch.device("cpu")
CLASSES = ["cold", "warm", "hot"]
WALL_CLOCK = ("crops_per_s",)  # metrics that differ from run to run


def write_pairs(root: Path, pair: tuple[np.ndarray, np.ndarray], size: tuple[int, int], labelled: bool = True) -> Path:
    """Two frames of ``size`` (H, W) out of ``pair`` (at least as high, and 1.25 times as wide) in layout ``folder``.

    Labels say how warm a block of 16x16 pixels is: coarse, for logits have a quarter of the resolution.
    """
    rgb, thermal = pair
    height, width = size
    blocks = cv2.resize(thermal, (thermal.shape[1] // 16, thermal.shape[0] // 16), interpolation=cv2.INTER_AREA)
    warmth = np.digitize(blocks, np.quantile(blocks, (0.5, 0.8))).astype(np.uint8)
    label = cv2.resize(warmth, thermal.shape[::-1], interpolation=cv2.INTER_NEAREST)
    for folder, image in (("rgb", rgb), ("thermal", thermal), ("label", label)):
        if folder == "label" and not labelled:
            continue
        (root / folder).mkdir(parents=True)
        for number, left in enumerate((0, width // 4)):
            cut = np.ascontiguousarray(image[:height, left : left + width])
            write_png(root / folder / f"{number}.png", cut)
    return root


def write_settings(path: Path, root: Path, **settings) -> Path:
    """A file of settings for a mit_b0 with a narrow head on every pair under ``root``, unaugmented; JSON is YAML."""
    values = {
        "head_width": 8,
        "class_names": CLASSES,
        "train": [{"root": str(root), "split": "all"}],
        "augment": {"mirror": 0.0, "scale_low": 1.0, "scale_high": 1.0},
        "batch_size": 2,
        "crop_height": 64,
        "crop_width": 64,
        "warmup_steps": 2,
        "rate": 1e-3,
        "workers": 0,
        "tensorboard": False,
    }
    path.write_text(json.dumps(values | settings))
    return path


def trainer_of(settings: Path, overrides: Sequence[str] = ()) -> tuple[Trainer, list[PairDataset]]:
    """What ``mrfs train`` makes of the settings on one CPU process."""
    config: TrainConfig = load_config(settings, overrides)
    datasets = [PairDataset(entry, config.class_set()) for entry in config.datasets("train")]
    return Trainer(config, datasets, Processes(0, 1, CPU)), datasets


def metrics(folder: Path) -> list[tuple[int, str, float]]:
    """(step, name, value) of every line, but for those that depend on the clock."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [(line["step"], line["name"], line["value"]) for line in lines if line["name"] not in WALL_CLOCK]


def course(folder: Path, name: str) -> dict[int, float]:
    """Step to value of one metric."""
    return {step: value for step, one, value in metrics(folder) if one == name}


def without_chance(network: MRFS) -> None:
    """No dropout and no drop path; with freeze_norms: 0 nothing depends on how a batch is shared out."""
    for module in network.modules():
        if isinstance(module, torch.nn.Dropout2d):
            module.p = 0.0
        elif isinstance(module, DropPath):
            module.probability = 0.0


def train_in_two_parts(settings: Path, processes: Processes, out: Path) -> None:
    """One step, then on from its state to the third; after both parts this rank saves weights and gradients."""
    for steps in (1, 3):
        config = load_config(settings, [f"steps={steps}"])
        datasets = [PairDataset(entry, config.class_set()) for entry in config.datasets("train")]
        trainer = Trainer(config, datasets, processes)
        without_chance(trainer.network)
        if steps > 1:
            trainer.load_state(torch.load(out / f"after_1_rank_0_of_{processes.world}.pt")["state"])
        fit(trainer, datasets, None, validate=None)
        gradients = {name: p.grad for name, p in trainer.network.named_parameters()}
        name = f"after_{steps}_rank_{processes.rank}_of_{processes.world}.pt"
        torch.save({"state": trainer.state(), "gradients": gradients}, out / name)
        processes.wait()


def batch_of(datasets) -> dict[str, torch.Tensor]:
    pairs = list(datasets[0])
    label = torch.from_numpy(np.stack([pair.label for pair in pairs]))
    return {
        "rgb": torch.from_numpy(np.stack([pair.rgb for pair in pairs])).permute(0, 3, 1, 2),
        "thermal": torch.from_numpy(np.stack([pair.thermal for pair in pairs]))[:, None],
        "label": label,
        "valid": torch.ones_like(label)[:, None],
    }


def one_step(trainer, datasets) -> dict[str, torch.Tensor]:
    return trainer.train_step(batch_of(datasets), 0.0)


def weights(path: Path) -> dict[str, torch.Tensor]:
    return read_checkpoint(path).weights
