"""Headlights as an augmentation: lit ground and lamps in a dark rgb image, which thermal and labels do not show.

Without it, road in the beam of headlights is taken for the car behind them.
"""

from __future__ import annotations

import cv2
import numpy as np

DARK = 110.0  # mean grey level from which on headlights are not seen
_LIGHTS = (1, 4)


def lit(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Lamps and the ground that they light, one to three of them, at random places.

    Args:
        rgb: (H, W, 3) uint8; the brighter, the weaker are the lights; from a mean of ``DARK`` on it stays as it is.
        rng: the same state gives the same lights.

    Returns:
        (H, W, 3) uint8, nowhere darker than ``rgb``.
    """
    strength = 1 - float(rgb.mean()) / DARK
    numbers = rng.random((int(rng.integers(*_LIGHTS)), 10))
    if strength <= 0:
        return rgb
    image = rgb.astype(np.float32)
    for light in numbers:
        image += strength * _light(image, light)
    return np.clip(image, 0, 255).round().astype(np.uint8)


def _light(image: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """What one headlight adds to a float image; ``numbers``: ten in [0, 1)."""
    height, width = image.shape[:2]
    column, row, length, ratio, turn, gain, veil, warmth, lamp, end = numbers
    centre = np.float32([(1.4 * column - 0.2) * width, (0.2 + 0.9 * row) * height])
    radii = np.float32([0.1 + 0.4 * length, (0.1 + 0.4 * length) * (0.2 + 0.4 * ratio)]) * width
    angle = np.deg2rad(50 * turn - 25)
    along = np.float32([np.cos(angle), np.sin(angle)])
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    columns, rows = columns - centre[0], rows - centre[1]
    distance = ((columns * along[0] + rows * along[1]) / radii[0]) ** 2
    distance += ((rows * along[0] - columns * along[1]) / radii[1]) ** 2
    beam = np.exp(-(distance**1.5))[..., None]
    tint = np.float32([1.0, 0.95, 0.8 + 0.3 * warmth])
    added = beam * (image * (1 + 3 * gain) + 10 + 110 * veil) * tint
    lamp_radius = max(1.0, 0.02 * width * lamp)
    side = 1 if end < 0.5 else -1
    place = centre + side * along * radii[0]
    disc = np.zeros((height, width), np.float32)
    cv2.circle(disc, tuple(int(v) for v in place.round()), round(lamp_radius), 300.0, -1)
    return added + cv2.GaussianBlur(disc, (0, 0), lamp_radius)[..., None] * tint
