"""A split of RGB-thermal pairs as arrays: checked, with label ids mapped to the network's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from mrfs_ros.data.cache_limit import CacheLimit
from mrfs_ros.data.dataset_config import DatasetConfig
from mrfs_ros.data.labels import LabelReader
from mrfs_ros.data.layouts import LAYOUTS, Layout, Names, PairFiles, find_pairs
from mrfs_ros.data.pair_files import read_pair
from mrfs_ros.errors import ConfigError, ImageError
from mrfs_ros.geometry.registration import load_registration
from mrfs_ros.types import UNLABELLED, ClassSet

SIMULATED = "simulated"
HOLE_RADIUS = 10  # pixels that Telea's inpainting looks around, as PST900's authors do


@dataclass(frozen=True)
class DatasetPair:
    """``rgb``: (H, W, 3) uint8, RGB. ``thermal``: (H, W) uint8. ``label``: (H, W) uint8 ids, 255 = ignored.

    ``valid``: (H, W) bool, where the thermal camera sees anything (thermal is 0 and label 255 elsewhere); None =
    everywhere. Pairs of one calibration and size share it.
    """

    name: str
    rgb: np.ndarray
    thermal: np.ndarray
    label: np.ndarray
    valid: np.ndarray | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of its arrays."""
        return self.rgb.nbytes + self.thermal.nbytes + self.label.nbytes

    @property
    def labelled(self) -> bool:
        """True if any pixel has a class."""
        return bool((self.label != UNLABELLED).any())


class PairDataset:
    """The pairs of a split, read on demand; ``len``, indexing and iteration.

    ``classes``: what the labels' ids, after ``label_map``, must belong to. ImageError for files that do not make
    pairs (when found), or that are damaged, of differing aspects without a calibration, or have an unknown class id
    (when read). Without ``classes`` labels are not read, and all pairs are unlabelled.

    Attributes:
        files: of every pair.
        notes: what a user should know of how they were found.
        cache_limit: of what ``cache`` keeps in memory.
    """

    def __init__(self, config: DatasetConfig, classes: ClassSet | None):
        self.config, self.classes = config, classes
        if config.layout not in LAYOUTS:
            raise ConfigError(f"unknown layout {config.layout!r}: expected one of {', '.join(LAYOUTS)}")
        self._layout = self._folders(_with_own_folders(LAYOUTS[config.layout], config))
        if classes is None:
            self._layout = replace(self._layout, label=None)
        else:
            self._labels = LabelReader(classes, config.label_map, config.label_values)
        root = Path(config.root).expanduser()
        if not config.root or not root.is_dir():
            raise ConfigError(f"dataset root {config.root!r}: expected a folder, there is none at {root.absolute()}")
        self._registration = load_registration(Path(config.calibration).expanduser() if config.calibration else "")
        self.notes: list[str] = []
        names = Names(config.rgb_name, config.thermal_name, config.label_name)
        self.files = find_pairs(
            root, self._layout, config.split, config.missing_labels, names=names, say=self.notes.append
        )
        if self._layout.label and config.label and all(files.label is None for files in self.files):
            raise ImageError(f"{root}: label: expected labels in the folder {config.label!r}, found none")
        self.cache_limit = CacheLimit()
        self._cache: dict[int, DatasetPair] = {}

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> DatasetPair:
        if index in self._cache:
            return self._cache[index]
        pair = self._read(self.files[index])
        if self.config.cache and self.cache_limit.take(pair.nbytes):
            self._cache[index] = pair
        return pair

    def __iter__(self) -> Iterator[DatasetPair]:
        return (self[i] for i in range(len(self)))

    def _folders(self, layout: Layout) -> Layout:
        if self.config.thermal == SIMULATED:
            raise ConfigError(
                f"{self.config.root}: thermal: {SIMULATED} is for datasets under train: expected a folder of images"
            )
        return layout

    def _read(self, files: PairFiles) -> DatasetPair:
        rgb, thermal = read_pair(files.rgb, files.thermal, self.config.max_image_pixels)
        if self._layout.holes:
            thermal = cv2.inpaint(thermal, (thermal == 0).astype(np.uint8), HOLE_RADIUS, cv2.INPAINT_TELEA)
        try:
            thermal, warp = self._registration.prepared(thermal, rgb.shape[:2])
        except ImageError as error:
            raise ImageError(f"{files.rgb} and {files.thermal}: {error}", error.reason) from error
        thermal, valid = (thermal, None) if warp is None else (warp(thermal), warp.valid)
        if files.label is None:
            label = np.full(thermal.shape, UNLABELLED, np.uint8)
        else:
            label = self._labels.read(files.label, rgb.shape[:2])
            if valid is not None:
                label[~valid] = UNLABELLED
        return DatasetPair(files.name, rgb, thermal, label, valid)


def by_name(datasets: Sequence[PairDataset]) -> dict[str, PairDataset]:
    """``datasets`` by folder and split, such as "msrs val"; numbered in front where two would have one name."""
    names = [f"{Path(dataset.config.root).expanduser().resolve().name} {dataset.config.split}" for dataset in datasets]
    if len(set(names)) < len(names):
        names = [f"{number}: {name}" for number, name in enumerate(names, start=1)]
    return dict(zip(names, datasets))


def _with_own_folders(layout: Layout, config: DatasetConfig) -> Layout:
    for folder in (config.rgb, config.thermal, config.label):
        if Path(folder).is_absolute() or ".." in Path(folder).parts:
            raise ConfigError(f"folder {folder!r}: expected one inside the dataset's root")
    return Layout(
        config.rgb or layout.rgb,
        config.thermal or layout.thermal,
        config.label or layout.label,
        layout.holes,
    )
