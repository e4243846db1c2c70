"""The two heads: a segmentation mask from semantic features, a fused image from visual features (MRFS, figure 2)."""
# Paper: Zhang, Zuo, Jiang, Guo, Ma, "MRFS: Mutually Reinforcing Image Fusion and Segmentation", CVPR 2024.
# Code: written for this project, Apache-2.0. Released weights: by the paper's authors, under their terms.
# Attribute names that hold parameters are those of the released checkpoints, so that these load unchanged.

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from mrfs_ros.network.attention import Size, map_to_tokens, tokens_to_map
from mrfs_ros.network.upsampling import convolve_upsampled, upsample

FUSION_WIDTH = 16


def _upsample(x: Tensor, size: Size) -> Tensor:
    return functional.interpolate(x, size=size, mode="bilinear", align_corners=False)


class ChannelProjection(nn.Module):
    """Linear over channels of a map: (B, C, H, W) to (B, width, H, W)."""

    def __init__(self, channels: int, width: int):
        super().__init__()
        self.proj = nn.Linear(channels, width)

    def forward(self, x: Tensor) -> Tensor:
        return tokens_to_map(self.proj(map_to_tokens(x)), (x.shape[2], x.shape[3]))


class SegmentationHead(nn.Module):
    """SegFormer's MLP decoder: four semantic maps to logits (B, classes, H, W) of the input's size."""

    def __init__(self, channels: tuple[int, ...], num_classes: int, width: int, dropout: float, eps: float):
        super().__init__()
        for number, c in enumerate(channels, start=1):
            self.add_module(f"linear_c{number}", ChannelProjection(c, width))
        self.linear_fuse = nn.Sequential(nn.Conv2d(4 * width, width, 1), nn.BatchNorm2d(width, eps=eps), nn.ReLU())
        self.dropout = nn.Dropout2d(dropout)
        self.linear_pred = nn.Conv2d(width, num_classes, 1)

    def forward(self, semantic: list[Tensor], size: Size) -> Tensor:
        fuse, norm, relu = self.linear_fuse
        if self.training:
            return upsample(self._classified(relu(norm(self._mixed_before_upsampling(fuse, semantic)))), size)
        return _upsample(self.linear_pred(relu(norm(self._mixed(fuse, semantic)))), size)

    def _projections(self) -> tuple[ChannelProjection, ...]:
        return self.linear_c4, self.linear_c3, self.linear_c2, self.linear_c1

    def _mixed(self, fuse: nn.Conv2d, semantic: list[Tensor]) -> Tensor:
        finest = (semantic[0].shape[2], semantic[0].shape[3])
        scales = [_upsample(linear(x), finest) for linear, x in zip(self._projections(), reversed(semantic))]
        return fuse(torch.cat(scales, dim=1))

    def _mixed_before_upsampling(self, fuse: nn.Conv2d, semantic: list[Tensor]) -> Tensor:
        """The same sum in another order: 1x1 convolutions commute with upsampling, and are cheap before it."""
        finest = (semantic[0].shape[2], semantic[0].shape[3])
        total = None
        slices = fuse.weight[:, :, 0, 0].chunk(len(semantic), dim=1)
        for linear, part, x in zip(self._projections(), slices, reversed(semantic)):
            weight = (part @ linear.proj.weight)[:, :, None, None]
            # Before upsampling, too, and under autocast in its precision: added to the sum it would make that float32.
            bias = part @ linear.proj.bias if total is not None else part @ linear.proj.bias + fuse.bias
            mixed = functional.conv2d(x, weight, bias)
            mixed = mixed if mixed.shape[2:] == finest else _upsample(mixed, finest)
            total = mixed if total is None else total + mixed
        return total

    def _classified(self, x: Tensor) -> Tensor:
        """Dropout2d and the last 1x1 at once: what is to scale whole maps scales the weights that read them."""
        b, c, h, w = x.shape
        kept = self.dropout(self.linear_pred.weight.new_ones(b, c, 1, 1)).view(b, c, 1)
        weights = self.linear_pred.weight.view(-1, c).t() * kept  # (B, C, classes)
        return tokens_to_map(torch.baddbmm(self.linear_pred.bias, map_to_tokens(x), weights), (h, w))


class PointConvolution(nn.Module):
    """1x1 convolution to 16 channels, BatchNorm, ReLU."""

    def __init__(self, channels: int, eps: float):
        super().__init__()
        self.pconv = nn.Sequential(
            nn.Conv2d(channels, FUSION_WIDTH, 1), nn.BatchNorm2d(FUSION_WIDTH, eps=eps), nn.ReLU()
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.pconv(x)


class FusionHead(nn.Module):
    """Eight visual maps and both inputs to the fused image (B, 3, H, W) in (0, 1), RGB."""

    def __init__(self, channels: tuple[int, ...], eps: float):
        super().__init__()
        for number, c in enumerate(channels, start=1):
            self.add_module(f"PointConv_{number}_rgb", PointConvolution(c, eps))
            self.add_module(f"PointConv_{number}_ir", PointConvolution(c, eps))
        stacked = 2 * len(channels) * FUSION_WIDTH + 6
        self.CNN_fuse = nn.Sequential(
            nn.Conv2d(stacked, FUSION_WIDTH, 3, padding=1),
            nn.BatchNorm2d(FUSION_WIDTH, eps=eps),
            nn.ReLU(),
            nn.Conv2d(FUSION_WIDTH, 3, 1),
            nn.Sigmoid(),
        )

    def forward(self, visual_rgb: list[Tensor], visual_thermal: list[Tensor], rgb: Tensor, thermal: Tensor) -> Tensor:
        pairs = []
        for number, (r, t) in enumerate(zip(visual_rgb, visual_thermal), start=1):
            pairs.append(getattr(self, f"PointConv_{number}_rgb")(r))
            pairs.append(getattr(self, f"PointConv_{number}_ir")(t))
        convolution, *rest = self.CNN_fuse
        mixed = self._mixed_before_upsampling if self.training else self._mixed
        x = mixed(convolution, pairs, torch.cat((rgb, thermal), dim=1))
        for layer in rest:
            x = layer(x)
        return x

    def _mixed(self, convolution: nn.Conv2d, maps: list[Tensor], images: Tensor) -> Tensor:
        size = (images.shape[2], images.shape[3])
        return convolution(torch.cat((*(_upsample(x, size) for x in maps), images), dim=1))

    def _mixed_before_upsampling(self, convolution: nn.Conv2d, maps: list[Tensor], images: Tensor) -> Tensor:
        """The same sum in another order: no upsampled map is ever there, 134 channels at full size are slow."""
        scales = [torch.cat(pair, dim=1) for pair in zip(maps[0::2], maps[1::2])]
        *kernels, kernel = convolution.weight.split([*(x.shape[1] for x in scales), images.shape[1]], dim=1)
        own = functional.conv2d(images, kernel, convolution.bias, padding=1)
        return own + convolve_upsampled(scales, kernels, (images.shape[2], images.shape[3]))
