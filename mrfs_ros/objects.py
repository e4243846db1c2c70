"""Objects of a segmentation: connected parts of a class with box, area, score and temperature."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import NamedTuple

import cv2
import numpy as np

from mrfs_ros.errors import ConfigError, ImageError
from mrfs_ros.types import ClassSet, FusionResult


class SegmentedObject(NamedTuple):
    """A connected part of a class; ``_asdict()`` is a row of a table. Parts are not instances: two that touch are one.

    The box has the columns ``x`` to ``x + width - 1`` and the rows ``y`` to ``y + height - 1`` of the image [pixels],
    each of which has a pixel of the object. ``score``: mean confidence of its pixels, 0 to 1; None = not known.
    ``area``: its pixels [count]. ``mean_celsius``, ``max_celsius``: of those with a temperature; None = none has one.
    """

    class_id: int
    class_name: str
    score: float | None
    x: int
    y: int
    width: int
    height: int
    area: int
    mean_celsius: float | None
    max_celsius: float | None

    @property
    def center(self) -> tuple[float, float]:
        """(x, y) of the box's middle [pixels], where pixel centres have whole coordinates."""
        return self.x + (self.width - 1) / 2, self.y + (self.height - 1) / 2


def object_ids(names: str, classes: ClassSet) -> tuple[int, ...]:
    """Ids of the classes whose parts are objects, ascending.

    Args:
        names: of classes, with commas between them; empty = all but background.
        classes: of the labels.

    Raises:
        ConfigError: a name that is no class, with those that are near.

    Example:
        >>> from mrfs_ros.types import MFNET
        >>> object_ids("person, car", MFNET)
        (1, 2)
    """
    if not names.strip():
        return tuple(range(1, len(classes)))
    ids = set()
    for name in map(str.strip, names.split(",")):
        if name not in classes.names:
            near = get_close_matches(name, classes.names, 3) or classes.names
            raise ConfigError(
                f"object_classes: {name!r} is no class of {classes.name}: did you mean {', '.join(near)}?"
            )
        ids.add(classes.names.index(name))
    return tuple(sorted(ids))


def find_objects(
    result: FusionResult,
    classes: ClassSet,
    ids: Sequence[int],
    min_area: int,
    celsius: np.ndarray | None = None,
) -> list[SegmentedObject]:
    """The 8-connected parts of some classes of a segmentation.

    Args:
        result: labels, and confidence if it has one.
        classes: of the labels.
        ids: of the classes that count, each once, such as ``object_ids`` gives.
        min_area: parts of fewer pixels are left out; at least 1.
        celsius: (H, W) float32 degrees Celsius, NaN where there is none; None = temperatures are not known.

    Returns:
        By class id, then area, largest first, then the box's top and left: the same labels give the same list.

    Raises:
        ImageError: ``celsius`` has another size or type.

    Example:
        >>> from mrfs_ros.types import MFNET
        >>> labels = np.zeros((32, 32), np.uint8)
        >>> labels[4:8, 10:20] = 2
        >>> [person] = find_objects(FusionResult(np.zeros((32, 32, 3), np.uint8), labels), MFNET, (1, 2), 20)
        >>> person.class_name, (person.x, person.y, person.width, person.height), person.area
        ('person', (10, 4, 10, 4), 40)
    """
    labels, confidence = result.labels, result.confidence
    if celsius is not None and (celsius.dtype != np.float32 or celsius.shape != labels.shape):
        raise ImageError(f"celsius: expected {labels.shape} float32, got {celsius.shape} {celsius.dtype}")
    found = []
    for class_id in ids:
        mask = (labels == class_id).view(np.uint8)
        if cv2.countNonZero(mask) < min_area:
            continue
        left, top, width, height = cv2.boundingRect(mask)
        place = np.s_[top : top + height, left : left + width]
        _, parts, stats, _ = cv2.connectedComponentsWithStats(mask[place], connectivity=8, ltype=cv2.CV_32S)
        for part in np.flatnonzero(stats[1:, cv2.CC_STAT_AREA] >= min_area) + 1:
            x, y, width, height, area = stats[part].tolist()
            box = np.s_[top + y : top + y + height, left + x : left + x + width]
            inside = (parts[y : y + height, x : x + width] == part).view(np.uint8)
            score = None if confidence is None else round(cv2.mean(confidence[box], inside)[0] * area) / (255 * area)
            degrees = (None, None) if celsius is None else _mean_and_highest(celsius[box], inside)
            name = classes.names[class_id]
            found.append(SegmentedObject(class_id, name, score, left + x, top + y, width, height, area, *degrees))
    # No two of a class have one box: crossing it from left to right and from top to bottom, they would touch.
    return sorted(found, key=lambda o: (o.class_id, -o.area, o.y, o.x, o.height, o.width))


def _mean_and_highest(celsius: np.ndarray, inside: np.ndarray) -> tuple[float | None, float | None]:
    """Of (h, w) degrees where ``inside`` ((h, w) uint8) and finite; None for both where that is nowhere."""
    known = celsius[(inside > 0) & np.isfinite(celsius)]
    return (float(known.mean(dtype=np.float64)), float(known.max())) if known.size else (None, None)
