"""Fusion without learning: what a network should beat. Grey images in and out."""

from __future__ import annotations

import cv2
import numpy as np

from mrfs_ros.errors import ImageError
from mrfs_ros.studies.guided_filter import guided_filter

PYRAMID_LEVELS = 4
BASE_SIDE = 31
SALIENCY_RADIUS, SALIENCY_SIGMA = 5, 5.0
BASE_RADIUS, BASE_EPSILON = 45, 0.3
DETAIL_RADIUS, DETAIL_EPSILON = 7, 1e-6
_EVEN = 1e-9  # weights below it are rounding


def average(visible: np.ndarray, thermal: np.ndarray) -> np.ndarray:
    """The mean of both, rounded; (H, W) uint8 each. ImageError for anything else."""
    _check(visible, thermal)
    return np.round((visible.astype(np.uint16) + thermal) / 2).astype(np.uint8)


def maximum(visible: np.ndarray, thermal: np.ndarray) -> np.ndarray:
    """The brighter of both, pixel by pixel; (H, W) uint8 each. ImageError for anything else."""
    _check(visible, thermal)
    return np.maximum(visible, thermal)


def laplacian_pyramid(visible: np.ndarray, thermal: np.ndarray) -> np.ndarray:
    """The stronger detail at each place and scale, on the average of the bases; (H, W) uint8 each.

    Pyramids of Burt and Adelson (1983), kernel (1, 4, 6, 4, 1) / 16, border mirrored, ``PYRAMID_LEVELS`` levels of
    detail, fewer where a side has less than 2^levels pixels. Detail: the coefficient of larger magnitude, the visible
    one where equal. Base: the mean. ImageError for anything else than two grey images of one size.
    """
    _check(visible, thermal)
    levels = min(PYRAMID_LEVELS, min(visible.shape).bit_length() - 1)
    (one_base, one_details), (other_base, other_details) = (_pyramid(i, levels) for i in (visible, thermal))
    fused = (one_base + other_base) / 2
    for one, other in zip(reversed(one_details), reversed(other_details)):
        fused = _enlarged(fused, one.shape) + np.where(np.abs(one) >= np.abs(other), one, other)
    return _bytes(fused)


def guided_fusion(visible: np.ndarray, thermal: np.ndarray) -> np.ndarray:
    """Two scales, each mixed by what stands out, along the images' edges; (H, W) uint8 each.

    Li, Kang, Hu (2013), on a scale of 0 to 1, border mirrored. Base: mean over ``BASE_SIDE`` pixels; detail: the rest.
    An image has weight 1 where its Laplacian's magnitude, under a Gaussian (``SALIENCY_RADIUS``, ``SALIENCY_SIGMA``),
    is the larger, the visible one where equal. Each weight map is filtered under its own image, for the base with
    r = ``BASE_RADIUS``, eps = ``BASE_EPSILON``, for the detail with ``DETAIL_RADIUS``, ``DETAIL_EPSILON``; negative
    weights are 0, both together 1. ImageError for anything else than two grey images of one size.
    """
    _check(visible, thermal)
    one, other = visible / 255.0, thermal / 255.0
    stands_out = (_saliency(one) >= _saliency(other)).astype(np.float64)
    one_base, other_base = (cv2.blur(image, (BASE_SIDE, BASE_SIDE)) for image in (one, other))
    share = _share(one, other, stands_out, BASE_RADIUS, BASE_EPSILON)
    fused = share * one_base + (1 - share) * other_base
    share = _share(one, other, stands_out, DETAIL_RADIUS, DETAIL_EPSILON)
    return _bytes(255 * (fused + share * (one - one_base) + (1 - share) * (other - other_base)))


def _check(visible: np.ndarray, thermal: np.ndarray) -> None:
    for name, image in (("visible", visible), ("thermal", thermal)):
        if image.dtype != np.uint8 or image.ndim != 2:
            raise ImageError(f"{name}: expected a grey image, (H, W) uint8, got {image.shape} {image.dtype}")
    if visible.shape != thermal.shape:
        raise ImageError(f"expected images of one size (H, W), got {visible.shape} and {thermal.shape}")


def _pyramid(image: np.ndarray, levels: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """The base, and the details from fine to coarse."""
    base, details = image.astype(np.float64), []
    for _ in range(levels):
        smaller = cv2.pyrDown(base)
        details.append(base - _enlarged(smaller, base.shape))
        base = smaller
    return base, details


def _enlarged(image: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return cv2.pyrUp(image, dstsize=shape[::-1])


def _saliency(image: np.ndarray) -> np.ndarray:
    side = 2 * SALIENCY_RADIUS + 1
    return cv2.GaussianBlur(np.abs(cv2.Laplacian(image, cv2.CV_64F, ksize=1)), (side, side), SALIENCY_SIGMA)


def _share(one: np.ndarray, other: np.ndarray, stands_out: np.ndarray, radius: int, epsilon: float) -> np.ndarray:
    """The weight of ``one``, 0 to 1, each image's weight map filtered under it; an even mix where neither has any."""
    own = np.maximum(guided_filter(one, stands_out, radius, epsilon), 0)
    total = own + np.maximum(guided_filter(other, 1 - stands_out, radius, epsilon), 0)
    return np.divide(own, total, out=np.full_like(own, 0.5), where=total > _EVEN)


def _bytes(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
