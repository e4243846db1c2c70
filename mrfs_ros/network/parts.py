"""Parts of the network that can be trained apart: encoders with their attentions, and each head."""

from __future__ import annotations

PARTS = {"encoders": "backbone", "segmentation_head": "decode_head", "fusion_head": "aux_head"}
"""Name of a part -> name of its module in ``MRFS``."""
