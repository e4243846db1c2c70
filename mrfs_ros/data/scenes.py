"""Labelled rgb images without thermal, for training with simulated thermal (``thermal: simulated``)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mrfs_ros.camera.image_io import read_rgb
from mrfs_ros.data.dataset import SIMULATED, DatasetConfig, PairDataset
from mrfs_ros.data.layouts import Layout, PairFiles
from mrfs_ros.errors import ConfigError, ImageError
from mrfs_ros.types import ClassSet

MATERIALS = ("other", "vehicle", "person", "bike", "road", "vegetation", "sky")
"""Kinds of surfaces that differ in temperature; index = material id."""
MATERIAL_OF_CLASS = {
    "car": "vehicle",
    "truck": "vehicle",
    "bus": "vehicle",
    "person": "person",
    "survivor": "person",
    "bike": "bike",
    "bicycle": "bike",
    "motorcycle": "bike",
    "road": "road",
    "sidewalk": "road",
    "vegetation": "vegetation",
    "sky": "sky",
}
"""Material of a class by its name, where ``materials`` does not say another."""


@dataclass(frozen=True)
class Scene:
    """``rgb``: (H, W, 3) uint8, RGB. ``label``: (H, W) uint8 ids, 255 = ignored. ``materials``: (H, W) uint8 ids."""

    name: str
    rgb: np.ndarray
    label: np.ndarray
    materials: np.ndarray

    @property
    def nbytes(self) -> int:
        """Bytes of its arrays."""
        return self.rgb.nbytes + self.label.nbytes + self.materials.nbytes


class SceneDataset(PairDataset):
    """The labelled rgb images of a split as ``Scene``; files, splits and ``label_map`` as for ``PairDataset``.

    The material of a pixel follows from its id in the label file: by ``config.materials`` ({id: name of
    ``MATERIALS``}), or else by the name of the class that ``label_map`` makes of it (``MATERIAL_OF_CLASS``), or else
    "other". ConfigError for unknown materials; ImageError for images without a label.
    """

    def __init__(self, config: DatasetConfig, classes: ClassSet):
        super().__init__(config, classes)
        if unlabelled := [files for files in self.files if files.label is None]:
            raise ImageError(f"{unlabelled[0].rgb}: expected a label: thermal is simulated from labels")
        self._materials = _lookup(config.materials, self._labels.table, classes)

    def _folders(self, layout: Layout) -> Layout:
        return replace(layout, thermal=None, holes=False)

    def _read(self, files: PairFiles) -> Scene:
        rgb = read_rgb(files.rgb, self.config.max_image_pixels)
        ids = self._labels.read_ids(files.label, rgb.shape[:2])
        return Scene(files.name, rgb, self._labels.mapped(ids, files.label), self._materials[ids])


def training_dataset(config: DatasetConfig, classes: ClassSet) -> PairDataset:
    """The dataset of ``config``: of pairs, or, with ``thermal: simulated``, of scenes.

    Args:
        config: one entry under ``train``.
        classes: what the labels' ids belong to.

    Returns:
        A ``PairDataset`` or a ``SceneDataset``.

    Raises:
        ConfigError, ImageError: as these two.
    """
    if config.thermal == SIMULATED:
        return SceneDataset(config, classes)
    if config.materials:
        raise ConfigError(f"{config.root}: materials belong to thermal: {SIMULATED}: leave them out")
    return PairDataset(config, classes)


def _lookup(materials: dict, label_map: np.ndarray, classes: ClassSet) -> np.ndarray:
    """(65536,) uint8: id in the label files -> id of its material."""
    of_class = [MATERIALS.index(MATERIAL_OF_CLASS.get(name, "other")) for name in classes.names]
    table = np.zeros(len(label_map), np.uint8)
    known = (label_map >= 0) & (label_map < len(classes))
    table[known] = np.array(of_class, np.uint8)[label_map[known]]
    for source, material in materials.items():
        if type(source) is not int or not 0 <= source < len(table) or material not in MATERIALS:
            raise ConfigError(
                f"materials: {source!r}: {material!r}: expected a label id 0-{len(table) - 1} and one of "
                f"{', '.join(MATERIALS)}"
            )
        table[source] = MATERIALS.index(material)
    return table
