"""Scenes of 14-bit thermal counts over time, and how the grey of them changes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mrfs_ros.camera.thermal_window import ThermalWindow

SIZE = 120, 160
S = 10**9


def background(seed: int = 0) -> np.ndarray:
    """A street in 14-bit counts: gradients, and a warm wall."""
    height, width = SIZE
    values = 7800 + np.linspace(0, 600, width)[None] + np.linspace(-150, 150, height)[:, None]
    values[30:60, 20:40] += 250
    return values


def drive(hz: float, hot_area: float, seconds: float = 12.0) -> Iterator[tuple[float, np.ndarray]]:
    """(time, counts): noise; a hot object crosses from 3 to 6 s; the shutter freezes the image from 8 to 8.4 s, after
    which all counts are 60 higher. The top 20 rows are never covered."""
    rng = np.random.default_rng(0)
    height, width = SIZE
    tall = int((hot_area * height * width * 2) ** 0.5)
    frozen = None
    for i in range(int(seconds * hz)):
        time_s = i / hz
        values = background() + rng.normal(0, 8, SIZE)
        if 3 < time_s < 6:
            left = int((time_s - 3) / 3 * (width + tall // 2)) - tall // 2
            values[height - tall :, max(0, left) : max(0, left + tall // 2)] = 11500
        if 8 <= time_s < 8.4:
            frozen = values if frozen is None else frozen
            values = frozen
        elif time_s >= 8.4:
            values = values + 60
        yield time_s, values.round().astype(np.uint16)


def changes(greys: list[np.ndarray]) -> np.ndarray:
    """Frame-to-frame changes of the mean grey of the background, in grey levels."""
    return np.diff([grey[:20].astype(float).mean() for grey in greys])


def rms(values: np.ndarray) -> float:
    return float(np.sqrt((values**2).mean()))


def shown(window: ThermalWindow, scene: np.ndarray, begin_s: float, seconds: float, hz: float = 20.0):
    rng = np.random.default_rng(1)
    for i in range(int(seconds * hz)):
        values = (scene + rng.normal(0, 4, scene.shape)).round().astype(np.uint16)
        window.grey(values, round((begin_s + i / hz) * S))
    return window.grey(scene.round().astype(np.uint16), round((begin_s + seconds) * S))  # without noise
