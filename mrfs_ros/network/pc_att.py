"""PC-Att, the progressive cycle attention between semantic features (MRFS, transformer side)."""
# Paper: Zhang, Zuo, Jiang, Guo, Ma, "MRFS: Mutually Reinforcing Image Fusion and Segmentation", CVPR 2024.
# Code: written for this project, Apache-2.0. Released weights: by the paper's authors, under their terms.
# Attribute names that hold parameters are those of the released checkpoints, so that these load unchanged.

from __future__ import annotations

from torch import Tensor, nn

from mrfs_ros.network.attention import ReducedAttention, Size, map_to_tokens, tokens_to_map


class SelfAttention(ReducedAttention):
    """Attention of tokens to themselves; the residual enters before the output Linear."""

    def __init__(self, channels: int, heads: int, sr_ratio: int):
        super().__init__(channels, heads, sr_ratio)
        self.q = nn.Linear(channels, channels, bias=False)
        self.kv = nn.Linear(channels, 2 * channels, bias=False)

    def forward(self, x: Tensor, size: Size) -> Tensor:
        return self.proj(self.attend(self.q(x), self.kv(self.reduce(x, size))) + x)


class CrossAttention(ReducedAttention):
    """Attention of tokens ``a`` (queries) to tokens ``b`` (keys, values); ``a`` is the residual."""

    def __init__(self, channels: int, heads: int, sr_ratio: int):
        super().__init__(channels, heads, sr_ratio)
        self.q1 = nn.Linear(channels, channels, bias=False)
        self.kv2 = nn.Linear(channels, 2 * channels, bias=False)

    def forward(self, a: Tensor, b: Tensor, size: Size) -> Tensor:
        return self.proj(self.attend(self.q1(a), self.kv2(self.reduce(b, size))) + a)


class ProgressiveCycleAttention(nn.Module):
    """Four attentions in turn: rgb to itself, thermal to that, the result to itself, rgb to that: one semantic map.

    y1 (rgb) and y2 (thermal), both (B, C, H, W), to semantic (B, C, H, W).
    """

    def __init__(self, channels: int, heads: int, sr_ratio: int):
        super().__init__()
        self.SA_x1 = SelfAttention(channels, heads, sr_ratio)
        self.CA_x1toX2 = CrossAttention(channels, heads, sr_ratio)
        self.SA_x2 = SelfAttention(channels, heads, sr_ratio)
        self.CA_x2toX1 = CrossAttention(channels, heads, sr_ratio)
        self.proj = nn.Linear(channels, channels)

    def forward(self, y1: Tensor, y2: Tensor) -> Tensor:
        size = (y1.shape[2], y1.shape[3])
        s1 = self.SA_x1(map_to_tokens(y1), size)
        c2 = self.CA_x1toX2(map_to_tokens(y2), s1, size)
        s2 = self.SA_x2(c2, size)
        c1 = self.CA_x2toX1(s1, s2, size)
        return tokens_to_map(self.proj(c1), size)
