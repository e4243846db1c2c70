"""A folder of three small pairs, and datasets of it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from mrfs_ros.data.dataset import DatasetConfig, PairDataset

NAMES = ("a", "b", "c")
SIZE = (48, 64)


def write_pairs(root: Path) -> None:
    rng = np.random.default_rng(11)
    for folder, shape in (("rgb", (*SIZE, 3)), ("thermal", SIZE)):
        (root / folder).mkdir(parents=True)
        for name in NAMES:
            noise = rng.integers(0, 256, shape, np.uint8)
            assert cv2.imwrite(str(root / folder / f"{name}.png"), cv2.GaussianBlur(noise, (0, 0), 1.5))


def dataset(root: Path) -> PairDataset:
    return PairDataset(DatasetConfig(root=str(root), split="all"), None)
