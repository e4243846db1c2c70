"""Bilinear upsampling as matrix products, alone and under a 3x3 convolution that is computed at the maps' own sizes."""
# Upsampling and convolution are both linear. With V and H the matrices that interpolate rows and columns of a map
# X, and S_d the shift by d that lets zeros in at the border (the convolution's padding),
#   sum over dy, dx of K[dy, dx] S_dy V X H' S_dx' = sum over dy of (S_dy V) (sum over dx of (K[dy, dx] X) (S_dx H)')
# so channels are mixed first, on few pixels; one matrix product interpolates and shifts columns, another one rows.

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

TAPS = 3  # of the kernel, each way


def upsample(x: Tensor, size: tuple[int, int]) -> Tensor:
    """``interpolate(x, size, mode="bilinear", align_corners=False)`` up to rounding, faster backward on a CPU.

    Args:
        x: (B, C, h, w).
        size: (H, W) of the result.

    Returns:
        (B, C, H, W), contiguous.
    """
    rows, columns = (_interpolation(length, wanted, x) for length, wanted in zip(x.shape[2:], size))
    return rows.t() @ (x @ columns)


def convolve_upsampled(maps: Sequence[Tensor], kernels: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
    """Sum over scales of conv2d(interpolate(map, size, mode="bilinear", align_corners=False), kernel, padding=1).

    The same up to rounding, without any upsampled map: for 128 channels, a tenth of the time, also backward.

    Args:
        maps: one (B, C_i, h_i, w_i) per scale, of any sizes.
        kernels: one (channels, C_i, 3, 3) per scale.
        size: (H, W) of the result.

    Returns:
        (B, channels, H, W).
    """
    height, width = size
    columns = [_upsample_columns(x, kernel, width) for x, kernel in zip(maps, kernels)]
    rows = torch.cat([_shifted_interpolation(x.shape[2], height, kernel) for x, kernel in zip(maps, kernels)])
    return rows.t() @ torch.cat(columns, dim=2)  # over rows, vertical taps and scales at once


def _upsample_columns(x: Tensor, kernel: Tensor, width: int) -> Tensor:
    """(B, C, h, w) mixed by ``kernel`` and interpolated along x: (B, channels, 3 h, width), vertical tap by tap."""
    b, c, h, w = x.shape
    channels = kernel.shape[0]
    mixing = kernel.permute(0, 2, 3, 1).reshape(-1, c, 1, 1)  # (channels, dy, dx) are the 1x1's outputs
    mixed = functional.conv2d(x, mixing).view(b, channels, TAPS, TAPS, h, w)
    return mixed.transpose(3, 4).reshape(b, channels, TAPS * h, TAPS * w) @ _shifted_interpolation(w, width, kernel)


def _shifted_interpolation(length: int, size: int, like: Tensor) -> Tensor:
    """(3 length, size): what each of ``length`` values adds to each of ``size``, for each tap; type as ``like``'s."""
    shifted = functional.pad(_interpolation(length, size, like), (1, 1)).unfold(1, size, 1)
    return shifted.transpose(0, 1).reshape(TAPS * length, size)


def _interpolation(length: int, size: int, like: Tensor) -> Tensor:
    """(length, size): what each of ``length`` values adds to each of ``size``; type and device as ``like``'s."""
    exact = torch.promote_types(like.dtype, torch.float32)  # positions between pixels need more than half precision
    unit = torch.eye(length, dtype=exact, device=like.device)[None]
    return functional.interpolate(unit, size=size, mode="linear", align_corners=False)[0].to(like.dtype)
