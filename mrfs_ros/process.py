"""The method on one page: two camera images in, a fused image and a class for each pixel out.

The node, bags, ``mrfs fuse`` and evaluations all come this way: offline and online give the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from mrfs_ros.engine.protocol import Engine, RegisteringEngine, SmoothingEngine
from mrfs_ros.preprocess import PairImages, Preprocessor
from mrfs_ros.types import FusionResult


@dataclass(frozen=True)
class CameraPair:
    """Messages of both cameras that were taken at one time; None for a camera that is missing.

    ``grey``: the thermal image in 8 bits, (h, w) uint8, if the window has made it already.
    """

    preprocessor: Preprocessor
    rgb: Any | None
    thermal: Any | None
    grey: np.ndarray | None = None


class Processed(NamedTuple):
    """``result`` is on the grid of ``images.rgb``."""

    images: PairImages
    result: FusionResult


def process_pairs(engine: Engine, pairs: Sequence[CameraPair | PairImages]) -> list[Processed]:
    """Fuse and segment pairs, all of one kind (``PairImages.kind``), in one call of ``engine``.

    Args:
        engine: What runs the network.
        pairs: Messages, or arrays of files or of ``prepare``, which a bag calls ahead in other threads.

    Returns:
        For each pair its images and its result; outside of what the thermal camera sees that is rgb without a class.

    Raises:
        ImageError: There is no image in a message, or two that make no pair.

    Example:
        >>> [(images, result)] = process_pairs(engine, [PairImages(rgb, thermal)])
    """
    images = [prepare(pair) for pair in pairs]
    warp = images[0].warp
    if isinstance(engine, SmoothingEngine) and engine.smoothing is not None:
        engine.smoothing.follow([pair.stamp_ns for pair in images])
    if warp is not None and isinstance(engine, RegisteringEngine):  # warps and cuts on its own device
        fused, labels = engine.registered(_stacked(images, "rgb"), _stacked(images, "grey"), warp)
        return [Processed(pair, FusionResult(*result)) for pair, *result in zip(images, fused, labels)]
    if len(images) == 1:
        results = [engine(images[0].rgb, images[0].thermal)]
    else:
        fused, labels = engine.batch(_stacked(images, "rgb"), _stacked(images, "thermal"))
        results = [FusionResult(*result) for result in zip(fused, labels)]
    return [Processed(pair, pair.cut(result)) for pair, result in zip(images, results)]


def prepare(pair: CameraPair | PairImages) -> PairImages:
    """The steps before the network: check, window, register; arrays are through them already.

    Raises:
        ImageError: There is no image in a message, or two that make no pair.
    """
    if isinstance(pair, PairImages):
        return pair
    preprocessor, grey = pair.preprocessor, pair.grey
    preprocessor.check(pair.rgb, pair.thermal)  # sizes, before any pixel is touched
    if grey is None and pair.thermal is not None:
        grey = preprocessor.grey(pair.thermal)  # values of any depth to 8 bits, steady in time
    return preprocessor.register(
        pair.rgb, pair.thermal, grey
    )  # thermal on rgb's grid, or the warp that brings it there


def _stacked(images: list[PairImages], name: str) -> np.ndarray:
    arrays = [getattr(pair, name) for pair in images]
    return arrays[0][None] if len(arrays) == 1 else np.stack(arrays)  # a live pair is not copied
