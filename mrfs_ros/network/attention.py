"""Multi-head attention over tokens whose keys and values are spatially reduced (SegFormer, section 3.1)."""
# Paper: Zhang, Zuo, Jiang, Guo, Ma, "MRFS: Mutually Reinforcing Image Fusion and Segmentation", CVPR 2024.
# Code: written for this project, Apache-2.0. Released weights: by the paper's authors, under their terms.
# Attribute names that hold parameters are those of the released checkpoints, so that these load unchanged.

from __future__ import annotations

import torch
from torch import Tensor, nn

Size = tuple[int, int]


def tokens_to_map(tokens: Tensor, size: Size) -> Tensor:
    """(B, H * W, C) tokens to a (B, C, H, W) map."""
    return tokens.transpose(1, 2).reshape(tokens.shape[0], tokens.shape[2], *size)


def map_to_tokens(feature_map: Tensor) -> Tensor:
    """(B, C, H, W) map to (B, H * W, C) tokens."""
    return feature_map.flatten(2).transpose(1, 2)


class ReducedAttention(nn.Module):
    """What the encoder's attention, Self and Cross share: reduction of the tokens, heads, output Linear.

    Subclasses own the query and key-value Linears, because the released checkpoints name them differently.
    """

    def __init__(self, channels: int, heads: int, sr_ratio: int):
        super().__init__()
        self.heads = heads
        self.sr_ratio = sr_ratio
        self.proj = nn.Linear(channels, channels)
        if sr_ratio > 1:
            self.sr = nn.Conv2d(channels, channels, sr_ratio, stride=sr_ratio)
            self.norm = nn.LayerNorm(channels, eps=1e-5)

    def reduce(self, tokens: Tensor, size: Size) -> Tensor:
        """(B, H * W, C) to (B, H * W // sr_ratio ** 2, C): the tokens that keys and values come from."""
        if self.sr_ratio == 1:
            return tokens
        return self.norm(map_to_tokens(self.sr(tokens_to_map(tokens, size))))

    def attend(self, query: Tensor, key_value: Tensor) -> Tensor:
        """softmax(q k^T / sqrt(d)) v per head; query (B, N, C), key_value (B, M, 2 C) to (B, N, C)."""
        b, n, c = query.shape
        q = query.reshape(b, n, self.heads, c // self.heads).transpose(1, 2)
        k, v = key_value.reshape(b, -1, 2, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        weights = torch.softmax(q @ k.transpose(-2, -1) * (c // self.heads) ** -0.5, dim=-1)
        return (weights @ v).transpose(1, 2).reshape(b, n, c)


class EfficientSelfAttention(ReducedAttention):
    """The attention of an encoder block; its q, k and v have biases."""

    def __init__(self, channels: int, heads: int, sr_ratio: int):
        super().__init__(channels, heads, sr_ratio)
        self.q = nn.Linear(channels, channels)
        self.kv = nn.Linear(channels, 2 * channels)

    def forward(self, tokens: Tensor, size: Size) -> Tensor:
        return self.proj(self.attend(self.q(tokens), self.kv(self.reduce(tokens, size))))
