"""Class ids out of label images: stored values by ``label_map``, or colours by the class set's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np

from mrfs_ros.data.label_files import LARGEST_ID, read_label_file
from mrfs_ros.errors import ConfigError, ImageError, some
from mrfs_ros.types import UNLABELLED, ClassSet

_UNKNOWN = -1
_GREYS = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
_SHOWN = 8  # unknown ids that an error lists


class LabelReader:
    """Reads the label files of one dataset as class ids of ``classes``.

    ``label_map``: id in the files -> id of the network, after colours have become ids too. ``values``: "ids" = grey
    samples, palette indices, or what three equal channels say; "colors" = the colours of ``classes``; "auto" = ids
    where a file has them, otherwise colours, and an error where both would do but differ. ConfigError for a bad map.
    """

    def __init__(self, classes: ClassSet, label_map: Mapping[int, int], values: str = "auto"):
        self._classes, self._values = classes, values
        self._table = _lookup(label_map, classes)
        self._numbers = {_code(np.array(colour)).item(): number for number, colour in enumerate(classes.colors)}

    @property
    def table(self) -> np.ndarray:
        """(65536,) int16: id in the files -> class id or 255; -1 where there is neither."""
        return self._table

    def read(self, path: Path, size: tuple[int, int]) -> np.ndarray:
        """(H, W) uint8 class ids, 255 = ignored, of a label file that must have ``size`` (H, W).

        ImageError for what ``read_label_file`` refuses, and for ids and colours that are no class.
        """
        return self.mapped(self.read_ids(path, size), path)

    def read_ids(self, path: Path, size: tuple[int, int]) -> np.ndarray:
        """(H, W) ids before ``label_map``, 0 to 65535; otherwise as ``read``."""
        label = read_label_file(path, size)
        ids, palette = label.values, label.palette
        if ids is None and (label.colours == label.colours[..., :1]).all():
            ids, palette = label.colours[..., 0], _GREYS
        if ids is None:
            if self._values == "ids":
                raise ImageError(f"{path}: expected class ids (label_values: ids), got colours")
            ids = self._of_colours(label.colours, path)
        elif self._values == "colors" or (self._values == "auto" and palette is not None):
            ids = self._by_palette(ids, palette, path)
        return ids

    def _of_colours(self, colours: np.ndarray, path: Path) -> np.ndarray:
        """(H, W) ids of (H, W, 3) colours; ImageError for one that is no class."""
        codes = _code(colours)
        ids = np.full(codes.shape, _UNKNOWN)
        for code, number in self._numbers.items():
            ids[codes == code] = number
        if (unknown := ids < 0).any():
            raise self._unknown_colour(codes[unknown][0], path)
        return ids

    def _by_palette(self, values: np.ndarray, palette: np.ndarray | None, path: Path) -> np.ndarray:
        """(H, W) ids of values that have colours too: which of both is meant follows from what can be meant."""
        used = np.flatnonzero(np.bincount(values.ravel(), minlength=1))
        entries = _code(_GREYS if palette is None else palette)
        numbers = np.full(max(len(entries), used[-1] + 1), _UNKNOWN)
        numbers[: len(entries)] = [self._numbers.get(code, _UNKNOWN) for code in entries.tolist()]
        if self._values == "colors":
            if (unknown := used[numbers[used] < 0]).size:
                raise self._unknown_colour(entries[unknown[0]] if unknown[0] < len(entries) else None, path)
            return numbers[values]
        # An export has colours for all its ids; a colour image that was saved as a palette has those of classes alone.
        checked = used if palette is _GREYS else np.arange(used[-1] + 1)
        if (numbers[checked] < 0).any():
            return values
        by_id, by_colour = self._table[used], self._table[numbers[used]]
        if (by_id == _UNKNOWN).any():
            return numbers[values]
        if (by_id == by_colour).all():
            return values
        raise ImageError(
            f"{path}: its ids and its colours are both classes of {self._classes.name}, but not the same ones: "
            "say which is meant by label_values: ids or label_values: colors"
        )

    def mapped(self, ids: np.ndarray, path: Path) -> np.ndarray:
        """(H, W) uint8 class ids of ids in the file ``path``; ImageError for those that are no class."""
        if ids.max() < 256:  # several times faster
            ids = ids.astype(np.uint8)
            used = np.flatnonzero(cv2.calcHist([ids], [0], None, [256], [0, 256]))
        else:
            used = np.flatnonzero(np.bincount(ids.ravel()))
        unknown = used[self._table[used] == _UNKNOWN].tolist()
        if unknown:
            raise ImageError(
                f"{path}: class id {some(unknown, _SHOWN)} is unknown: {self._classes.name} has "
                f"0 to {len(self._classes) - 1}, and 255 = ignore; map others with label_map"
            )
        table = self._table.astype(np.uint8)
        return cv2.LUT(ids, table[:256]) if ids.dtype == np.uint8 else table[ids]

    def _unknown_colour(self, code: int | None, path: Path) -> ImageError:
        colour = "of an index without one" if code is None else (int(code) >> 16, int(code) >> 8 & 255, int(code) & 255)
        return ImageError(
            f"{path}: colour {colour} is no class of {self._classes.name}: "
            "expected its colours (class_colors), or a grey image of class ids"
        )


def _lookup(label_map: Mapping[int, int], classes: ClassSet) -> np.ndarray:
    """(65536,) int16: class id of every id in the files, -1 where there is none."""
    table = np.full(LARGEST_ID + 1, _UNKNOWN, np.int16)
    table[: len(classes)] = np.arange(len(classes))
    table[UNLABELLED] = UNLABELLED
    for source, target in label_map.items():
        valid = type(source) is int and type(target) is int and 0 <= source <= LARGEST_ID
        if not valid or not (0 <= target < len(classes) or target == UNLABELLED):
            raise ConfigError(
                f"label_map: {source!r}: {target!r}: expected an id 0-{LARGEST_ID} and a class "
                f"0-{len(classes) - 1} or 255"
            )
        table[source] = target
    return table


def _code(colours: np.ndarray) -> np.ndarray:
    """One int64 of each colour (..., 3): 0xRRGGBB."""
    return colours.astype(np.int64) @ np.array((65536, 256, 1))
