"""Files of a small dataset for the tests of this folder, and what is read of them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from mrfs_ros.data.dataset import DatasetConfig, DatasetPair, PairDataset
from mrfs_ros.types import MFNET, UNLABELLED, ClassSet

RNG = np.random.default_rng(7)
SIZE = (24, 32)
RGB = RNG.integers(0, 256, (*SIZE, 3), np.uint8)
THERMAL = RNG.integers(0, 256, SIZE, np.uint8)
LABEL = RNG.integers(0, 9, SIZE, np.uint8)
LABEL[0, :3] = UNLABELLED


def write(path: Path, image: np.ndarray) -> None:
    """Write an image; colour as RGB (and thermal)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    order = {2: ..., 3: np.s_[:, :, ::-1]}[image.ndim] if image.shape[-1] != 4 else np.s_[:, :, [2, 1, 0, 3]]
    assert cv2.imwrite(str(path), image[order])


def write_pair(root: Path, name: str = "a", rgb=RGB, thermal=THERMAL, label=LABEL) -> None:
    for folder, image in (("rgb", rgb), ("thermal", thermal), ("label", label)):
        if image is not None:
            write(root / folder / f"{name}.png", image)


def dataset(root: Path, classes: ClassSet | None = MFNET, **options) -> PairDataset:
    return PairDataset(DatasetConfig(root=str(root), **{"split": "all", **options}), classes)


def error_of(kind: type[Exception], root: Path, classes: ClassSet = MFNET, **options) -> str:
    """The text of the error that making the dataset, or reading its first pair, ends in."""
    with pytest.raises(kind) as error:
        dataset(root, classes, **options)[0]
    return str(error.value)


def check_pair(pair: DatasetPair, rgb=RGB, thermal=THERMAL, label=LABEL) -> None:
    for image, wanted in ((pair.rgb, rgb), (pair.thermal, thermal), (pair.label, label)):
        assert image.dtype == np.uint8
        assert image.shape == wanted.shape
        assert (image == wanted).all()
