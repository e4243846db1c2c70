"""Training batches that depend on seed and step alone, so that a run can stop anywhere and go on unchanged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from mrfs_ros.data.dataset import PairDataset
from mrfs_ros.errors import ConfigError
from mrfs_ros.training.augment import AugmentConfig, augment
from mrfs_ros.training.copied_objects import Donors


class StepExamples(Dataset):
    """Examples by (step, slot): which frame, and how it is cut, follow from the seed and these two numbers.

    Datasets without ``share`` are one pool: every epoch takes each of their frames once, in random order. With shares,
    every batch has its part of each dataset, rounded up or down, and frames of a dataset are drawn at random.
    ``donors``: of the objects that ``copied_objects`` copies. ConfigError when only some datasets have a share.
    """

    def __init__(
        self,
        datasets: Sequence[PairDataset],
        size: tuple[int, int],
        config: AugmentConfig,
        seed: int,
        batch: int,
        donors: Donors | None = None,
    ):
        if config.copied_objects and donors is None:
            raise ValueError("copied_objects: expected donors to copy from, got None")
        self._datasets = datasets
        self._shares = _shares(datasets)
        self._pairs = [(dataset, i) for dataset in datasets for i in range(len(dataset))]
        self._size, self._config, self._seed, self.batch = size, config, seed, batch
        self._donors = donors if config.copied_objects else None

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Tensor]:
        step, slot = key
        dataset, index = self._frame(step, slot)
        rng = np.random.default_rng((self._seed, 1, step, slot))
        crop = augment(dataset[index], self._size, self._config, rng, self._donors)
        return {
            "rgb": torch.from_numpy(crop.rgb).permute(2, 0, 1),
            "thermal": torch.from_numpy(crop.thermal)[None],
            "label": torch.from_numpy(crop.label),
            "valid": torch.from_numpy(crop.valid)[None],
        }

    def source(self, key: tuple[int, int]) -> tuple[str, str]:
        """Folder of the dataset and name of the frame that an example is cut from."""
        dataset, index = self._frame(*key)
        return Path(dataset.config.root).name, dataset.files[index].name

    def _frame(self, step: int, slot: int) -> tuple[PairDataset, int]:
        return self._pooled(step, slot) if self._shares is None else self._shared(step, slot)

    def _pooled(self, step: int, slot: int) -> tuple[PairDataset, int]:
        epoch, position = divmod(step * self.batch + slot, len(self._pairs))
        order = np.random.default_rng((self._seed, 0, epoch)).permutation(len(self._pairs))
        return self._pairs[order[position]]

    def _shared(self, step: int, slot: int) -> tuple[PairDataset, int]:
        """Systematic sampling: ``batch`` equally spaced points, moved together, fall into the datasets' shares."""
        rng = np.random.default_rng((self._seed, 2, step))
        points = (rng.permutation(self.batch) + rng.random()) / self.batch
        dataset = self._datasets[int(np.searchsorted(self._shares, points[slot], side="right"))]
        return dataset, int(np.random.default_rng((self._seed, 3, step, slot)).integers(len(dataset)))


def _shares(datasets: Sequence[PairDataset]) -> np.ndarray | None:
    """Upper ends, in [0, 1], of the datasets' parts of a batch; None when no dataset has a share."""
    shares = np.array([dataset.config.share for dataset in datasets])
    if not shares.any():
        return None
    if not shares.all():
        missing = ", ".join(dataset.config.root for dataset in datasets if not dataset.config.share)
        raise ConfigError(f"share: expected for every dataset under train or for none, missing for {missing}")
    ends = np.cumsum(shares) / shares.sum()
    ends[-1] = 1.0
    return ends


class _Steps:
    """Keys of the batches from ``first`` on, those of ``rank`` among ``world`` processes; never ends."""

    def __init__(self, first: int, batch: int, rank: int, world: int):
        self._first, self._batch, self._rank, self._world = first, batch, rank, world

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        step = self._first
        while True:
            yield [(step, slot) for slot in range(self._rank, self._batch, self._world)]
            step += 1


def batches(
    examples: StepExamples, *, first: int, workers: int, rank: int = 0, world: int = 1
) -> Iterator[dict[str, Tensor]]:
    """Endless uint8 batches from step ``first`` on: rgb (B, 3, H, W), thermal, valid (B, 1, H, W), label (B, H, W).

    ``examples.batch`` counts over all ``world`` processes together; this one gets every ``world``-th from ``rank``.
    ConfigError unless all get equally many: their gradients are averaged by process, not by crop.
    """
    check_shares(examples.batch, world)
    loader = DataLoader(
        examples,
        batch_sampler=_Steps(first, examples.batch, rank, world),
        num_workers=workers,
        worker_init_fn=_one_thread,
        multiprocessing_context="fork" if workers else None,  # the workers share what the datasets keep in memory
        pin_memory=torch.cuda.is_available(),
        prefetch_factor=4 if workers else None,
    )
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)  # ends OpenCV's threads: a forked worker that inherits them waits for them forever
    try:
        return iter(loader)
    finally:
        cv2.setNumThreads(threads)


def check_shares(batch: int, world: int) -> None:
    """ConfigError unless ``world`` processes get equally many examples of a batch."""
    if batch % world:
        raise ConfigError(f"batch_size: expected a multiple of the {world} processes, got {batch}")


def _one_thread(_: int) -> None:
    cv2.setNumThreads(1)
