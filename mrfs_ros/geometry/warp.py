"""One warp of thermal images onto the rgb grid, as tables, and results cut to what both cameras saw."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from mrfs_ros.errors import ImageError
from mrfs_ros.geometry.camera_models import Size
from mrfs_ros.geometry.resampling import with_holes
from mrfs_ros.types import UNLABELLED, FusionResult

_OUTSIDE = -10_000  # a coordinate that no image has and that 16 bits hold


@dataclass(frozen=True, eq=False)
class Warp:
    """Where each pixel of an rgb image (H, W) lies in a thermal image of ``thermal_size`` (h, w).

    ``whole``: (H, W, 2) int16, the pixel (x, y) above and left of it. ``parts``: (H, W) uint16, how far it is from
    there in 32nds of a pixel, 32 y + x. ``valid``: (H, W) bool, where the thermal camera sees anything. All read-only.
    """

    thermal_size: Size
    whole: np.ndarray
    parts: np.ndarray
    valid: np.ndarray

    def __call__(self, thermal: np.ndarray) -> np.ndarray:
        """(H, W) uint8 of a thermal image (h, w) uint8: bilinear, its border continued; 0 where not ``valid``."""
        warped = self._interpolated(thermal)
        warped *= self.valid
        return warped

    def floats(self, values: np.ndarray) -> np.ndarray:
        """(H, W) float32 of (h, w) float32: likewise, but NaN where not ``valid``, and where a NaN has any weight."""
        return np.where(self.valid, with_holes(self._interpolated, values), np.float32(np.nan))

    def _interpolated(self, image: np.ndarray) -> np.ndarray:
        return cv2.remap(image, self.whole, self.parts, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def make_warp(sources: np.ndarray, thermal_size: Size) -> Warp:
    """The warp for ``sources`` (H, W, 2) float, (x, y) of each rgb pixel in a thermal image of ``thermal_size``."""
    valid = within(sources, thermal_size)
    sources = np.where(valid[..., None], sources, _OUTSIDE).astype(np.float32)
    whole, parts = cv2.convertMaps(sources, None, cv2.CV_16SC2)
    return Warp(thermal_size, *(_read_only(array) for array in (whole, parts, valid)))


def within(pixels: np.ndarray, size: Size) -> np.ndarray:
    """Which of ``pixels`` (..., 2) (x, y) lie in one of the image's pixels, each a square around its centre."""
    with np.errstate(invalid="ignore"):
        return ((pixels >= -0.5) & (pixels < np.array(size[::-1]) - 0.5)).all(axis=-1)


def outside_fused(result: FusionResult, rgb: np.ndarray, valid: np.ndarray) -> FusionResult:
    """``result`` where ``valid`` ((H, W) bool); elsewhere the fused image is ``rgb`` and labels are ``UNLABELLED``.

    Confidence is 0 there.

    ``rgb``: (H, W, 3) uint8 RGB, the image that was fused. ImageError for arrays of other sizes.
    """
    if rgb.shape != result.fused.shape or valid.shape != result.labels.shape:
        raise ImageError(
            f"expected rgb {result.fused.shape} and valid {result.labels.shape} as the result has, "
            f"got {rgb.shape} and {valid.shape}"
        )
    if valid.all():
        return result
    return FusionResult(
        np.where(valid[:, :, None], result.fused, rgb),
        np.where(valid, result.labels, np.uint8(UNLABELLED)),
        None if result.confidence is None else result.confidence * valid,
    )


def _read_only(array: np.ndarray) -> np.ndarray:
    array.setflags(write=False)
    return array
