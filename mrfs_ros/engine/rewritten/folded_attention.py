"""Reduced attention with every affine map around it folded into its Linears."""

from __future__ import annotations

from torch import Tensor, nn

from mrfs_ros.engine.operators import Operators
from mrfs_ros.engine.rewritten.folding import Affine, affine, chain, identity, scaled
from mrfs_ros.network.attention import ReducedAttention


class FoldedAttention(nn.Module):
    """softmax(q k^T / sqrt(d)) v without the output Linear: whoever comes next takes that in.

    ``queries``, ``keys``: maps (B, H, W, C), standardised first with ``eps`` if that is given.
    ``before_queries``, ``before_keys``: what the trained network does to either before its Linear sees it.
    """

    def __init__(
        self,
        operators: Operators,
        trained: ReducedAttention,
        query: nn.Linear,
        key_value: nn.Linear,
        *,
        before_queries: Affine | None = None,
        before_keys: Affine | None = None,
        eps: float | None = None,
    ):
        super().__init__()
        channels = query.in_features
        self.operators = operators
        self.heads, self.ratio, self.eps = trained.heads, trained.sr_ratio, eps
        before_queries, before_keys = before_queries or identity(channels), before_keys or identity(channels)
        temperature = (channels // trained.heads) ** -0.5
        self.query = operators.dense(scaled(chain(before_queries, affine(query)), temperature))
        if self.ratio > 1:
            self.reduction = operators.dense(chain(before_keys, affine(trained.sr)))
            self.reduced_eps = trained.norm.eps
            before_keys = affine(trained.norm)
        self.key_value = operators.dense(chain(before_keys, affine(key_value)))

    def forward(self, queries: Tensor, keys: Tensor, residual: Tensor | None = None) -> Tensor:
        """(B, H, W, C), plus ``residual`` of that shape if given."""
        run, eps = self.operators, self.eps
        if self.ratio > 1:
            keys = run.patches(keys, self.reduction, self.ratio, self.ratio, 0, eps)
            eps = self.reduced_eps
        key_value = run.linear(keys, self.key_value, eps=eps)
        return run.attention(run.linear(queries, self.query, eps=self.eps), key_value, self.heads, residual)
