"""Area averaging: a smaller image whose pixels are means over the areas that they cover."""

from __future__ import annotations

import torch
from torch import Tensor

from mrfs_ros.network.attention import Size


def area_average(x: Tensor, size: Size) -> Tensor:
    """(B, C, H, W) to (B, C, h, w) with ``size`` = (h, w), h <= H and w <= W, in at least float32.

    A pixel on the border between two areas counts in each by its share (as in OpenCV's INTER_AREA), so that nothing
    moves whatever the ratio.
    """
    averaged = x.to(torch.promote_types(x.dtype, torch.float32))
    for axis, length in zip((2, 3), size):
        averaged = _along(averaged, axis, length)
    return averaged.to(x.dtype)


def _along(x: Tensor, axis: int, to: int) -> Tensor:
    length = int(x.shape[axis])
    if length == to:
        return x
    # In units of 1 / to of a pixel, where all is whole: pixel p begins at p * to, area i at edges[i].
    edges = torch.arange(to + 1, device=x.device) * length
    first = torch.div(edges[:-1], to, rounding_mode="floor")
    shape = [-1 if i == axis else 1 for i in range(x.ndim)]
    total: Tensor | None = None
    for tap in range(_most_pixels(length, to)):
        pixel = first + tap
        end = torch.minimum(edges[1:], (pixel + 1) * to)
        share = (end - torch.maximum(edges[:-1], pixel * to)).clamp(min=0).to(x.dtype) / length
        part = x.index_select(axis, pixel.clamp(max=length - 1)) * share.reshape(shape)
        total = part if total is None else total + part
    return total


def _most_pixels(length: int, to: int) -> int:
    """How many pixels an area touches at most."""
    return max(-(-(i + 1) * length // to) - i * length // to for i in range(to))
