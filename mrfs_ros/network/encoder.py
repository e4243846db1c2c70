"""Parts of a Mix-Transformer encoder: patch embedding and transformer blocks (SegFormer, section 3.1)."""
# Paper: Zhang, Zuo, Jiang, Guo, Ma, "MRFS: Mutually Reinforcing Image Fusion and Segmentation", CVPR 2024.
# Code: written for this project, Apache-2.0. Released weights: by the paper's authors, under their terms.
# Attribute names that hold parameters are those of the released checkpoints, so that these load unchanged.

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from mrfs_ros.network.attention import EfficientSelfAttention, Size, map_to_tokens, tokens_to_map


class PatchEmbedding(nn.Module):
    """Strided convolution and LayerNorm: (B, C_in, H, W) to tokens (B, H' * W', C) and (H', W')."""

    def __init__(self, in_channels: int, channels: int, kernel: int, stride: int):
        super().__init__()
        self.proj = nn.Conv2d(in_channels, channels, kernel, stride=stride, padding=kernel // 2)
        self.norm = nn.LayerNorm(channels, eps=1e-5)

    def forward(self, x: Tensor) -> tuple[Tensor, Size]:
        x = self.proj(x)
        return self.norm(map_to_tokens(x)), (x.shape[2], x.shape[3])


class DepthwiseConvolution(nn.Module):
    """3x3 convolution of each channel by itself, on tokens laid out as their map."""

    def __init__(self, channels: int):
        super().__init__()
        self.dwconv = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)

    def forward(self, tokens: Tensor, size: Size) -> Tensor:
        return map_to_tokens(self.dwconv(tokens_to_map(tokens, size)))


class MixFeedForward(nn.Module):
    """Linear C to 4 C, depthwise 3x3 convolution, GELU, Linear back to C."""

    def __init__(self, channels: int):
        super().__init__()
        self.fc1 = nn.Linear(channels, 4 * channels)
        self.dwconv = DepthwiseConvolution(4 * channels)
        self.fc2 = nn.Linear(4 * channels, channels)

    def forward(self, tokens: Tensor, size: Size) -> Tensor:
        return self.fc2(functional.gelu(self.dwconv(self.fc1(tokens), size)))


class DropPath(nn.Module):
    """Skips a residual branch for a random share of the samples, in training only (stochastic depth)."""

    def __init__(self, probability: float):
        super().__init__()
        self.probability = probability

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.probability == 0:
            return x
        keep = 1 - self.probability
        kept = torch.rand(x.shape[0], 1, 1, device=x.device, dtype=x.dtype) < keep
        return x * kept / keep


class TransformerBlock(nn.Module):
    """Efficient self-attention and mix feed-forward, each behind a LayerNorm and with a residual."""

    def __init__(self, channels: int, heads: int, sr_ratio: int, drop_path: float):
        super().__init__()
        self.norm1 = nn.LayerNorm(channels, eps=1e-6)
        self.attn = EfficientSelfAttention(channels, heads, sr_ratio)
        self.norm2 = nn.LayerNorm(channels, eps=1e-6)
        self.mlp = MixFeedForward(channels)
        self.drop_path = DropPath(drop_path)

    def forward(self, tokens: Tensor, size: Size) -> Tensor:
        tokens = tokens + self.drop_path(self.attn(self.norm1(tokens), size))
        return tokens + self.drop_path(self.mlp(self.norm2(tokens), size))
