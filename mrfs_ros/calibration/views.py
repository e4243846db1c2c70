"""Frame pairs at the levels of a pyramid, and thermal images drawn onto the rgb grid of a level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from mrfs_ros.calibration.edges import EdgeField, edge_field
from mrfs_ros.geometry.camera_models import Size


@dataclass(frozen=True)
class View:
    """One pair at one level: ``rgb`` edge field on the level's grid, ``thermal`` (h, w) float32 at its own size."""

    rgb: EdgeField
    thermal: np.ndarray


def views(pairs: Sequence[tuple[np.ndarray, np.ndarray]], width: int) -> list[View]:
    """The pairs (rgb (H, W, 3) uint8, thermal (h, w) uint8) with the rgb image ``width`` pixels wide."""
    return [View(_rgb_field(rgb, width), _shrunk(thermal, width)) for rgb, thermal in pairs]


def thermal_field(view: View, matrix: np.ndarray) -> EdgeField:
    """The thermal image's edges on the rgb grid, by ``matrix``: 3x3, centred rgb to centred thermal coordinates."""
    shape = view.rgb.mask.shape
    inverse = pixel_matrix(view.thermal.shape) @ matrix @ np.linalg.inv(pixel_matrix(shape))
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped = cv2.warpPerspective(view.thermal, inverse, shape[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)
    inside = np.ones(view.thermal.shape, np.uint8)
    mask = cv2.warpPerspective(inside, inverse, shape[::-1], flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP)
    return edge_field(warped, mask > 0)


def pixel_matrix(size: Size) -> np.ndarray:
    """(3, 3): centred coordinates, -1 to 1 over the width, to pixels of an image of ``size`` (H, W)."""
    height, width = size
    return np.array([(width / 2, 0, (width - 1) / 2), (0, width / 2, (height - 1) / 2), (0, 0, 1)])


def to_homography(matrix: np.ndarray, thermal_size: Size, rgb_size: Size) -> np.ndarray:
    """(3, 3) thermal pixels to rgb pixels, of ``matrix``: centred rgb to centred thermal coordinates."""
    found = pixel_matrix(rgb_size) @ np.linalg.inv(matrix) @ np.linalg.inv(pixel_matrix(thermal_size))
    return found / found[2, 2]


def from_homography(homography: np.ndarray, thermal_size: Size, rgb_size: Size) -> np.ndarray:
    """The inverse of ``to_homography``."""
    found = np.linalg.inv(pixel_matrix(thermal_size)) @ np.linalg.inv(homography) @ pixel_matrix(rgb_size)
    return found / found[2, 2]


def _rgb_field(rgb: np.ndarray, width: int) -> EdgeField:
    grey = _shrunk(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), width)
    return edge_field(grey, np.ones(grey.shape, bool))


def _shrunk(image: np.ndarray, width: int) -> np.ndarray:
    """(H, W) float32, ``width`` pixels wide if it was wider, its dark and bright parts weighed alike."""
    height, own = image.shape
    grey = np.sqrt(image.astype(np.float32))  # night: headlights would outshine every other edge
    if own <= width:
        return grey
    return cv2.resize(grey, (width, max(2, round(height * width / own))), interpolation=cv2.INTER_AREA)
