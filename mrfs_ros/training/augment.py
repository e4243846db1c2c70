"""Random views of a pair: geometry alike for rgb, thermal and label; light, noise and loss for each sensor apart."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from mrfs_ros.config import setting
from mrfs_ros.data.dataset import DatasetPair
from mrfs_ros.data.scenes import Scene
from mrfs_ros.training.copied_objects import Donors
from mrfs_ros.training.headlights import lit
from mrfs_ros.training.simulated_thermal import simulate
from mrfs_ros.types import UNLABELLED


@dataclass(frozen=True, kw_only=True)
class AugmentConfig:
    """How far a training crop may be from the frame it was cut from; probabilities are per crop."""

    mirror: float = setting(0.5, "Probability of a left-right mirror.", low=0, high=1)
    scale_low: float = setting(0.5, "Smallest factor of the random scale.", low=0.1, high=4)
    scale_high: float = setting(1.75, "Largest factor of the random scale.", low=0.1, high=4)
    short_side: int = setting(
        0,
        "Frames of any size are brought to this short side [pixels] before the random scale; 0 = their own.",
        low=0,
        high=4096,
    )
    balanced_crops: float = setting(
        0.0, "Probability that a crop is laid around a pixel of a class other than background.", low=0, high=1
    )
    copied_objects: float = setting(
        0.0, "Probability that an object of another pair is copied into a crop, and then another, ...", low=0, high=0.9
    )
    headlights: float = setting(0.0, "Probability that a dark rgb image gets lamps and lit ground.", low=0, high=1)
    rgb_gamma: float = setting(0.0, "Day and night: rgb to the power exp(+-this).", low=0, high=2)
    rgb_gain: float = setting(0.0, "Each colour channel times 1 +- this.", low=0, high=1)
    rgb_noise: float = setting(0.0, "Largest standard deviation of rgb noise [grey levels].", low=0, high=64)
    rgb_blur: float = setting(0.0, "Probability of a blurred rgb image (sigma up to 1.5 pixels).", low=0, high=1)
    thermal_gain: float = setting(0.0, "Thermal contrast times 1 +- this, around its mean.", low=0, high=1)
    thermal_offset: float = setting(0.0, "Thermal plus or minus up to this [grey levels].", low=0, high=128)
    thermal_noise: float = setting(0.0, "Largest standard deviation of thermal noise [grey levels].", low=0, high=64)
    thermal_blur: float = setting(
        0.0, "Probability of a blurred thermal image (sigma up to 1.5 pixels).", low=0, high=1
    )
    thermal_inversion: float = setting(0.0, "Probability of black-hot thermal.", low=0, high=1)
    misalignment: float = setting(0.0, "Thermal shifted by up to this [pixels] in both directions.", low=0, high=64)
    drop_rgb: float = setting(0.0, "Probability that rgb is black.", low=0, high=1)
    drop_thermal: float = setting(0.0, "Probability that thermal is black (never both).", low=0, high=1)


@dataclass(frozen=True)
class Crop:
    """A training example of size (H, W); fields as in ``DatasetPair``.

    ``valid``: (H, W) uint8, 1 inside the image, 0 in padding, where rgb and thermal are 0 and label is 255.
    """

    rgb: np.ndarray
    thermal: np.ndarray
    label: np.ndarray
    valid: np.ndarray


def augment(
    pair: DatasetPair | Scene,
    size: tuple[int, int],
    config: AugmentConfig,
    rng: np.random.Generator,
    donors: Donors | None = None,
) -> Crop:
    """A random crop of ``size`` (H, W); the same ``rng`` state gives the same crop. A scene's thermal is simulated.

    ``donors``: objects to copy into it, for ``copied_objects``.
    """
    region = _region(pair.label, size, config, rng)
    rgb, label = region.smooth(pair.rgb), region.nearest(pair.label)
    if isinstance(pair, Scene):
        rgb, thermal = simulate(rgb, region.nearest(pair.materials), rng)
    else:
        thermal = region.smooth(pair.thermal)
    while donors and rng.random() < config.copied_objects:
        rgb, thermal, label = donors.paste(rgb, thermal, label, region.zoom, rng)
    if rng.random() < config.mirror:
        rgb, thermal, label = rgb[:, ::-1], thermal[:, ::-1], label[:, ::-1]
    rgb = np.ascontiguousarray(rgb)
    if config.headlights and rng.random() < config.headlights:
        rgb = lit(rgb, rng)
    rgb = _light(rgb, config, rng)
    thermal = _heat(_shifted(np.ascontiguousarray(thermal), config.misalignment, rng), config, rng)
    chance = rng.random()
    if chance < config.drop_rgb:
        rgb = np.zeros_like(rgb)
    elif chance < config.drop_rgb + config.drop_thermal:
        thermal = np.zeros_like(thermal)
    return _padded(rgb, thermal, np.ascontiguousarray(label), size, rng)


@dataclass(frozen=True)
class _Region:
    """``rows``, ``columns`` of a frame and their ``target`` (width, height); ``zoom``: the scale's random factor."""

    rows: slice
    columns: slice
    target: tuple[int, int]
    shrinks: bool
    zoom: float

    def smooth(self, image: np.ndarray) -> np.ndarray:
        interpolation = cv2.INTER_AREA if self.shrinks else cv2.INTER_LINEAR
        return cv2.resize(image[self.rows, self.columns], self.target, interpolation=interpolation)

    def nearest(self, ids: np.ndarray) -> np.ndarray:
        return cv2.resize(ids[self.rows, self.columns], self.target, interpolation=cv2.INTER_NEAREST_EXACT)


def _region(label: np.ndarray, size: tuple[int, int], config: AugmentConfig, rng: np.random.Generator) -> _Region:
    """Where to cut and how far to scale, so that the crop is at most ``size``; smaller where the scaled frame is."""
    frame = label.shape
    zoom = float(np.exp(rng.uniform(np.log(config.scale_low), np.log(config.scale_high))))
    scale = zoom * (config.short_side / min(frame) if config.short_side else 1)
    region = [min(frame[i], max(1, round(size[i] / scale))) for i in (0, 1)]
    free = [frame[i] - region[i] for i in (0, 1)]
    if rng.random() < config.balanced_crops and (anchor := _object_pixel(label, rng)) is not None:
        corner = [int(np.clip(anchor[i] - int(rng.uniform(0.1, 0.9) * region[i]), 0, free[i])) for i in (0, 1)]
    else:
        corner = [int(rng.integers(free[i] + 1)) for i in (0, 1)]
    rows, columns = (slice(corner[i], corner[i] + region[i]) for i in (0, 1))
    width, height = (min(size[i], max(1, round(frame[i] * scale))) for i in (1, 0))
    return _Region(rows, columns, (width, height), scale < 1, zoom)


def _object_pixel(label: np.ndarray, rng: np.random.Generator) -> tuple[int, int] | None:
    """A random pixel of a random class of the frame, so that a distant person counts as much as a bus."""
    classes = [c for c in np.unique(label) if c not in (0, UNLABELLED)]
    if not classes:
        return None
    pixels = np.flatnonzero(label == classes[rng.integers(len(classes))])
    row, column = divmod(int(pixels[rng.integers(len(pixels))]), label.shape[1])
    return row, column


def _light(rgb: np.ndarray, config: AugmentConfig, rng: np.random.Generator) -> np.ndarray:
    gamma = np.exp(rng.uniform(-config.rgb_gamma, config.rgb_gamma))
    gains = 1 + rng.uniform(-config.rgb_gain, config.rgb_gain, 3)
    ramp = 255 * (np.arange(256) / 255) ** gamma
    table = np.clip(ramp[:, None] * gains, 0, 255).round().astype(np.uint8)
    rgb = cv2.LUT(rgb, table[None])
    return _noisy(_blurred(rgb, config.rgb_blur, rng), config.rgb_noise, rng)


def _heat(thermal: np.ndarray, config: AugmentConfig, rng: np.random.Generator) -> np.ndarray:
    gain = 1 + rng.uniform(-config.thermal_gain, config.thermal_gain)
    offset = rng.uniform(-config.thermal_offset, config.thermal_offset)
    mean = float(thermal.mean())
    table = np.clip(gain * (np.arange(256) - mean) + mean + offset, 0, 255).round().astype(np.uint8)
    if rng.random() < config.thermal_inversion:
        table = 255 - table
    thermal = cv2.LUT(thermal, table)
    return _noisy(_blurred(thermal, config.thermal_blur, rng), config.thermal_noise, rng)


def _blurred(image: np.ndarray, probability: float, rng: np.random.Generator) -> np.ndarray:
    sigma = rng.uniform(0.3, 1.5)
    return cv2.GaussianBlur(image, (0, 0), sigma) if rng.random() < probability else image


def _noisy(image: np.ndarray, largest: float, rng: np.random.Generator) -> np.ndarray:
    sigma = rng.uniform(0, largest)
    if largest == 0:
        return image
    noise = sigma * rng.standard_normal(image.shape, dtype=np.float32)
    return np.clip(image + noise, 0, 255).round().astype(np.uint8)


def _shifted(thermal: np.ndarray, largest: float, rng: np.random.Generator) -> np.ndarray:
    columns, rows = rng.uniform(-largest, largest, 2)
    if largest == 0:
        return thermal
    height, width = thermal.shape
    matrix = np.float32([[1, 0, columns], [0, 1, rows]])
    return cv2.warpAffine(thermal, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)


def _padded(
    rgb: np.ndarray, thermal: np.ndarray, label: np.ndarray, size: tuple[int, int], rng: np.random.Generator
) -> Crop:
    missing = size[0] - label.shape[0], size[1] - label.shape[1]
    top, left = int(rng.integers(missing[0] + 1)), int(rng.integers(missing[1] + 1))
    borders = (top, missing[0] - top, left, missing[1] - left)

    def pad(image: np.ndarray, value: int) -> np.ndarray:
        return cv2.copyMakeBorder(image, *borders, cv2.BORDER_CONSTANT, value=(value, value, value))

    return Crop(pad(rgb, 0), pad(thermal, 0), pad(label, UNLABELLED), pad(np.ones_like(label), 0))
