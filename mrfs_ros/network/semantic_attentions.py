"""Alternatives to PC-Att between visual and semantic features: the ablations of the paper's supplement."""
# The supplement names these variants in a sentence each; what they are made of is this project's reading of it.

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from mrfs_ros.network.attention import map_to_tokens, tokens_to_map
from mrfs_ros.network.pc_att import CrossAttention


class PlainCrossAttention(nn.Module):
    """Plain cross-attention (Model IV): both modalities attend to each other at once, no progress and no cycle.

    The sum of both results goes through a Linear. Shapes as for PC-Att.
    """

    def __init__(self, channels: int, heads: int, sr_ratio: int):
        super().__init__()
        self.rgb_to_thermal = CrossAttention(channels, heads, sr_ratio)
        self.thermal_to_rgb = CrossAttention(channels, heads, sr_ratio)
        self.proj = nn.Linear(channels, channels)

    def forward(self, y1: Tensor, y2: Tensor) -> Tensor:
        size = (y1.shape[2], y1.shape[3])
        rgb, thermal = map_to_tokens(y1), map_to_tokens(y2)
        both = self.rgb_to_thermal(rgb, thermal, size) + self.thermal_to_rgb(thermal, rgb, size)
        return tokens_to_map(self.proj(both), size)


class ConvolutionStep(nn.Module):
    """What an attention does, by convolutions: ``a`` and, if there is one, ``b`` mixed, 3x3 by channel, mixed again.

    ``a`` is the residual; all (B, C, H, W).
    """

    def __init__(self, channels: int, inputs: int):
        super().__init__()
        self.mix = nn.Conv2d(inputs * channels, channels, 1)
        self.depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.out = nn.Conv2d(channels, channels, 1)

    def forward(self, a: Tensor, b: Tensor | None = None) -> Tensor:
        x = a if b is None else torch.cat((a, b), dim=1)
        return a + self.out(functional.relu(self.depthwise(functional.relu(self.mix(x)))))


class ConvolutionCycle(nn.Module):
    """PC-Att as a CNN (PC2CNN): the same four steps in the same order, by convolutions. Shapes as for PC-Att."""

    def __init__(self, channels: int):
        super().__init__()
        self.rgb = ConvolutionStep(channels, 1)
        self.rgb_into_thermal = ConvolutionStep(channels, 2)
        self.answer = ConvolutionStep(channels, 1)
        self.answer_into_rgb = ConvolutionStep(channels, 2)
        self.out = nn.Conv2d(channels, channels, 1)

    def forward(self, y1: Tensor, y2: Tensor) -> Tensor:
        s1 = self.rgb(y1)
        s2 = self.answer(self.rgb_into_thermal(y2, s1))
        return self.out(self.answer_into_rgb(s1, s2))


class Sum(nn.Module):
    """PC-Att removed (rmPC): the semantic features are the sum of the visual ones."""

    def forward(self, y1: Tensor, y2: Tensor) -> Tensor:
        return y1 + y2
