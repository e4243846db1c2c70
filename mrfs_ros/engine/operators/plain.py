"""The operations of the rewritten network in plain PyTorch: for CUDA, for export, and the oracle of the C++ ones."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from mrfs_ros.network.area_average import area_average

ACTIVATIONS = {None: lambda x: x, "relu": torch.relu, "sigmoid": torch.sigmoid}


class Weights(nn.Module):
    """Named constant tensors, which move and change type with the module that they belong to."""

    def __init__(self, **tensors: Tensor):
        super().__init__()
        for name, tensor in tensors.items():
            self.register_buffer(name, tensor.detach().float().contiguous().clone())


class PlainOperators:
    """Maps are (B, H, W, C) float; ``dense``, ``depthwise``, ... prepare weights once, the rest use them."""

    def dense(self, folded: tuple[Tensor, Tensor]) -> Weights:
        """Weights of ``linear`` and ``patches``: (out, taps * in) and (out,)."""
        return Weights(weight=folded[0], bias=folded[1])

    def norm(self, layer_norm: nn.LayerNorm) -> Weights:
        """Weights of ``layer_norm``."""
        weights = Weights(weight=layer_norm.weight, bias=layer_norm.bias)
        weights.eps = layer_norm.eps
        return weights

    def depthwise(self, convolution: nn.Conv2d) -> Weights:
        """Weights of the 3x3 convolution in ``depthwise_gelu_linear``: (9, C) and (C,)."""
        return Weights(weight=convolution.weight.flatten(1).T, bias=convolution.bias)

    def spatial_gate(self, mlp: nn.Sequential) -> Weights:
        """Weights of the spatial attention in ``exchange``: 4 to 16 to 2 channels."""
        first, _, second = mlp
        return Weights(
            weight1=first.weight.flatten(1), bias1=first.bias, weight2=second.weight.flatten(1), bias2=second.bias
        )

    def fusion(self, taps: Tensor, bias: Tensor, last: tuple[Tensor, Tensor]) -> Weights:
        """Weights of ``fuse``: of both images (9, 16, 4) and (16,), of the last 1x1 convolution (3, 16) and (3,)."""
        return Weights(taps=taps, bias=bias, weight=last[0], last_bias=last[1])

    def linear(
        self,
        x: Tensor,
        weights: Weights,
        *,
        eps: float | None = None,
        residual: Tensor | None = None,
        activation: str | None = None,
    ) -> Tensor:
        """activation(weight @ x + bias + residual) per pixel; x standardised over its channels first if ``eps``.

        ``residual`` may be overwritten with the result.
        """
        y = functional.linear(_standardised(x, eps), weights.weight, weights.bias)
        return ACTIVATIONS[activation](y if residual is None else y + residual)

    def patches(
        self, x: Tensor, weights: Weights, kernel: int, stride: int, padding: int, eps: float | None = None
    ) -> Tensor:
        """Convolution with ``kernel`` x ``kernel`` taps; x standardised over its channels first if ``eps``."""
        x, c = _standardised(x, eps), x.shape[3]
        if kernel == stride and not padding:
            x = x[:, : x.shape[1] // stride * stride, : x.shape[2] // stride * stride]
            x = x.unflatten(2, (-1, stride)).unflatten(1, (-1, stride)).transpose(2, 3).flatten(3)
            return functional.linear(x, weights.weight, weights.bias)
        weight = weights.weight.unflatten(1, (kernel, kernel, c)).permute(0, 3, 1, 2)
        y = functional.conv2d(x.permute(0, 3, 1, 2), weight, weights.bias, stride=stride, padding=padding)
        return y.permute(0, 2, 3, 1).contiguous()

    def layer_norm(self, x: Tensor, weights: Weights) -> Tensor:
        """LayerNorm over channels; x may be overwritten with the result."""
        return functional.layer_norm(x, x.shape[3:], weights.weight, weights.bias, weights.eps)

    def depthwise_gelu_linear(self, x: Tensor, depthwise: Weights, dense: Weights, residual: Tensor) -> Tensor:
        """linear(gelu(depthwise 3x3 convolution of x)) + residual; ``residual`` may be overwritten."""
        c = x.shape[3]
        weight = depthwise.weight.T.reshape(c, 1, 3, 3)
        y = functional.conv2d(x.permute(0, 3, 1, 2), weight, depthwise.bias, padding=1, groups=c)
        return self.linear(functional.gelu(y.permute(0, 2, 3, 1)), dense, residual=residual)

    def attention(self, query: Tensor, key_value: Tensor, heads: int, residual: Tensor | None = None) -> Tensor:
        """softmax(q k^T) v per head + residual; query (B, H, W, C), key_value (B, h, w, 2 C). q holds 1 / sqrt(d)."""
        c = query.shape[3]
        q = query.flatten(1, 2).unflatten(2, (heads, c // heads)).transpose(1, 2)
        k, v = key_value.flatten(1, 2).unflatten(2, (2, heads, c // heads)).permute(2, 0, 3, 1, 4)
        y = functional.scaled_dot_product_attention(q, k, v, scale=1.0).transpose(1, 2).reshape(query.shape)
        return y if residual is None else y + residual

    def pool(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and maximum over all pixels, (B, C) each."""
        return x.mean((1, 2)), x.amax((1, 2))

    def exchange(
        self, x1: Tensor, x2: Tensor, gate: Tensor, channels: Tensor, spatial: Weights
    ) -> tuple[Tensor, Tensor]:
        """IGM-Att's exchange; ``gate`` (B, H, W, C), ``channels`` (B, 2 C): weights of x1, then of x2."""
        maps = [reduced for x in (x1, x2) for reduced in (x.mean(3, keepdim=True), x.amax(3, keepdim=True))]
        hidden = torch.relu(functional.linear(torch.cat(maps, 3), spatial.weight1, spatial.bias1))
        spatial1, spatial2 = torch.sigmoid(functional.linear(hidden, spatial.weight2, spatial.bias2)).chunk(2, 3)
        channels1, channels2 = channels[:, None, None].chunk(2, 3)
        return x1 + (1 - gate) * channels2 * spatial2 * x2, x2 + gate * channels1 * spatial1 * x1

    def decode(self, finest: Tensor, scale: Weights, coarse: list[Tensor], classes: Weights) -> Tensor:
        """Logits (B, H, W, classes) from the finest scale (B, H, W, C) and the mixed coarse ones (B, h, w, width)."""
        mixed = self.linear(finest, scale)
        for x in coarse:
            mixed = mixed + self.upsampled(x, (mixed.shape[1], mixed.shape[2]))
        return self.linear(torch.relu(mixed), classes)

    def area_average(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        """(B, H, W, C) to (B, h, w, C), see ``mrfs_ros.network.area_average``."""
        return area_average(x.permute(0, 3, 1, 2), size).permute(0, 2, 3, 1)

    def upsampled(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        """Bilinear, pixel centres at halves: (B, h, w, C) to (B, H, W, C)."""
        x = functional.interpolate(x.permute(0, 3, 1, 2), size=size, mode="bilinear", align_corners=False)
        return x.permute(0, 2, 3, 1)

    def labels(self, logits: Tensor, size: tuple[int, int]) -> Tensor:
        """Class of the highest logit after upsampling, (B, H, W) uint8."""
        return self.upsampled(logits, size).argmax(3).to(torch.uint8)

    def confident_labels(self, logits: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """``labels``, and the softmax probability of each [1/255], rounded to the nearest, (B, H, W) uint8."""
        upsampled = self.upsampled(logits, size).float()
        highest, classes = upsampled.max(3, keepdim=True)
        probability = 1 / (upsampled - highest).exp().sum(3)
        return classes[..., 0].to(torch.uint8), to_bytes(probability)

    def fuse(self, scales: list[Tensor], rgb: Tensor, thermal: Tensor, weights: Weights) -> Tensor:
        """The fused image (B, H, W, 3) in (0, 1) from each scale's nine taps (B, h, w, 9 * 16) and both images."""
        images = torch.cat((rgb, thermal), dim=3).permute(0, 3, 1, 2)
        kernel = weights.taps.permute(1, 2, 0).unflatten(2, (3, 3))
        total = functional.conv2d(images, kernel, weights.bias, padding=1).permute(0, 2, 3, 1)
        size = (rgb.shape[1], rgb.shape[2])
        for taps in scales:
            rows = self.upsampled(
                taps, (size[0], taps.shape[2])
            )  # one axis at a time: three taps are gone after the first
            total = total + _sum_of_taps(self.upsampled(_sum_of_taps(rows, 1), size), 2)
        hidden = torch.relu(total)
        return torch.sigmoid(functional.linear(hidden, weights.weight, weights.last_bias))


def from_bytes(images: Tensor) -> Tensor:
    """uint8 pixels of any shape as float32 in [0, 1]."""
    return images.float().div(255)


def to_bytes(x: Tensor) -> Tensor:
    """Numbers in [0, 1] of any shape as uint8 pixels, rounded to the nearest."""
    return x.float().mul(255).round().to(torch.uint8)


def _standardised(x: Tensor, eps: float | None) -> Tensor:
    return x if eps is None else functional.layer_norm(x, x.shape[3:], eps=eps)


def _sum_of_taps(x: Tensor, axis: int) -> Tensor:
    """Channels hold the taps -1, 0, 1 along ``axis``, one after the other: shift each by its offset, zeros beyond."""
    before, here, after = x.chunk(3, dim=3)
    padding = (0, 0, 0, 0) if axis == 1 else (0, 0)
    end = x.shape[axis] - 1
    first = functional.pad(before.narrow(axis, 0, end), (*padding, 1, 0))
    return first + here + functional.pad(after.narrow(axis, 1, end), (*padding, 0, 1))
