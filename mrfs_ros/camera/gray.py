"""Colour to grey."""

from __future__ import annotations

import numpy as np

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601


def to_gray(rgb: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB to (H, W) uint8 BT.601 luma; equal channels come back unchanged."""
    return (rgb @ _LUMA).round().astype(np.uint8)
