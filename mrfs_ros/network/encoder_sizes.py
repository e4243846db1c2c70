"""The six Mix-Transformer (SegFormer) sizes that an MRFS encoder comes in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Variant:
    """Shape of one encoder; every tuple has one entry per stage."""

    channels: tuple[int, int, int, int]
    depths: tuple[int, int, int, int]
    heads: tuple[int, int, int, int] = (1, 2, 5, 8)
    sr_ratios: tuple[int, int, int, int] = (8, 4, 2, 1)


_WIDE = (64, 128, 320, 512)
VARIANTS = {
    "mit_b0": Variant((32, 64, 160, 256), (2, 2, 2, 2)),
    "mit_b1": Variant(_WIDE, (2, 2, 2, 2)),
    "mit_b2": Variant(_WIDE, (3, 4, 6, 3)),
    "mit_b3": Variant(_WIDE, (3, 4, 18, 3)),
    "mit_b4": Variant(_WIDE, (3, 8, 27, 3)),
    "mit_b5": Variant(_WIDE, (3, 6, 40, 3)),
}
