"""Scenes with a known truth: warps, pseudo-thermal images, rendered boards, shaken cameras with clocks of their own."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from mrfs_ros.calibration.initial_guess import placed
from mrfs_ros.camera.image_io import read_rgb, read_thermal

SAMPLES = Path(__file__).resolve().parents[1] / "samples"
Pair = tuple[np.ndarray, np.ndarray]


def sample_pairs(names: list[str], width: int = 640) -> list[Pair]:
    """Pairs of samples/, ``width`` pixels wide."""
    pairs = []
    for name in names:
        pair = read_rgb(SAMPLES / "rgb" / f"{name}.jpg"), read_thermal(SAMPLES / "thermal" / f"{name}.jpg")
        size = width, round(512 * width / 640)
        pairs.append(tuple(cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in pair))
    return pairs


def pseudo_thermal(rgb: np.ndarray) -> np.ndarray:
    """(H, W) uint8 with the edges of (H, W, 3) ``rgb``, some of their contrasts inverted, some gone, and noise."""
    grey = cv2.cvtColor(cv2.GaussianBlur(rgb, (0, 0), 1.2), cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    tones = 0.5 + 0.4 * np.sin(7 * np.sqrt(grey) + 2)
    noise = np.random.default_rng(0).normal(0, 0.02, grey.shape)
    return (255 * np.clip(tones + noise, 0, 1)).astype(np.uint8)


def truth(size: tuple[int, int], numbers: tuple[float, ...], bend: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    """(3, 3) thermal to rgb pixels of images of one ``size``: ``placed`` by ``numbers``, with perspective ``bend``.

    ``bend``: of x and y [1 / half widths].
    """
    height, width = size
    middle = np.array([(1, 0, -(width - 1) / 2), (0, 1, -(height - 1) / 2), (0, 0, 1)])
    perspective = np.eye(3)
    perspective[2, :2] = np.array(bend) / (width / 2)
    return np.array(placed(numbers, size, size).matrix) @ np.linalg.inv(middle) @ perspective @ middle


def seen_through(thermal: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """The thermal image of a camera for which ``matrix`` is the truth, of an image on the rgb grid."""
    size = thermal.shape[1], thermal.shape[0]
    return cv2.warpPerspective(
        thermal, np.linalg.inv(matrix), size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )


def distances_px(first: np.ndarray, second: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Distances [rgb pixels] of where two homographies send a grid over the thermal image, within the rgb image."""
    height, width = size
    grid = np.stack(np.meshgrid(np.linspace(0, width - 1, 9), np.linspace(0, height - 1, 9)), -1).reshape(-1, 1, 2)
    sent = [cv2.perspectiveTransform(grid, np.array(matrix, float))[:, 0] for matrix in (first, second)]
    inside = ((sent[1] >= 0) & (sent[1] <= (width - 1, height - 1))).all(axis=1)
    return np.hypot(*(sent[0] - sent[1])[inside].T)


def distance_px(first: np.ndarray, second: np.ndarray, size: tuple[int, int]) -> float:
    """The mean of ``distances_px``."""
    return float(distances_px(first, second, size).mean())


def chessboard(matrix: np.ndarray, size: tuple[int, int], *, square: int = 40, over: int = 4) -> np.ndarray:
    """(H, W) uint8: a board of 10x7 fields, whose plane ``matrix`` sends into the image, drawn without stairs."""
    height, width = size
    board = np.full((9 * square, 12 * square), 255, np.uint8)
    for row in range(7):
        for column in range(10):
            if (row + column) % 2 == 0:
                board[(row + 1) * square : (row + 2) * square, (column + 1) * square : (column + 2) * square] = 20
    enlarged = np.diag((over, over, 1.0)) + np.array([(0, 0, (over - 1) / 2), (0, 0, (over - 1) / 2), (0, 0, 0)])
    drawn = cv2.warpPerspective(board, enlarged @ matrix, (width * over, height * over), borderValue=120)
    return cv2.resize(drawn, (width, height), interpolation=cv2.INTER_AREA)


def circles(matrix: np.ndarray, size: tuple[int, int], *, step: int = 30) -> np.ndarray:
    """(H, W) uint8: dark circles on light, 4x11 asymmetric, whose plane ``matrix`` sends into the image."""
    board = np.full((13 * step, 10 * step), 255, np.uint8)
    for row in range(11):
        for column in range(4):
            centre = (2 * column + row % 2 + 1) * step, (row + 1) * step
            cv2.circle(board, centre, step // 3, 20, cv2.FILLED, cv2.LINE_AA)
    return cv2.warpPerspective(board, matrix, size[::-1], flags=cv2.INTER_AREA, borderValue=255)


class ShakenCameras:
    """Two cameras that look at one texture and are moved together, unless ``kind`` is still or repeating."""

    def __init__(self, kind: str = "shaken", seed: int = 2):
        rng = np.random.default_rng(seed)
        texture = cv2.GaussianBlur(rng.normal(size=(200, 260)).astype(np.float32), (0, 0), 3)
        texture = (texture - texture.min()) / np.ptp(texture)
        self._texture = (255 * np.round(6 * texture) / 6).astype(np.float32)
        self._times_s = np.arange(-2, 40, 0.005)
        if kind == "shaken":
            speeds = rng.normal(size=(2, len(self._times_s)))
            path = np.stack([np.convolve(speed, np.hanning(160), "same") for speed in speeds])
            self._path = path / path.std(axis=1, keepdims=True) * 8
        elif kind == "repeating":
            self._path = np.stack([8 * np.sin(2 * np.pi * self._times_s / 0.8), 0 * self._times_s])
        else:
            self._path = np.zeros((2, len(self._times_s)))

    def frame(self, time_s: float, thermal: bool, rng: np.random.Generator, noise: float = 3.0) -> np.ndarray:
        """(48, 64) uint8 at the true ``time_s``; the thermal camera has the contrast inverted."""
        right, down = (np.interp(time_s, self._times_s, path) for path in self._path)
        view = cv2.getRectSubPix(self._texture, (64, 48), (130 + right, 100 + down))
        view = 255 - 0.7 * view if thermal else view
        return np.clip(view + rng.normal(0, noise, view.shape), 0, 255).astype(np.uint8)

    def stream(self, *, rate_hz: float, late_s: float, thermal: bool, length_s: float = 15.0, jitter_s: float = 0.003):
        """(stamp [ns], image) of one camera whose stamps are ``late_s`` late."""
        rng = np.random.default_rng(7 + thermal)
        count = int(length_s * rate_hz)
        times_s = np.sort(0.013 * (1 + thermal) + np.arange(count) / rate_hz + rng.uniform(-jitter_s, jitter_s, count))
        for time_s in times_s:
            yield int((1_700_000_000 * 10**9) + (time_s + late_s) * 1e9), self.frame(time_s, thermal, rng)
