"""Temporal smoothing of the logits: an exponential average over pairs that follow each other in time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from mrfs_ros.config import MAX_TEMPORAL_SMOOTHING
from mrfs_ros.errors import ConfigError

MAX_GAP_S = 1.0
"""A pair whose stamp is further behind the one before, or before it, starts a new average."""


class Average(NamedTuple):
    """The average of the logits up to a batch, and how the batch goes on with it; both on the engine's device."""

    logits: Tensor  # of one pair, without the batch's dimension; becomes that after the batch
    shares: Tensor  # (B,) float32: of the average before, for each pair; 0 = a new average starts


class TemporalSmoothing:
    """``average[t] = (1 - share) * logits[t] + share * average[t - 1]``.

    It starts anew for logits of another size, and after a jump or a gap of the stamps.

    Args:
        share: of the average before, from above 0 to ``MAX_TEMPORAL_SMOOTHING``; after n pairs, ``share ** n`` of what
            was there before a change is left.

    Raises:
        ConfigError: for another share.
    """

    def __init__(self, share: float):
        if not 0 < share <= MAX_TEMPORAL_SMOOTHING:
            raise ConfigError(f"temporal_smoothing: expected 0 (off) to {MAX_TEMPORAL_SMOOTHING}, got {share}")
        self.share = share
        self._stamps_ns: list[int | None] = []
        self._last_ns: int | None = None
        self._logits: Tensor | None = None

    def follow(self, stamps_ns: Sequence[int | None]) -> None:
        """Take the stamps [ns] of the pairs of the next batch; those without one follow the pair before."""
        self._stamps_ns = list(stamps_ns)

    def average(self, count: int, shape: Sequence[int], device: torch.device) -> Average:
        """What a batch of ``count`` pairs, whose logits have ``shape`` (without the batch's), goes on with."""
        shares = torch.full((count,), self.share)
        if self._logits is None or self._logits.shape != torch.Size(shape):
            self._logits = torch.zeros(*shape, device=device)
            shares[0] = 0
        for i, stamp_ns in enumerate(self._stamps_ns):
            if stamp_ns is None:
                continue
            if self._last_ns is not None and not 0 <= stamp_ns - self._last_ns <= MAX_GAP_S * 1e9:
                shares[i] = 0
            self._last_ns = stamp_ns
        self._stamps_ns = []
        return Average(self._logits, shares.to(device))


def smoothed(logits: Tensor, average: Average) -> Tensor:
    """(B, ...) logits as the running average after each pair; ``average.logits`` becomes that after the last."""
    results = []
    for pair, share in zip(logits, average.shares):
        average.logits.copy_(torch.lerp(pair.float(), average.logits, share))
        results.append(average.logits.clone())
    return torch.stack(results)
