"""Alternatives to IGM-Att between visual features: the ablations of the paper's supplement."""
# The supplement names these variants in a sentence each; what they are made of is this project's reading of it.

from __future__ import annotations

import torch
from torch import Tensor, nn

from mrfs_ros.network.attention import map_to_tokens, tokens_to_map
from mrfs_ros.network.igm_att import mlp
from mrfs_ros.network.pc_att import CrossAttention


class PooledExchange(nn.Module):
    """Pooling-based attention (Model III): each modality takes from the other by channel weights of global averages.

    Squeeze and excitation over both: no gate, no spatial weights, no maximum. Shapes as for IGM-Att.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.mlp = mlp(nn.Linear, 2 * channels, channels // 2, 2 * channels)

    def forward(self, x1: Tensor, x2: Tensor) -> tuple[Tensor, Tensor]:
        averages = torch.cat((x1, x2), dim=1).mean((2, 3))
        weight1, weight2 = torch.sigmoid(self.mlp(averages))[:, :, None, None].chunk(2, dim=1)
        return x1 + weight2 * x2, x2 + weight1 * x1


class TransformerExchange(nn.Module):
    """IGM-Att as a transformer (IGM2Trans): each modality's tokens attend to the other's. Shapes as for IGM-Att."""

    def __init__(self, channels: int, heads: int, sr_ratio: int):
        super().__init__()
        self.rgb_to_thermal = CrossAttention(channels, heads, sr_ratio)
        self.thermal_to_rgb = CrossAttention(channels, heads, sr_ratio)

    def forward(self, x1: Tensor, x2: Tensor) -> tuple[Tensor, Tensor]:
        size = (x1.shape[2], x1.shape[3])
        rgb, thermal = map_to_tokens(x1), map_to_tokens(x2)
        y1, y2 = self.rgb_to_thermal(rgb, thermal, size), self.thermal_to_rgb(thermal, rgb, size)
        return tokens_to_map(y1, size), tokens_to_map(y2, size)


class NoExchange(nn.Module):
    """IGM-Att removed (rmIGM): both modalities stay as they are."""

    def forward(self, x1: Tensor, x2: Tensor) -> tuple[Tensor, Tensor]:
        return x1, x2
