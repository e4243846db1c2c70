"""Inference on preprocessed pairs, with the results cut to what both cameras saw."""

from __future__ import annotations

import numpy as np

from mrfs_ros.engine.protocol import Engine, RegisteringEngine, SmoothingEngine
from mrfs_ros.preprocess import PairImages
from mrfs_ros.types import FusionResult


def process_pairs(engine: Engine, pairs: list[PairImages]) -> list[FusionResult]:
    """``engine``'s result for each of ``pairs``, all of one kind, cut to what both cameras saw."""
    if isinstance(engine, SmoothingEngine) and engine.smoothing is not None:
        engine.smoothing.follow([pair.stamp_ns for pair in pairs])
    warp = pairs[0].warp
    if warp is not None and isinstance(engine, RegisteringEngine):
        fused, labels = engine.registered(_stacked(pairs, "rgb"), _stacked(pairs, "grey"), warp)
        return [FusionResult(*result) for result in zip(fused, labels)]
    if len(pairs) == 1:
        return [pairs[0].cut(engine(pairs[0].rgb, pairs[0].thermal))]
    fused, labels = engine.batch(_stacked(pairs, "rgb"), _stacked(pairs, "thermal"))
    return [pair.cut(FusionResult(*result)) for pair, *result in zip(pairs, fused, labels)]


def _stacked(pairs: list[PairImages], name: str) -> np.ndarray:
    arrays = [getattr(pair, name) for pair in pairs]
    return arrays[0][None] if len(arrays) == 1 else np.stack(arrays)  # a live pair is not copied
