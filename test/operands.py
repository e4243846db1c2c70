"""Operands of the C++ operators, and one result of each."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mrfs_ros.engine.operators.native import NativeOperators


class Numbers:
    """Normal numbers, from one seed."""

    def __init__(self, seed: int):
        self._generator = torch.Generator().manual_seed(seed)

    def __repr__(self) -> str:
        return f"Numbers({self._generator.initial_seed()})"

    def __call__(self, *shape: int) -> Tensor:
        return torch.randn(shape, generator=self._generator)

    def dense(self, outputs: int, inputs: int) -> tuple[Tensor, Tensor]:
        """Weight and bias of a linear map that keeps the size of its inputs."""
        return self(outputs, inputs) / inputs**0.5, self(outputs)

    def module(self, module: nn.Module) -> nn.Module:
        """The module with random parameters that keep the size of its inputs."""
        for parameter in module.requires_grad_(False).parameters():
            parameter.data = self(*parameter.shape) / max(1, parameter[0].numel()) ** 0.5
        return module


def scales_of(numbers: Numbers, batch: int, size: tuple[int, int], strides, channels: int) -> list[Tensor]:
    """A map for each stride, as large as a network's stages make it for an image of ``size``."""
    return [numbers(batch, *(-(-n // stride) for n in size), channels) for stride in strides]


def every_operator(native: NativeOperators) -> dict[str, Tensor]:
    """A result of each, from the same numbers."""
    numbers = Numbers(0)
    x1, x2, gate = numbers(3, 2, 37, 43, 32)
    wide, residual = numbers(2, 37, 43, 64), numbers(2, 37, 43, 32)
    dense = native.dense(numbers.dense(64, 32))
    depthwise = native.depthwise(numbers.module(nn.Conv2d(64, 64, 3, groups=64)))
    mlp = numbers.module(nn.Sequential(nn.Conv2d(4, 16, 1), nn.ReLU(), nn.Conv2d(16, 2, 1)))
    taps = scales_of(numbers, 2, (37, 43), (4, 8, 16, 32), 144)
    images = native.fusion(numbers(9, 16, 4), numbers(16), numbers.dense(3, 16))
    coarse = scales_of(numbers, 2, (37, 43), (2, 4, 8), 64)
    return {
        "linear": native.linear(x1, dense, eps=1e-6, activation="sigmoid"),
        "patches": native.patches(x1, native.dense(numbers.dense(64, 9 * 32)), 3, 2, 1),
        "layer_norm": native.layer_norm(x1.clone(), native.norm(numbers.module(nn.LayerNorm(32)))),
        "depthwise_gelu_linear": native.depthwise_gelu_linear(
            wide, depthwise, native.dense(numbers.dense(32, 64)), residual
        ),
        "attention": native.attention(x1, numbers(2, 5, 7, 64), heads=2),
        "pool": torch.stack(native.pool(x1)),
        "decode": native.decode(x1, dense, coarse, native.dense(numbers.dense(9, 64))),
        "labels": native.labels(numbers(2, 37, 43, 9), (147, 170)),
        "confident_labels": torch.stack(native.confident_labels(numbers(2, 37, 43, 9), (147, 170))),
        "fuse": native.fuse(taps, numbers(2, 37, 43, 3), numbers(2, 37, 43, 1), images),
        "exchange": torch.stack(native.exchange(x1, x2, gate, numbers(2, 64), native.spatial_gate(mlp))),
    }
