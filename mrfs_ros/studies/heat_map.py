"""Feature maps as heat maps: one number a pixel, red where it is high, blue where it is low."""

from __future__ import annotations

import cv2
import numpy as np

_LOWEST, _HIGHEST = 20, 236  # of 255: Turbo's ends beyond are nearly black, and low shall look blue
_RANGE = 1, 99  # percentiles


def activity(features: np.ndarray) -> np.ndarray:
    """Activity of a (C, h, w) map at each place: mean over channels of ``|feature - the channel's mean|``.

    (h, w) float64, from 0. The plain mean over channels would show little: the LayerNorm at the end of each stage evens
    it out, and what is left of it does not follow what is in the picture.
    """
    maps = features.astype(np.float64)
    return np.abs(maps - maps.mean(axis=(1, 2), keepdims=True)).mean(axis=0)


def heat_map(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """(height, width, 3) uint8 RGB of ``values``, (h, w) float: blue up to the 1st percentile, red from the 99th on.

    The percentiles leave out the outermost values, which show where the convolutions' padding begins. A map that is
    the same everywhere is blue.
    """
    inner = values[1:-1, 1:-1] if min(values.shape) > 2 else values
    low, high = np.percentile(inner, _RANGE)
    shares = (values - low) / (high - low) if high > low else np.zeros(values.shape)
    shown = cv2.resize(np.clip(shares, 0, 1).astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    return coloured(shown)


def coloured(shares: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB of ``shares``, (H, W) float from 0 (blue) to 1 (red)."""
    levels = (_LOWEST + (_HIGHEST - _LOWEST) * shares).round().astype(np.uint8)
    return cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_TURBO), cv2.COLOR_BGR2RGB)
