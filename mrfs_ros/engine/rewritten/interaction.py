"""IGM-Att and PC-Att, or what a variant of the network has in their places, on (B, H, W, C) maps."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor, nn

from mrfs_ros.engine.operators import Operators
from mrfs_ros.engine.rewritten.folded_attention import FoldedAttention
from mrfs_ros.engine.rewritten.folding import Affine, affine, chain, identity
from mrfs_ros.network.igm_att import InteractiveGatedMixedAttention
from mrfs_ros.network.pc_att import ProgressiveCycleAttention


class FoldedExchange(nn.Module):
    """IGM-Att: x1 (rgb) and x2 (thermal) to y1 and y2."""

    def __init__(self, operators: Operators, trained: InteractiveGatedMixedAttention):
        super().__init__()
        self.operators = operators
        first, _, second, _ = trained.gate
        hidden = affine(first)
        own, other = hidden.weight.chunk(2, dim=1)
        self.hidden1 = operators.dense(Affine(own, hidden.bias))
        self.hidden2 = operators.dense(Affine(other, torch.zeros_like(hidden.bias)))
        self.gate = operators.dense(affine(second))
        self.channels = deepcopy(trained.MA.ca_gate.mlp)
        self.spatial = operators.spatial_gate(trained.MA.sa_gate.mlp)

    def forward(self, x1: Tensor, x2: Tensor) -> tuple[Tensor, Tensor]:
        run = self.operators
        hidden = run.linear(x2, self.hidden2, residual=run.linear(x1, self.hidden1), activation="relu")
        gate = run.linear(hidden, self.gate, activation="sigmoid")
        means, maxima = zip(run.pool(x1), run.pool(x2))
        channels = torch.sigmoid(self.channels(torch.cat(means, 1)) + self.channels(torch.cat(maxima, 1)))
        return run.exchange(x1, x2, gate, channels, self.spatial)


class FoldedCycle(nn.Module):
    """PC-Att up to its last two Linears, which ``output`` holds for whoever comes next.

    The output Linear of the third attention feeds nothing but the reduction of the fourth, and is in that.
    """

    def __init__(self, operators: Operators, trained: ProgressiveCycleAttention):
        super().__init__()
        self.operators = operators
        self1, cross1, self2, cross2 = trained.SA_x1, trained.CA_x1toX2, trained.SA_x2, trained.CA_x2toX1
        self.attend1 = FoldedAttention(operators, self1, self1.q, self1.kv)
        self.project1 = operators.dense(affine(self1.proj))
        self.attend2 = FoldedAttention(operators, cross1, cross1.q1, cross1.kv2)
        self.project2 = operators.dense(affine(cross1.proj))
        self.attend3 = FoldedAttention(operators, self2, self2.q, self2.kv)
        self.attend4 = FoldedAttention(operators, cross2, cross2.q1, cross2.kv2, before_keys=affine(self2.proj))
        self.output = chain(affine(cross2.proj), affine(trained.proj))

    def forward(self, y1: Tensor, y2: Tensor) -> Tensor:
        run = self.operators
        rgb = run.linear(self.attend1(y1, y1, y1), self.project1)
        both = run.linear(self.attend2(y2, rgb, y2), self.project2)
        both = self.attend3(both, both, both)
        return self.attend4(rgb, both, rgb)


class TrainedExchange(nn.Module):
    """What stands in IGM-Att's place in a variant, as it was trained."""

    def __init__(self, trained: nn.Module):
        super().__init__()
        self.trained = deepcopy(trained)

    def forward(self, x1: Tensor, x2: Tensor) -> tuple[Tensor, Tensor]:
        y1, y2 = self.trained(_channels_first(x1), _channels_first(x2))
        return _channels_last(y1), _channels_last(y2)


class TrainedCycle(nn.Module):
    """What stands in PC-Att's place in a variant, as it was trained; the Linear ``output`` changes nothing."""

    def __init__(self, trained: nn.Module, channels: int):
        super().__init__()
        self.trained = deepcopy(trained)
        self.output = identity(channels)

    def forward(self, y1: Tensor, y2: Tensor) -> Tensor:
        return _channels_last(self.trained(_channels_first(y1), _channels_first(y2)))


def folded_exchange(operators: Operators, trained: nn.Module) -> nn.Module:
    """``trained`` (x1 and x2 to y1 and y2), rewritten if it is IGM-Att."""
    if isinstance(trained, InteractiveGatedMixedAttention):
        return FoldedExchange(operators, trained)
    return TrainedExchange(trained)


def folded_cycle(operators: Operators, trained: nn.Module, channels: int) -> nn.Module:
    """``trained`` (y1 and y2 to semantic) up to the Linear ``output``, rewritten if it is PC-Att."""
    if isinstance(trained, ProgressiveCycleAttention):
        return FoldedCycle(operators, trained)
    return TrainedCycle(trained, channels)


def _channels_first(x: Tensor) -> Tensor:
    return x.permute(0, 3, 1, 2).contiguous()


def _channels_last(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1).contiguous()
