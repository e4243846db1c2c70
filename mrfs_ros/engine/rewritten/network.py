"""MRFS rewritten for inference: same function as ``mrfs_ros.network.MRFS`` in eval mode, within rounding."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mrfs_ros.engine.operators import Operators
from mrfs_ros.engine.rewritten.encoder_stage import FoldedStage
from mrfs_ros.engine.rewritten.interaction import folded_cycle, folded_exchange
from mrfs_ros.engine.rewritten.resolution_heads import FoldedFusionHead, FoldedSegmentationHead
from mrfs_ros.network import MRFS, VARIANTS
from mrfs_ros.network.attention import Size
from mrfs_ros.network.backbone import RGB, THERMAL


class RewrittenMRFS(nn.Module):
    """Built from a trained network, whose parameters it copies in folded form; maps are (B, H, W, C) throughout.

    ``rgb``: (B, H, W, 3) float in [0, 1], RGB. ``thermal``: (B, H, W, 1) float in [0, 1].
    """

    def __init__(self, network: MRFS, operators: Operators):
        super().__init__()
        self.operators = operators
        encoders = network.backbone
        with torch.no_grad():
            stages = range(1, 5)
            self.rgb = nn.ModuleList(FoldedStage(operators, encoders, RGB, i) for i in stages)
            self.thermal = nn.ModuleList(
                FoldedStage(operators, encoders, THERMAL, i, equal_channels=3 if i == 1 else 1) for i in stages
            )
            self.exchange = nn.ModuleList(folded_exchange(operators, trained) for trained in encoders.IGMAVCs)
            self.cycle = nn.ModuleList(
                folded_cycle(operators, trained, channels)
                for trained, channels in zip(encoders.PCASCs, VARIANTS[network.config.variant].channels)
            )
            before = [cycle.output for cycle in self.cycle]
            self.segmentation = FoldedSegmentationHead(operators, network.decode_head, before)
            self.fusion = FoldedFusionHead(operators, network.aux_head)
        self.requires_grad_(False).eval()

    def forward(self, rgb: Tensor, thermal: Tensor, encoder_size: Size | None = None) -> tuple[Tensor, Tensor]:
        """Logits at a quarter of the encoders' size (B, ceil(h / 4), ceil(w / 4), classes), fused (B, H, W, 3).

        ``encoder_size``: (h, w) as for ``MRFS``. ``operators.upsampled`` gives the logits of full size,
        ``operators.labels`` their classes.
        """
        visual, semantic = [], []
        x1, x2 = rgb, thermal
        if encoder_size is not None:
            x1, x2 = (self.operators.area_average(x, encoder_size) for x in (rgb, thermal))
        for stage1, stage2, exchange, cycle, scale in zip(
            self.rgb, self.thermal, self.exchange, self.cycle, self.fusion.scales
        ):
            x1, x2 = exchange(stage1(x1), stage2(x2))
            visual.append(scale(x1, x2))
            semantic.append(cycle(x1, x2))
        return self.segmentation(semantic), self.fusion(visual, rgb, thermal)
