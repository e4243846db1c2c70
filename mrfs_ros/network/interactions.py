"""The interaction modules by the names of ``NetworkConfig``: the paper's own, and what its ablations put there."""

from __future__ import annotations

from torch import nn

from mrfs_ros.config import SEMANTIC_ATTENTIONS, VISUAL_ATTENTIONS
from mrfs_ros.errors import ConfigError
from mrfs_ros.network.igm_att import InteractiveGatedMixedAttention
from mrfs_ros.network.pc_att import ProgressiveCycleAttention
from mrfs_ros.network.semantic_attentions import ConvolutionCycle, PlainCrossAttention, Sum
from mrfs_ros.network.visual_attentions import NoExchange, PooledExchange, TransformerExchange


def visual_attention(kind: str, channels: int, heads: int, sr_ratio: int) -> nn.Module:
    """A module from x1 (rgb) and x2 (thermal) to y1 and y2, all (B, C, H, W); ConfigError for an unknown ``kind``."""
    match kind:
        case "igm":
            return InteractiveGatedMixedAttention(channels)
        case "pooled":
            return PooledExchange(channels)
        case "transformer":
            return TransformerExchange(channels, heads, sr_ratio)
        case "none":
            return NoExchange()
    raise ConfigError(f"visual_attention: expected one of {', '.join(VISUAL_ATTENTIONS)}, got {kind!r}")


def semantic_attention(kind: str, channels: int, heads: int, sr_ratio: int) -> nn.Module:
    """A module from y1 (rgb) and y2 (thermal) to semantic, all (B, C, H, W); ConfigError for an unknown ``kind``."""
    match kind:
        case "pc":
            return ProgressiveCycleAttention(channels, heads, sr_ratio)
        case "cross":
            return PlainCrossAttention(channels, heads, sr_ratio)
        case "convolution":
            return ConvolutionCycle(channels)
        case "none":
            return Sum()
    raise ConfigError(f"semantic_attention: expected one of {', '.join(SEMANTIC_ATTENTIONS)}, got {kind!r}")
