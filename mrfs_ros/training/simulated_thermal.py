"""Simulated thermal images of labelled rgb scenes: temperatures by material, object and texture.

Every number is drawn anew for every crop, in grey levels of 0 to 255. It teaches shapes; glass, sun-warmed walls,
parallax and the noise of real sensors it does not teach: real pairs must be in the batch too. (Pseudo-thermal images
for pretraining: TUNI, 2026; the model of temperatures here is this project's own.)
"""

from __future__ import annotations

import cv2
import numpy as np

from mrfs_ros.camera.gray import to_gray
from mrfs_ros.data.scenes import MATERIALS

NIGHT = 0.5
"""Probability that a scene becomes night."""
_TEMPERATURE = {
    "other": (70, 140),
    "vehicle": (60, 150),
    "person": (130, 220),
    "bike": (80, 150),
    "road": (90, 170),
    "vegetation": (70, 130),
    "sky": (5, 60),
}
_WARM_AT_NIGHT = {"person": (170, 235)}
_OBJECTS = {"vehicle": 35, "person": 20, "bike": 25}  # how far an object's temperature is from its material's
_TEXTURE = {"person": (-0.2, 0.3), "sky": (0.0, 0.15)}  # strength of the luma's detail in the thermal image
_ANY_TEXTURE = (-0.5, 0.7)
_IDS = {name: number for number, name in enumerate(MATERIALS)}


def simulate(rgb: np.ndarray, materials: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw a thermal image of a scene, and day or night for its rgb image.

    Args:
        rgb: (H, W, 3) uint8, RGB, by day.
        materials: (H, W) uint8, indices of ``MATERIALS``.
        rng: the crop's own random numbers; the same state gives the same images.

    Returns:
        rgb: (H, W, 3) uint8, RGB, unchanged or made night; and thermal: (H, W) uint8.
    """
    night = rng.random() < NIGHT
    luma = to_gray(rgb).astype(np.float32)
    heat = _by_material(materials, night, rng)
    for name in _OBJECTS:
        _add_objects(heat, materials == _IDS[name], name, rng)
    heat += _texture(luma, materials, rng)
    for sigma, low, high in ((50, 2, 10), (12, 0, 8)):
        heat += rng.uniform(low, high) * _smooth_noise(heat.shape, sigma, rng)
    return (_night(rgb, materials, rng) if night else rgb), _camera(heat, rng)


def _by_material(materials: np.ndarray, night: bool, rng: np.random.Generator) -> np.ndarray:
    ranges = {**_TEMPERATURE, **(_WARM_AT_NIGHT if night else {})}
    table = np.array([rng.uniform(*ranges[name]) for name in MATERIALS], np.float32)
    return table[materials]


def _add_objects(heat: np.ndarray, mask: np.ndarray, name: str, rng: np.random.Generator) -> None:
    """Give each connected part of ``mask`` a temperature of its own and what its kind has of warm and cold parts."""
    count, parts, boxes, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    for number in range(1, count):
        left, top, width, height, _ = boxes[number]
        window = np.s_[top : top + height, left : left + width]
        inside = parts[window] == number
        down = np.linspace(0, 1, height, dtype=np.float32)[:, None]  # 0 at the object's top, 1 at its bottom
        own = np.full((height, width), rng.uniform(-_OBJECTS[name], _OBJECTS[name]), np.float32)
        if name == "vehicle":
            own += rng.uniform(0, 80) * np.clip((down - 0.55) / 0.3, 0, 1)  # wheels and engine
            own += rng.uniform(-30, 60) * ((down > 0.12) & (down < 0.42))  # windows
        elif name == "person":
            own += rng.uniform(0, 25) * (down < 0.2)  # head
            own += rng.uniform(0, 20) * _smooth_noise(own.shape, max(2.0, height / 8), rng) * (down >= 0.2)  # clothes
        heat[window] += own * inside


def _texture(luma: np.ndarray, materials: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The luma's detail, along or against, as strong as each material draws it, and a little of its slow part."""
    detail = luma - cv2.GaussianBlur(luma, (0, 0), rng.uniform(6, 14))
    strengths = np.array([rng.uniform(*_TEXTURE.get(name, _ANY_TEXTURE)) for name in MATERIALS], np.float32)
    slow = cv2.GaussianBlur(luma, (0, 0), 18)
    slow = rng.uniform(-0.15, 0.35) * (slow - slow.mean()) * (materials != _IDS["sky"])
    return strengths[materials] * detail + slow


def _smooth_noise(shape: tuple[int, int], sigma: float, rng: np.random.Generator) -> np.ndarray:
    """(H, W) float32 noise of mean 0 and deviation 1 that changes over about ``sigma`` pixels."""
    coarse = [int(np.ceil(side / (2 * sigma))) + 3 for side in shape]
    grid = rng.standard_normal(coarse, dtype=np.float32)
    step = 2 * sigma
    shift = rng.uniform(0, 1, 2)
    rows, columns = (
        (np.arange(side, dtype=np.float32) / step + 1 + shift[axis] * 0.99) for axis, side in enumerate(shape)
    )
    grid_x, grid_y = np.meshgrid(columns.astype(np.float32), rows.astype(np.float32))
    return cv2.remap(grid, grid_x, grid_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)


def _camera(heat: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Blur, contrast and noise of a thermal camera; (H, W) uint8."""
    heat = cv2.GaussianBlur(heat, (0, 0), rng.uniform(0.6, 1.6))
    low, high = np.percentile(heat[::2, ::2], (rng.uniform(0.1, 3), rng.uniform(97, 99.9)))
    span, offset = rng.uniform(150, 255), rng.uniform(0, 40)
    heat = (heat - low) * (span / max(high - low, 1.0)) + offset
    heat += rng.uniform(0.5, 4) * rng.standard_normal(heat.shape, dtype=np.float32)
    return np.clip(heat, 0, 255).round().astype(np.uint8)


def _night(rgb: np.ndarray, materials: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The rgb image as if taken at night: dark, tinted, with lamps, blur and noise; (H, W, 3) uint8."""
    image = rgb.astype(np.float32) / 255
    image[materials == _IDS["sky"]] *= rng.uniform(0.05, 0.3)
    image = image ** rng.uniform(1.2, 2.0) * rng.uniform(0.2, 0.8)
    image *= rng.uniform(0.75, 1.15, 3).astype(np.float32)
    for _ in range(rng.integers(6)):
        image += _lamp(image.shape[:2], rng)
    image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.2))
    image += rng.uniform(0.005, 0.04) * rng.standard_normal(image.shape, dtype=np.float32)
    return np.clip(255 * image, 0, 255).round().astype(np.uint8)


def _lamp(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """(H, W, 3) float32 glow of one lamp that falls off exponentially."""
    row, column = rng.uniform(0, 0.7 * shape[0]), rng.uniform(0, shape[1])
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    distance = np.hypot(rows - row, columns - column).astype(np.float32)
    glow = rng.uniform(0.4, 1.2) * np.exp(-distance / rng.uniform(4, 40))
    return glow[:, :, None] * rng.uniform((0.9, 0.7, 0.4), (1.0, 1.0, 1.0)).astype(np.float32)
