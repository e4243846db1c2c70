"""Data that every package shares: the two cameras, class sets with their palettes, and the result of one pair."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np

from mrfs_ros.errors import ConfigError, ImageError

MIN_SIDE = 32
"""Smallest height and width in pixels: below it the spatial reductions of the attention have nothing to reduce."""
UNLABELLED = 255
"""Label id of pixels without a class: ignored in training and scoring, never coloured."""
BACKGROUND = "background"
"""Name of class 0. MFNet's authors and older weights files call it unlabeled, which is what 255 is here."""
RGB, THERMAL = 0, 1
"""The two cameras, as indices of everything that there is once for each."""
CAMERAS = ("rgb", "thermal")


@dataclass(frozen=True)
class ClassSet:
    """Names and colours of a segmentation's classes; index = label id, 0 = background, which is never ``unlabeled``.

    ``names``: one text per class. ``colors``: one (R, G, B), each 0-255, per class.
    """

    name: str
    names: tuple[str, ...]
    colors: tuple[tuple[int, int, int], ...]

    def __post_init__(self) -> None:
        if self.names[:1] == ("unlabeled",):
            object.__setattr__(self, "names", (BACKGROUND, *self.names[1:]))
        if len(self.names) != len(self.colors) or not 1 <= len(self.names) <= UNLABELLED:
            raise ConfigError(
                f"class set {self.name!r}: expected 1 to {UNLABELLED} names and as many colours, "
                f"got {len(self.names)} names and {len(self.colors)} colours"
            )

    def __len__(self) -> int:
        return len(self.names)

    def palette(self) -> np.ndarray:
        """(256, 3) uint8 RGB look-up table: ``palette()[labels]`` colours a mask; unused ids are black."""
        table = np.zeros((256, 3), np.uint8)
        table[: len(self.colors)] = self.colors
        return table


def _table(name: str, rows: dict[str, tuple[int, int, int]]) -> ClassSet:
    return ClassSet(name, tuple(rows), tuple(rows.values()))


# fmt: off
# Names and palettes as the datasets' authors publish them: MFNet (Ha et al., IROS 2017),
# FMB (Liu et al., ICCV 2023), PST900 (Shivakumar et al., ICRA 2020).
MFNET = _table("MFNet", {
    "background": (0, 0, 0), "car": (64, 0, 128), "person": (64, 64, 0), "bike": (0, 128, 192),
    "curve": (0, 0, 192), "car_stop": (128, 128, 0), "guardrail": (64, 64, 128),
    "color_cone": (192, 128, 128), "bump": (192, 64, 0),
})
FMB = _table("FMB", {
    "background": (0, 0, 0), "road": (179, 228, 228), "sidewalk": (181, 57, 133),
    "building": (67, 162, 177), "lamp": (200, 178, 50), "sign": (132, 45, 199),
    "vegetation": (66, 172, 84), "sky": (179, 73, 79), "person": (76, 99, 166),
    "car": (66, 121, 253), "truck": (137, 165, 91), "bus": (155, 97, 152),
    "motorcycle": (105, 153, 140), "bicycle": (222, 215, 158), "pole": (135, 113, 90),
})
PST900 = _table("PST900", {
    "background": (0, 0, 0), "fire_extinguisher": (255, 0, 0), "backpack": (0, 255, 0),
    "hand_drill": (0, 0, 255), "survivor": (255, 255, 255),
})
# fmt: on
CLASS_SETS = {"MFNet": MFNET, "MSRS": MFNET, "FMB": FMB, "PST900": PST900}


def class_set_named(name: str) -> ClassSet:
    """The class set of a public dataset.

    Args:
        name: MFNet, MSRS, FMB or PST900, in any case.

    Returns:
        Names and colours of its classes.

    Raises:
        ConfigError: there is none of this name.

    Example:
        >>> class_set_named("pst900").names[4]
        'survivor'
    """
    known = {key.lower(): value for key, value in CLASS_SETS.items()}
    if name.lower() not in known:
        raise ConfigError(f"unknown class set {name!r}: expected one of {', '.join(CLASS_SETS)}")
    return known[name.lower()]


def class_set_for_count(count: int) -> ClassSet:
    """The public class set with ``count`` classes, or numbered classes in distinct hues.

    Example:
        >>> class_set_for_count(9).name, class_set_for_count(3).names
        ('MFNet', ('class_0', 'class_1', 'class_2'))
    """
    for known in (MFNET, FMB, PST900):
        if len(known) == count:
            return known
    return ClassSet(f"{count} classes", tuple(f"class_{i}" for i in range(count)), numbered_hues(count))


def numbered_hues(count: int) -> tuple[tuple[int, int, int], ...]:
    """``count`` distinct colours (R, G, B), 0-255, black for the background first."""
    hues = (colorsys.hsv_to_rgb(i * 0.618034 % 1.0, 0.8, 0.9) for i in range(1, count))
    return ((0, 0, 0), *(tuple(round(255 * c) for c in hue) for hue in hues))


def check_pair_sizes(rgb: tuple[int, int], thermal: tuple[int, int]) -> None:
    """Raise ImageError unless images of these sizes (H, W) make a pair."""
    if min(rgb) < MIN_SIDE:
        raise ImageError(f"rgb: expected at least {MIN_SIDE}x{MIN_SIDE} pixels, got {rgb[0]}x{rgb[1]}", "too_small")
    if thermal != rgb:
        raise ImageError(
            f"rgb is {rgb[0]}x{rgb[1]} (HxW) but thermal is {thermal[0]}x{thermal[1]}: "
            "expected equal sizes; register thermal to the rgb image first",
            "size_mismatch",
        )


@dataclass(frozen=True)
class FusionResult:
    """Fused image and segmentation of one RGB-thermal pair.

    Args:
        fused: (H, W, 3) uint8, RGB, 0-255.
        labels: (H, W) uint8 class ids, ``UNLABELLED`` (255) where none.
        confidence: (H, W) uint8, softmax probability [1/255] of the class that the network chose; None = not asked for.

    Raises:
        ImageError: an array has another shape or type.

    Example:
        >>> FusionResult(np.zeros((32, 32, 3), np.uint8), np.full((32, 32), UNLABELLED, np.uint8)).labels.shape
        (32, 32)
    """

    fused: np.ndarray
    labels: np.ndarray
    confidence: np.ndarray | None = None

    def __post_init__(self) -> None:
        fused, labels, confidence = self.fused, self.labels, self.confidence
        if fused.dtype != np.uint8 or fused.ndim != 3 or fused.shape[2] != 3:
            raise ImageError(f"fused: expected (H, W, 3) uint8, got {fused.shape} {fused.dtype}")
        if labels.dtype != np.uint8 or labels.shape != fused.shape[:2]:
            raise ImageError(f"labels: expected {fused.shape[:2]} uint8, got {labels.shape} {labels.dtype}")
        if confidence is not None and (confidence.dtype != np.uint8 or confidence.shape != labels.shape):
            raise ImageError(f"confidence: expected {labels.shape} uint8, got {confidence.shape} {confidence.dtype}")
