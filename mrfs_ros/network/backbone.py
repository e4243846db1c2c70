"""Two encoders side by side, joined after every stage by IGM-Att and PC-Att (MRFS, figure 2)."""
# Paper: Zhang, Zuo, Jiang, Guo, Ma, "MRFS: Mutually Reinforcing Image Fusion and Segmentation", CVPR 2024.
# Code: written for this project, Apache-2.0. Released weights: by the paper's authors, under their terms.
# Attribute names that hold parameters are those of the released checkpoints, so that these load unchanged.

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from mrfs_ros.config import NetworkConfig
from mrfs_ros.network.attention import tokens_to_map
from mrfs_ros.network.encoder import PatchEmbedding, TransformerBlock
from mrfs_ros.network.encoder_sizes import VARIANTS, Variant
from mrfs_ros.network.interactions import semantic_attention, visual_attention

RGB, THERMAL = "", "extra_"  # how released checkpoints prefix the two encoders


class Features(NamedTuple):
    """Four maps each, finest first, (B, C_i, H_i, W_i): after IGM-Att (visual) and PC-Att (semantic)."""

    visual_rgb: list[Tensor]
    visual_thermal: list[Tensor]
    semantic: list[Tensor]


class DualEncoder(nn.Module):
    """Mix-Transformers for rgb and thermal with equal shape and separate weights, and their interactions."""

    def __init__(self, config: NetworkConfig):
        super().__init__()
        variant = VARIANTS[config.variant]
        for prefix in (RGB, THERMAL):
            self._add_encoder(prefix, variant, config.drop_path)
        shapes = list(zip(variant.channels, variant.heads, variant.sr_ratios))
        self.IGMAVCs = nn.ModuleList(visual_attention(config.visual_attention, *shape) for shape in shapes)
        self.PCASCs = nn.ModuleList(semantic_attention(config.semantic_attention, *shape) for shape in shapes)

    def _add_encoder(self, prefix: str, variant: Variant, drop_path: float) -> None:
        last = sum(variant.depths) - 1
        rates = (drop_path * number / last for number in range(last + 1))
        in_channels = 3
        for i, (channels, depth) in enumerate(zip(variant.channels, variant.depths)):
            kernel, stride = (7, 4) if i == 0 else (3, 2)
            blocks = [
                TransformerBlock(channels, variant.heads[i], variant.sr_ratios[i], next(rates)) for _ in range(depth)
            ]
            self.add_module(f"{prefix}patch_embed{i + 1}", PatchEmbedding(in_channels, channels, kernel, stride))
            self.add_module(f"{prefix}block{i + 1}", nn.ModuleList(blocks))
            self.add_module(f"{prefix}norm{i + 1}", nn.LayerNorm(channels, eps=1e-6))
            in_channels = channels

    def _stage(self, prefix: str, number: int, x: Tensor) -> Tensor:
        tokens, size = getattr(self, f"{prefix}patch_embed{number}")(x)
        for block in getattr(self, f"{prefix}block{number}"):
            tokens = block(tokens, size)
        return tokens_to_map(getattr(self, f"{prefix}norm{number}")(tokens), size)

    def forward(self, rgb: Tensor, thermal: Tensor) -> Features:
        features = Features([], [], [])
        for number, (igm_att, pc_att) in enumerate(zip(self.IGMAVCs, self.PCASCs), start=1):
            rgb, thermal = igm_att(self._stage(RGB, number, rgb), self._stage(THERMAL, number, thermal))
            features.visual_rgb.append(rgb)
            features.visual_thermal.append(thermal)
            features.semantic.append(pc_att(rgb, thermal))
        return features
