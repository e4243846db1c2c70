"""IGM-Att, the interactive gated mixed attention between visual features (MRFS, CNN side)."""
# Paper: Zhang, Zuo, Jiang, Guo, Ma, "MRFS: Mutually Reinforcing Image Fusion and Segmentation", CVPR 2024.
# Code: written for this project, Apache-2.0. Released weights: by the paper's authors, under their terms.
# Attribute names that hold parameters are those of the released checkpoints, so that these load unchanged.

from __future__ import annotations

import torch
from torch import Tensor, nn


def mlp(layer, *widths: int) -> nn.Sequential:
    """Two layers of three ``widths`` with a ReLU between them."""
    return nn.Sequential(layer(widths[0], widths[1]), nn.ReLU(), layer(widths[1], widths[2]))


def _pointwise(in_channels: int, out_channels: int) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, 1)


class ChannelAttention(nn.Module):
    """Weights (B, C, 1, 1) for both modalities from their global average and maximum."""

    def __init__(self, channels: int):
        super().__init__()
        self.mlp = mlp(nn.Linear, 2 * channels, channels // 2, 2 * channels)

    def forward(self, both: Tensor) -> tuple[Tensor, Tensor]:
        weights = torch.sigmoid(self.mlp(both.mean((2, 3))) + self.mlp(both.amax((2, 3))))
        return weights[:, :, None, None].chunk(2, dim=1)


class SpatialAttention(nn.Module):
    """Weights (B, 1, H, W) for both modalities from their mean and maximum over channels."""

    def __init__(self):
        super().__init__()
        self.mlp = mlp(_pointwise, 4, 16, 2)

    def forward(self, x1: Tensor, x2: Tensor) -> tuple[Tensor, Tensor]:
        maps = [reduced for x in (x1, x2) for reduced in (x.mean(1, keepdim=True), x.amax(1, keepdim=True))]
        return torch.sigmoid(self.mlp(torch.cat(maps, dim=1))).chunk(2, dim=1)


class MixedAttention(nn.Module):
    """Outer product of channel and spatial weights: one (B, C, H, W) map per modality."""

    def __init__(self, channels: int):
        super().__init__()
        self.ca_gate = ChannelAttention(channels)
        self.sa_gate = SpatialAttention()

    def forward(self, x1: Tensor, x2: Tensor, both: Tensor) -> tuple[Tensor, Tensor]:
        channel1, channel2 = self.ca_gate(both)
        spatial1, spatial2 = self.sa_gate(x1, x2)
        return channel1 * spatial1, channel2 * spatial2


class InteractiveGatedMixedAttention(nn.Module):
    """Each modality takes from the other what a per-pixel gate and the mixed attention let through.

    x1 (rgb) and x2 (thermal), both (B, C, H, W), to y1 and y2 of the same shape.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.MA = MixedAttention(channels)
        self.gate = nn.Sequential(*mlp(nn.Linear, 2 * channels, channels // 2, channels), nn.Sigmoid())

    def forward(self, x1: Tensor, x2: Tensor) -> tuple[Tensor, Tensor]:
        both = torch.cat((x1, x2), dim=1)
        gate = self.gate(both.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        mixed1, mixed2 = self.MA(x1, x2, both)
        return x1 + (1 - gate) * mixed2 * x2, x2 + gate * mixed1 * x1
