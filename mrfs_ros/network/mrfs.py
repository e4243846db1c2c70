"""MRFS: dual encoder, segmentation head and fusion head as one module (the paper's figure 2)."""
# Paper: Zhang, Zuo, Jiang, Guo, Ma, "MRFS: Mutually Reinforcing Image Fusion and Segmentation", CVPR 2024.
# Code: written for this project, Apache-2.0. Released weights: by the paper's authors, under their terms.
# Attribute names that hold parameters are those of the released checkpoints, so that these load unchanged.

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mrfs_ros.config import NetworkConfig
from mrfs_ros.errors import ConfigError, ImageError
from mrfs_ros.network.area_average import area_average
from mrfs_ros.network.attention import Size
from mrfs_ros.network.backbone import DualEncoder, Features
from mrfs_ros.network.encoder_sizes import VARIANTS
from mrfs_ros.network.heads import FusionHead, SegmentationHead
from mrfs_ros.types import MIN_SIDE


class MRFSOutput(NamedTuple):
    """``logits``: (B, classes, H, W) float. ``fused``: (B, 3, H, W) float in (0, 1), RGB."""

    logits: Tensor
    fused: Tensor


class MRFS(nn.Module):
    """Fused image and class logits of an RGB-thermal pair.

    ``rgb``: (B, 3, H, W) float in [0, 1], RGB, no mean or std taken off. ``thermal``: (B, 3, H, W), one
    grey channel repeated, or (B, 1, H, W), in [0, 1]. Any H, W from 32 up. ``encoder_size`` (h, w): at which the
    encoders, IGM-Att and PC-Att see the pair, from 32 up to (H, W); None = its own, as in the paper. Both heads work
    at H, W. ImageError on other shapes.
    """

    def __init__(self, config: NetworkConfig):
        super().__init__()
        if config.variant not in VARIANTS:
            raise ConfigError(f"unknown variant {config.variant!r}: expected one of {', '.join(VARIANTS)}")
        self.config = config
        variant = VARIANTS[config.variant]
        eps = config.batch_norm_eps
        self.backbone = DualEncoder(config)
        self.decode_head = SegmentationHead(
            variant.channels, config.num_classes, config.head_width, config.dropout, eps
        )
        self.aux_head = FusionHead(variant.channels, eps)
        if not self.decode_head.linear_pred.weight.is_meta:  # there random numbers take an import of torch._dynamo
            _initialise(self)

    def features(self, rgb: Tensor, thermal: Tensor, encoder_size: Size | None = None) -> Features:
        """The visual and semantic maps of all four stages; inputs as for the module itself."""
        pair = rgb, _three_channels(rgb, thermal)
        if encoder_size is None:
            return self.backbone(*pair)
        check_encoder_size(encoder_size, (rgb.shape[2], rgb.shape[3]))
        return self.backbone(*(area_average(x, encoder_size) for x in pair))

    def forward(self, rgb: Tensor, thermal: Tensor, encoder_size: Size | None = None) -> MRFSOutput:
        thermal = _three_channels(rgb, thermal)
        visual_rgb, visual_thermal, semantic = self.features(rgb, thermal, encoder_size)
        logits = self.decode_head(semantic, (rgb.shape[2], rgb.shape[3]))
        return MRFSOutput(logits, self.aux_head(visual_rgb, visual_thermal, rgb, thermal))


def build_network(config: NetworkConfig, seed: int = 0) -> MRFS:
    """A freshly initialised, UNTRAINED network; equal seeds give equal weights.

    Example:
        >>> network = build_network(NetworkConfig(variant="mit_b0", num_classes=5)).eval()
        >>> logits, fused = network(torch.zeros(1, 3, 64, 64), torch.zeros(1, 1, 64, 64))
        >>> tuple(logits.shape), tuple(fused.shape)
        ((1, 5, 64, 64), (1, 3, 64, 64))
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return MRFS(config)


def check_encoder_size(encoder_size: Size, size: Size) -> None:
    """ImageError unless encoders can see an image of ``size`` at ``encoder_size``, both (H, W)."""
    if min(encoder_size) < MIN_SIDE or encoder_size[0] > size[0] or encoder_size[1] > size[1]:
        raise ImageError(
            f"encoder_size: expected (h, w) from {MIN_SIDE} up to {tuple(map(int, size))}, got {tuple(encoder_size)}"
        )


def _three_channels(rgb: Tensor, thermal: Tensor) -> Tensor:
    if rgb.ndim != 4 or rgb.shape[1] != 3 or min(rgb.shape[2:]) < MIN_SIDE:
        raise ImageError(f"rgb: expected (B, 3, H, W) with H, W >= {MIN_SIDE}, got {tuple(rgb.shape)}")
    expected = (rgb.shape[0], 3, *rgb.shape[2:])
    if tuple(thermal.shape) == (rgb.shape[0], 1, *rgb.shape[2:]):
        return thermal.expand(expected)
    if tuple(thermal.shape) != expected:
        raise ImageError(f"thermal: expected {expected} or one channel of it, got {tuple(thermal.shape)}")
    return thermal


def _initialise(network: MRFS) -> None:
    """Fresh weights: encoders and attention as SegFormer does it, the heads' convolutions by Kaiming."""
    for name, module in network.named_modules():
        if name.startswith(("backbone.IGMAVCs.", "backbone.PCASCs.")) and name.endswith("proj"):
            # No skip goes around these, and in PC-Att five follow each other: at std 0.02 their product leaves nothing
            # of the signal, and training from scratch stalls.
            nn.init.eye_(module.weight)
        elif isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=0.02)
        elif isinstance(module, nn.Conv2d):
            if name.startswith("backbone."):
                fan_out = math.prod(module.kernel_size) * module.out_channels // module.groups
                nn.init.normal_(module.weight, std=math.sqrt(2 / fan_out))
            else:
                nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
        if isinstance(module, (nn.Linear, nn.Conv2d)) and module.bias is not None:
            if name.endswith("patch_embed1.proj"):
                # The norm that follows takes the scale off W x + b: with b = 0 a hot and a cold plain patch look alike.
                nn.init.normal_(module.bias, std=0.1)
            else:
                nn.init.zeros_(module.bias)
