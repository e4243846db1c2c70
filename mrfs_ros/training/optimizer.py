"""AdamW with no weight decay where it hurts, the learning rate's course, and the average of the weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from mrfs_ros.network import MRFS

NO_DECAY_AXES = 1  # biases and the scales of norms have one axis


def adamw(network: MRFS, rate: float, weight_decay: float, head_rate: float = 1.0) -> torch.optim.AdamW:
    """AdamW (betas 0.9, 0.999), weight decay on matrices and kernels only, heads ``head_rate`` times as fast.

    Each parameter group's full rate is under ``full_rate``; see ``set_rate``.
    """
    groups = []
    for part, full_rate in (
        (network.backbone, rate),
        (network.decode_head, rate * head_rate),
        (network.aux_head, rate * head_rate),
    ):
        for decay, wanted in ((weight_decay, True), (0.0, False)):
            parameters = [p for p in part.parameters() if p.requires_grad and (p.ndim > NO_DECAY_AXES) == wanted]
            if not parameters:
                continue  # a part that does not learn
            groups.append({"params": parameters, "weight_decay": decay, "lr": full_rate, "full_rate": full_rate})
    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.999), fused=True)


def set_rate(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Set every group's learning rate to ``factor`` times its full one."""
    for group in optimizer.param_groups:
        group["lr"] = group["full_rate"] * factor


def rate_factor(step: int, warmup: int, progress: float, power: float) -> float:
    """Share of the full learning rate: linear over ``warmup`` steps, times (1 - progress) to the power ``power``.

    ``progress``: share of the run that is over, 0 to 1.
    """
    rise = min(1.0, (step + 1) / warmup) if warmup else 1.0
    return rise * (1 - min(1.0, progress)) ** power


def averaged(network: nn.Module, decay: float) -> AveragedModel:
    """An exponential moving average of weights and buffers; young averages forget faster, so that they start sane."""

    def update(averages: list[Tensor], currents: list[Tensor], count: Tensor | int) -> None:
        share = 1 - min(decay, (1 + int(count)) / (10 + int(count)))
        if averages[0].is_floating_point():
            torch._foreach_lerp_(averages, currents, share)
        else:
            torch._foreach_copy_(averages, currents)

    return AveragedModel(network, multi_avg_fn=update, use_buffers=True)
