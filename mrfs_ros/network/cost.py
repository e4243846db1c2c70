"""Cost of a network: parameters, and multiply-adds of one pair."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from mrfs_ros.config import NetworkConfig
from mrfs_ros.network.mrfs import MRFS


@dataclass(frozen=True)
class Cost:
    """``parameters``: how many there are to learn. ``multiply_adds``: of matrix products and convolutions, one pair."""

    parameters: int
    multiply_adds: int


def network_cost(config: NetworkConfig, height: int = 480, width: int = 640) -> Cost:
    """Count a network's cost at an image size, as the paper's graph computes it; nothing is computed for that."""
    from torch.utils.flop_counter import FlopCounterMode  # imports much

    with torch.device("meta"):
        network = MRFS(config).eval()
        rgb, thermal = torch.empty(1, 3, height, width), torch.empty(1, 1, height, width)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(rgb, thermal)
    return Cost(sum(p.numel() for p in network.parameters()), counter.get_total_flops() // 2)
