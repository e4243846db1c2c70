"""The paper's evaluation: a window of the training size slid over the image, overlapping outputs averaged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from mrfs_ros.engine.eager import EagerEngine
from mrfs_ros.engine.encoder_side import OWN
from mrfs_ros.engine.protocol import EngineInfo
from mrfs_ros.errors import ConfigError
from mrfs_ros.network.mrfs import MRFS, MRFSOutput
from mrfs_ros.types import MIN_SIDE

STRIDE = 2 / 3
"""Share of the window between two of its positions (released MRFS evaluation)."""


class SlidingWindow(torch.nn.Module):
    """``network`` over windows of ``size`` (H, W), class probabilities and fused pixels averaged where they overlap.

    Images smaller than the window are run whole. In and out as the network, logits being log-probabilities.
    """

    def __init__(self, network: MRFS, size: tuple[int, int]):
        super().__init__()
        if min(size) < MIN_SIDE:
            raise ConfigError(f"window {size[0]}x{size[1]}: expected at least {MIN_SIDE}x{MIN_SIDE} pixels")
        self.network, self.size = network, size

    def forward(self, rgb: Tensor, thermal: Tensor, encoder_size: None = None) -> MRFSOutput:
        assert encoder_size is None, "windows are seen at their own size, as in the paper"
        height, width = rgb.shape[2:]
        probabilities = rgb.new_zeros(rgb.shape[0], self.network.config.num_classes, height, width)
        fused, count = torch.zeros_like(rgb), rgb.new_zeros(1, 1, height, width)
        for top in starts(height, self.size[0]):
            for left in starts(width, self.size[1]):
                window = np.s_[..., top : top + self.size[0], left : left + self.size[1]]
                output = self.network(rgb[window], thermal[window])
                probabilities[window] += functional.softmax(output.logits, dim=1)
                fused[window] += output.fused
                count[window] += 1
        return MRFSOutput((probabilities / count).log(), fused / count)


def starts(length: int, window: int) -> list[int]:
    """First pixels of the windows along one side: ``STRIDE`` apart, the last one flush with the end."""
    if length <= window:
        return [0]
    step = max(1, int(window * STRIDE))
    return [*range(0, length - window, step), length - window]


def sliding_engine(network: MRFS, info: EngineInfo, size: tuple[int, int]) -> EagerEngine:
    """An engine that slides a window of ``size`` (H, W) over every pair; encoders see windows at their own size."""
    return EagerEngine(SlidingWindow(network, size), replace(info, encoder_side=OWN))
