"""The method on one page: two camera images in, a fused image and a class for each pixel out.

The node, bags, ``mrfs fuse`` and evaluations all come this way: offline and online give the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from mrfs_ros.engine.protocol import ConfidentEngine, Engine, RegisteringEngine, SmoothingEngine
from mrfs_ros.errors import ConfigError
from mrfs_ros.preprocess import PairImages, Preprocessor
from mrfs_ros.types import UNLABELLED, FusionResult


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


def process_pairs(
    engine: Engine,
    pairs: Sequence[CameraPair | PairImages],
    *,
    confidence: bool = False,
    min_confidence: float = 0.0,
) -> list[Processed]:
    """Fuse and segment pairs, all of one kind (``PairImages.kind``), in one call of ``engine``.

    Args:
        engine: What runs the network.
        pairs: Messages, or arrays of files or of ``prepare``, which a bag calls ahead in other threads.
        confidence: Ask for the probability of each pixel's class.
        min_confidence: Pixels whose class is less probable (0 to 1) get none; 0 = off.

    Returns:
        For each pair its images and its result; outside of what the thermal camera sees that is rgb without a class.

    Raises:
        ImageError: There is no image in a message, or two that make no pair.
        ConfigError: The engine gives no confidence.

    Example:
        >>> [(images, result)] = process_pairs(engine, [PairImages(rgb, thermal)])
    """
    images = [prepare(pair) for pair in pairs]
    warp = images[0].warp
    asked = {"confidence": True} if confidence or min_confidence else {}  # engines of one's own need not know it
    if asked:
        check_gives_confidence(engine)
    if isinstance(engine, SmoothingEngine) and engine.smoothing is not None:
        engine.smoothing.follow([pair.stamp_ns for pair in images])
    if warp is not None and isinstance(engine, RegisteringEngine):  # warps and cuts on its own device
        arrays = engine.registered(_stacked(images, "rgb"), _stacked(images, "grey"), warp, **asked)
        results = [FusionResult(*result) for result in zip(*arrays)]
    elif len(images) == 1:
        results = [images[0].cut(engine(images[0].rgb, images[0].thermal, **asked))]
    else:
        arrays = engine.batch(_stacked(images, "rgb"), _stacked(images, "thermal"), **asked)
        results = [pair.cut(FusionResult(*result)) for pair, *result in zip(images, *arrays)]
    return [Processed(pair, _confident(result, min_confidence)) for pair, result in zip(images, results)]


def gives_confidence(engine: Engine) -> bool:
    """Can it say how probable its classes are?"""
    return isinstance(engine, ConfidentEngine) and engine.gives_confidence


def check_gives_confidence(engine: Engine) -> None:
    """ConfigError for an engine that gives no confidence, which says how to get one that does."""
    if not gives_confidence(engine):
        raise ConfigError(
            f"confidence: {engine.info.backend} ({engine.info.weights}) gives none: expected an engine of this package "
            "or, of an ONNX file, one by mrfs export --confidence; without it set min_confidence: 0"
        )


def _confident(result: FusionResult, least: float) -> FusionResult:
    """``result`` without a class where that is less probable than ``least``."""
    if not least:
        return result
    labels = np.where(result.confidence >= 255 * least, result.labels, np.uint8(UNLABELLED))
    return replace(result, labels=labels)


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
