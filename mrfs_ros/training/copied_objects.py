"""Copy-paste augmentation: labelled objects of one pair in the crop of another, in both sensors.

After Ghiasi et al., "Simple Copy-Paste is a Strong Data Augmentation Method for Instance Segmentation", CVPR 2021;
here for pairs, with the light and the temperature of the place that an object is copied to.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from mrfs_ros.data.dataset import DatasetPair, PairDataset
from mrfs_ros.data.scenes import Scene
from mrfs_ros.types import UNLABELLED

SMALLEST_AREA = 150  # pixels in the donor's frame: smaller objects are blots
MARGIN = 0.2  # of an object's size: the surroundings that tell its light and temperature
SIZES = (0.6, 1.5)  # an object's size beside its size in its own frame
_GAIN = (0.4, 2.0)


@dataclass(frozen=True)
class ObjectPlace:
    """Object ``label`` id in the rectangle ``rows``, ``columns`` of pair ``index``."""

    dataset: int
    index: int
    label: int
    rows: slice
    columns: slice


class Donors:
    """Objects of labelled pairs with real thermal, to be copied into crops.

    Args:
        datasets: where objects are taken from.
        objects: of ``object_places`` of their pairs.
        short_side: as ``AugmentConfig.short_side``, so that objects keep their size beside the scaled frames.
    """

    def __init__(self, datasets: Sequence[PairDataset], objects: Iterable[ObjectPlace], short_side: int = 0):
        self._datasets = datasets
        self._short_side = short_side
        self._by_class: dict[int, list[ObjectPlace]] = {}
        for place in objects:
            self._by_class.setdefault(place.label, []).append(place)

    def __len__(self) -> int:
        return sum(map(len, self._by_class.values()))

    def paste(
        self, rgb: np.ndarray, thermal: np.ndarray, label: np.ndarray, scale: float, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Copy one object, of a random class, to a random place of a crop.

        Args:
            rgb: (H, W, 3) uint8, RGB. thermal: (H, W) uint8. label: (H, W) uint8 ids.
            scale: of the crop beside frames of ``short_side`` (beside its own frame without).
            rng: the crop's own random numbers.

        Returns:
            rgb, thermal and label, new; the same ones where there is no object.
        """
        if not self._by_class:
            return rgb, thermal, label
        places = self._by_class[sorted(self._by_class)[rng.integers(len(self._by_class))]]
        place = places[rng.integers(len(places))]
        pair = self._datasets[place.dataset][place.index]
        if self._short_side:
            scale *= self._short_side / min(pair.label.shape)
        patch = _patch(pair, place, scale * np.exp(rng.uniform(*np.log(SIZES))), rng)
        return _blend((rgb, thermal, label), patch, place.label, rng)


def object_places(dataset: int, index: int, pair: DatasetPair) -> list[ObjectPlace]:
    """Objects of pair ``index`` of dataset number ``dataset`` that can be copied; none of a simulated thermal image."""
    found: list[ObjectPlace] = []
    if isinstance(pair, Scene):
        return found
    for label in np.unique(pair.label[(pair.label != 0) & (pair.label != UNLABELLED)]):
        count, _, boxes, _ = cv2.connectedComponentsWithStats((pair.label == label).astype(np.uint8))
        for left, top, width, height, area in boxes[1:count].tolist():
            if area >= SMALLEST_AREA:
                rows, columns = slice(top, top + height), slice(left, left + width)
                found.append(ObjectPlace(dataset, index, int(label), rows, columns))
    return found


@dataclass(frozen=True)
class _Patch:
    """An object with its surroundings: rgb, thermal, and ``mask`` (H, W) uint8, 1 on the object."""

    rgb: np.ndarray
    thermal: np.ndarray
    mask: np.ndarray


def _patch(pair: DatasetPair, place: ObjectPlace, scale: float, rng: np.random.Generator) -> _Patch:
    frame = pair.label.shape
    sides = (place.rows.stop - place.rows.start, place.columns.stop - place.columns.start)
    margins = [max(3, round(MARGIN * side)) for side in sides]
    window = tuple(
        slice(max(0, part.start - margin), min(frame[axis], part.stop + margin))
        for axis, (part, margin) in enumerate(zip((place.rows, place.columns), margins))
    )
    same = (pair.label[window] == place.label).astype(np.uint8)
    _, parts = cv2.connectedComponents(same)
    centre = parts[place.rows.start - window[0].start :, place.columns.start - window[1].start :]
    inside = centre[: sides[0], : sides[1]]
    own = int(np.bincount(inside[inside > 0]).argmax())
    mask = (parts == own).astype(np.uint8)
    size = tuple(max(2, round(side * scale)) for side in mask.shape[::-1])
    smooth = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    images = [cv2.resize(image[window], size, interpolation=smooth) for image in (pair.rgb, pair.thermal)]
    images.append(cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST_EXACT))
    return _Patch(*(image[:, ::-1] for image in images) if rng.random() < 0.5 else images)


def _blend(
    crop: tuple[np.ndarray, np.ndarray, np.ndarray], patch: _Patch, label: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lay ``patch`` somewhere on the crop, at least half of it inside, its edge blurred into what is there."""
    height, width = crop[2].shape
    rows, columns = patch.mask.shape
    top = int(rng.integers(-rows // 2, max(height - rows // 2, 1 - rows // 2)))
    left = int(rng.integers(-columns // 2, max(width - columns // 2, 1 - columns // 2)))
    target = np.s_[max(0, top) : min(height, top + rows), max(0, left) : min(width, left + columns)]
    source = tuple(slice(part.start - first, part.stop - first) for part, first in zip(target, (top, left)))
    mask = patch.mask[source]
    around = mask == 0
    new_rgb, new_thermal, new_label = (image.copy() for image in crop)
    if not mask.any() or not around.any():
        return new_rgb, new_thermal, new_label
    object_rgb = patch.rgb[source].astype(np.float32)
    object_thermal = patch.thermal[source].astype(np.float32)
    # Lit as the new place is, and as much warmer than its surroundings as it was, or halfway there.
    gain = np.clip(float(crop[0][target].mean()) / max(float(object_rgb[around].mean()), 1.0), *_GAIN)
    warmer = float(crop[1][target].mean()) - float(object_thermal[around].mean())
    object_rgb *= gain ** rng.uniform(0.5, 1)
    object_thermal += warmer * rng.uniform(0, 1)
    alpha = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.8)
    new_rgb[target] = _mixed(new_rgb[target], object_rgb, alpha[:, :, None])
    new_thermal[target] = _mixed(new_thermal[target], object_thermal, alpha)
    new_label[target][mask > 0] = label
    return new_rgb, new_thermal, new_label


def _mixed(below: np.ndarray, above: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    return np.clip(below + alpha * (above - below), 0, 255).round().astype(np.uint8)
