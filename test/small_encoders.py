"""Encoders mit_b0 and mit_b1 of a hundredth of their weights; as a program, ``mrfs`` with them."""

from __future__ import annotations

import sys

from mrfs_ros.network.encoder_sizes import VARIANTS, Variant

SMALL = {
    name: Variant((8 * width, 8 * width, 10 * width, 16 * width), (1, 1, 1, 1))
    for name, width in (("mit_b0", 1), ("mit_b1", 2))
}

if __name__ == "__main__":
    from mrfs_ros.cli.main import main

    VARIANTS.update(SMALL)
    sys.exit(main())
