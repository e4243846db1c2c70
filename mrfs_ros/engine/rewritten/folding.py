"""Affine maps and their products: how norms, projections and convolutions of the trained network become one."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn


class Affine(NamedTuple):
    """y = weight @ x + bias, float64. ``x`` is one pixel's channels, or those of all taps of a patch (row by row)."""

    weight: Tensor  # (out, taps * in)
    bias: Tensor  # (out,)


def affine(module: nn.Module) -> Affine:
    """The map of a Linear, a Conv2d (taps row by row, channels last), or of a norm once its rows are standardised."""
    if isinstance(module, nn.BatchNorm2d):
        scale = module.weight.double() / (module.running_var.double() + module.eps).sqrt()
        return Affine(scale.diag(), module.bias.double() - module.running_mean.double() * scale)
    if isinstance(module, nn.LayerNorm):
        return Affine(module.weight.double().diag(), module.bias.double())
    weight = module.weight.double()
    if isinstance(module, nn.Conv2d):
        weight = weight.permute(0, 2, 3, 1).flatten(1)
    bias = weight.new_zeros(len(weight)) if module.bias is None else module.bias.double()
    return Affine(weight, bias)


def chain(*maps: Affine) -> Affine:
    """The maps one after the other as one; all but the first may look at patches, which must not be padded."""
    weight, bias = maps[0]
    for after in maps[1:]:
        taps = after.weight.unflatten(1, (-1, len(bias)))
        bias = after.bias + (taps @ bias).sum(1)
        weight = (taps @ weight).flatten(1)
    return Affine(weight, bias)


def scaled(map_: Affine, factor: float) -> Affine:
    """``factor`` times the map."""
    return Affine(map_.weight * factor, map_.bias * factor)


def sum_of_inputs(map_: Affine, channels: int) -> Affine:
    """The map for inputs whose ``channels`` channels are equal: it takes one of them."""
    return Affine(map_.weight.unflatten(1, (-1, channels)).sum(2), map_.bias)


def identity(channels: int) -> Affine:
    """The map that changes nothing."""
    return Affine(torch.eye(channels, dtype=torch.float64), torch.zeros(channels, dtype=torch.float64))
