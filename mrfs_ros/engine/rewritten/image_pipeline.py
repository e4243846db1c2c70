"""The whole path as one module: bytes of the cameras in, bytes of the messages out."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mrfs_ros.engine.operators import Operators
from mrfs_ros.engine.operators.plain import from_bytes, to_bytes
from mrfs_ros.engine.rewritten.network import RewrittenMRFS
from mrfs_ros.engine.temporal_smoothing import Average, smoothed
from mrfs_ros.network import MRFS
from mrfs_ros.network.attention import Size


class Pipeline(nn.Module):
    """``rgb`` (B, H, W, 3) and ``thermal`` (B, H, W), uint8, to fused (B, H, W, 3) RGB and labels (B, H, W), uint8.

    ``dtype``: what the network computes in; normalisation and rounding are float32. ``encoder_size``: as for ``MRFS``.
    """

    def __init__(self, network: MRFS, operators: Operators, dtype: torch.dtype = torch.float32):
        super().__init__()
        self.network = RewrittenMRFS(network, operators).to(dtype)
        self.operators = operators
        self.dtype = dtype

    def forward(
        self,
        rgb: Tensor,
        thermal: Tensor,
        encoder_size: Size | None = None,
        average: Average | None = None,
        confidence: bool = False,
    ) -> tuple[Tensor, ...]:
        """``average``: of the logits so far, which goes on with these pairs; None = no temporal smoothing.

        ``confidence``: give the labels' softmax probabilities too, (B, H, W) uint8, 255 = certain.
        """
        images = (from_bytes(x).to(self.dtype) for x in (rgb, thermal[..., None]))
        logits, fused = self.network(*images, encoder_size)
        if average is not None:
            logits = smoothed(logits, average)
        size = rgb.shape[1], rgb.shape[2]
        if confidence:
            return to_bytes(fused), *self.operators.confident_labels(logits, size)
        return to_bytes(fused), self.operators.labels(logits, size)
