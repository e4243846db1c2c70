"""Measures of a frame: class shares, and metrics of the fused image."""

from __future__ import annotations

import numpy as np

from mrfs_ros.bag.frame import Frame
from mrfs_ros.camera.gray import to_gray
from mrfs_ros.evaluation.metrics import (
    CONVENTIONS,
    SMALLEST_SIDE,
    average_gradient,
    entropy,
    fusion_metrics,
    spatial_frequency,
)
from mrfs_ros.types import UNLABELLED

BASIC = ("EN", "SD", "SF", "AG")


def class_shares(labels: np.ndarray, classes: int) -> tuple[float, ...]:
    """Part of the pixels, 0 to 1, of each of ``classes`` classes, then of unlabelled pixels; (H, W) uint8 labels."""
    counts = np.bincount(labels.reshape(-1), minlength=256) / labels.size
    return (*counts[:classes].tolist(), float(counts[UNLABELLED]))


def metric_names(kind: str) -> list[str]:
    """The metrics of ``basic`` (of the fused image alone, fast) or ``all``."""
    return list(BASIC if kind == "basic" else CONVENTIONS)


def frame_metrics(frame: Frame, kind: str) -> dict[str, float]:
    """Name to value; of ``all``, what needs larger images than these is left out."""
    fused = to_gray(frame.result.fused)
    if kind == "all" and min(fused.shape) >= SMALLEST_SIDE:
        values = fusion_metrics(fused, to_gray(frame.rgb), frame.thermal)
        return {name: value for name, value in values.items() if np.isfinite(value)}
    return {
        "EN": entropy(fused),
        "SD": float(fused.std(dtype=np.float64)),
        "SF": spatial_frequency(fused),
        "AG": average_gradient(fused),
    }
