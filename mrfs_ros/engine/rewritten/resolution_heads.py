"""The two heads, with channels mixed at each scale's own resolution instead of at the finest."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mrfs_ros.engine.operators import Operators
from mrfs_ros.engine.rewritten.folding import Affine, affine, chain
from mrfs_ros.network.heads import FUSION_WIDTH, FusionHead, SegmentationHead


class FoldedSegmentationHead(nn.Module):
    """Four maps (B, H_i, W_i, C_i), finest first, to logits (B, H_1, W_1, classes).

    ``before``: for each scale the map from what comes in to the semantic features of the trained network. Bilinear
    upsampling commutes with 1x1 convolutions, so each scale's projection, its slice of the mixing convolution and
    BatchNorm are one map at its own resolution.
    """

    def __init__(self, operators: Operators, trained: SegmentationHead, before: list[Affine]):
        super().__init__()
        self.operators = operators
        mix, norm, _ = trained.linear_fuse
        mixing = chain(affine(mix), affine(norm))
        slices = mixing.weight.chunk(len(before), dim=1)
        self.scales = nn.ModuleList()
        for number, first in enumerate(before, start=1):
            bias = mixing.bias if number == 1 else torch.zeros_like(mixing.bias)
            projection = affine(getattr(trained, f"linear_c{number}").proj)
            part = Affine(slices[-number], bias)  # the trained network stacks the scales coarsest first
            self.scales.append(operators.dense(chain(first, projection, part)))
        self.classes = operators.dense(affine(trained.linear_pred))

    def forward(self, semantic: list[Tensor]) -> Tensor:
        coarse = [self.operators.linear(x, scale) for x, scale in zip(semantic[1:], self.scales[1:])]
        return self.operators.decode(semantic[0], self.scales[0], coarse, self.classes)


class FoldedScale(nn.Module):
    """What one scale gives to the fusion head's 3x3 convolution: (B, H_i, W_i, 9 taps * 16)."""

    def __init__(self, operators: Operators, trained: FusionHead, number: int, taps: Tensor):
        super().__init__()
        self.operators = operators
        self.points, self.taps = nn.ModuleList(), nn.ModuleList()
        for modality, part in zip(("rgb", "ir"), taps.chunk(2, dim=2)):
            convolution, norm, _ = getattr(trained, f"PointConv_{number}_{modality}").pconv
            self.points.append(operators.dense(chain(affine(convolution), affine(norm))))
            weight = part.flatten(0, 1)
            self.taps.append(operators.dense(Affine(weight, weight.new_zeros(len(weight)))))

    def forward(self, y1: Tensor, y2: Tensor) -> Tensor:
        run, (point1, point2), (taps1, taps2) = self.operators, self.points, self.taps
        mixed = run.linear(run.linear(y1, point1, activation="relu"), taps1)
        return run.linear(run.linear(y2, point2, activation="relu"), taps2, residual=mixed)


class FoldedFusionHead(nn.Module):
    """Visual maps of the four stages and both images to the fused image, without any full-size feature map.

    A 3x3 convolution of upsampled features is, for each of its nine taps, a mixing of channels at low resolution,
    upsampled and shifted by a pixel. ``scale`` i does the mixing, ``forward`` the rest.
    """

    def __init__(self, operators: Operators, trained: FusionHead):
        super().__init__()
        self.operators = operators
        convolution, norm, _, last, _ = trained.CNN_fuse
        folded = chain(affine(convolution), affine(norm))
        taps = folded.weight.unflatten(1, (9, -1)).permute(1, 0, 2)  # (9, 16, channels stacked by scale, rgb, thermal)
        width = 2 * FUSION_WIDTH
        self.scales = nn.ModuleList(
            FoldedScale(operators, trained, i + 1, taps[:, :, i * width : (i + 1) * width]) for i in range(4)
        )
        rgb, thermal = taps[:, :, -6:-3], taps[:, :, -3:].sum(2, keepdim=True)  # thermal: three equal channels
        self.images = operators.fusion(torch.cat((rgb, thermal), dim=2), folded.bias, affine(last))

    def forward(self, scales: list[Tensor], rgb: Tensor, thermal: Tensor) -> Tensor:
        return self.operators.fuse(scales, rgb, thermal, self.images)
