"""The rewritten network against the paper's graph on one batch."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from mrfs_ros.engine.rewritten import RewrittenMRFS
from mrfs_ros.network import MRFS

LOGITS, FUSED = 3e-5, 3e-6  # four times what float32 was measured to lose


def images(*shape: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """rgb (B, H, W, 3) and thermal (B, H, W, 1) in [0, 1]."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(*shape, 3, generator=generator), torch.rand(*shape, 1, generator=generator)


def first(x: Tensor) -> Tensor:
    """(B, H, W, C) as the paper's graph has it, channels first."""
    return x.permute(0, 3, 1, 2)


class Differences(NamedTuple):
    """Between the rewritten network and the paper's graph on one batch."""

    logits: float  # largest, absolute
    fused: float  # largest, absolute
    lead: float  # how much higher than its label's logit a pixel's highest is, at most
    same_labels: float  # share of the pixels

    @property
    def are_rounding(self) -> bool:
        return self.logits <= LOGITS and self.fused <= FUSED and self.lead <= 2 * LOGITS and self.same_labels > 0.999


def differences(network: MRFS, rewritten: RewrittenMRFS, rgb: Tensor, thermal: Tensor) -> Differences:
    size = (rgb.shape[1], rgb.shape[2])
    with torch.no_grad():
        expected = network(first(rgb), first(thermal))
        logits, fused = rewritten(rgb, thermal)
    assert logits.shape[1:3] == tuple(-(-n // 4) for n in size)
    assert fused.shape == rgb.shape
    labels = rewritten.operators.labels(logits, size)
    assert len(labels.unique()) > 1
    lead = expected.logits.amax(1) - expected.logits.gather(1, labels[:, None].long())[:, 0]
    return Differences(
        (first(rewritten.operators.upsampled(logits, size)) - expected.logits).abs().max().item(),
        (first(fused) - expected.fused).abs().max().item(),
        lead.max().item(),
        (labels == expected.logits.argmax(1)).double().mean().item(),
    )
