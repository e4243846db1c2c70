"""The classical fusions once more, by definition: windows one by one, whole kernels, no OpenCV."""

from __future__ import annotations

import numpy as np


def plain_guided_filter(guide: np.ndarray, image: np.ndarray, radius: int, epsilon: float) -> np.ndarray:
    """He et al.: in every window the line with the least sum of (a g + b - p)^2 + epsilon a^2, then their mean."""
    height, width = guide.shape
    lines = np.empty((height, width, 2))

    def window(y: int, x: int) -> tuple[slice, slice]:
        return slice(max(0, y - radius), y + radius + 1), slice(max(0, x - radius), x + radius + 1)

    for y, x in np.ndindex(height, width):
        g, p = guide[window(y, x)].ravel(), image[window(y, x)].ravel()
        rows = np.vstack((np.column_stack((g, np.ones_like(g))), [np.sqrt(epsilon * g.size), 0]))
        lines[y, x] = np.linalg.lstsq(rows, np.append(p, 0), rcond=None)[0]
    means = [lines[window(y, x)].mean(axis=(0, 1)) @ (guide[y, x], 1) for y, x in np.ndindex(height, width)]
    return np.reshape(means, (height, width))


def filtered(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Correlation with an odd kernel over the image mirrored at its border pixels."""
    margins = [(side // 2, side // 2) for side in kernel.shape]
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(image, margins, mode="reflect"), kernel.shape)
    return np.einsum("hwyx,yx->hw", windows, kernel)


def plain_guided_fusion(visible: np.ndarray, thermal: np.ndarray) -> np.ndarray:
    """Li et al. with the authors' numbers; weights below 0 are 0, both together 1. Returns (H, W) float64, 0-255."""
    images = [image / 255 for image in (visible, thermal)]
    steps = np.arange(-5, 6)
    bell = np.exp(-(steps**2) / (2 * 5.0**2))
    gaussian = np.outer(bell, bell) / bell.sum() ** 2
    laplacian = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]], float)
    saliency = [filtered(np.abs(filtered(image, laplacian)), gaussian) for image in images]
    first = (saliency[0] >= saliency[1]).astype(float)
    bases = [filtered(image, np.full((31, 31), 1 / 961)) for image in images]
    details = [image - base for image, base in zip(images, bases)]
    fused = np.zeros(visible.shape)
    for layers, radius, epsilon in ((bases, 45, 0.3), (details, 7, 1e-6)):
        maps = (plain_guided_filter(i, m, radius, epsilon).clip(min=0) for i, m in zip(images, (first, 1 - first)))
        weights = np.array(list(maps))
        fused += (weights * layers).sum(axis=0) / weights.sum(axis=0)
    return 255 * fused


def plain_laplacian_fusion(visible: np.ndarray, thermal: np.ndarray, levels: int) -> np.ndarray:
    """Burt and Adelson's pyramids of two images, the larger coefficients, the mean base; (H, W) float64, 0-255."""
    if not levels:
        return (visible + thermal.astype(float)) / 2
    row = np.array([1, 4, 6, 4, 1]) / 16
    smaller = [filtered(image, np.outer(row, row))[::2, ::2] for image in (visible, thermal)]
    one, other = (image - enlarged(small, image.shape) for image, small in zip((visible, thermal), smaller))
    detail = np.where(np.abs(one) >= np.abs(other), one, other)
    return enlarged(plain_laplacian_fusion(*smaller, levels - 1), visible.shape) + detail


def enlarged(image: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Every pixel's share of the four times as many: kernel (1, 6, 1) / 8 at its place, (4, 4) / 8 between two.

    Mirrored before the first pixel; the last one is repeated, as OpenCV does.
    """
    for axis, length in enumerate(shape):
        rows = np.moveaxis(image, axis, 0)
        before, after = np.vstack((rows[:2][-1:], rows[:-1])), np.vstack((rows[1:], rows[-1:]))
        spread = np.stack(((before + 6 * rows + after) / 8, (rows + after) / 2), axis=1)
        image = np.moveaxis(spread.reshape(-1, rows.shape[1])[:length], 0, axis)
    return image
