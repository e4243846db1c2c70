"""Image sizes on the command line."""

from __future__ import annotations

import argparse
import re


def pixels(text: str) -> tuple[int, int]:
    """``480x640`` to (480, 640), height and width in pixels; an argument error for anything else."""
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if not match or min(size := (int(match[1]), int(match[2]))) < 32:
        raise argparse.ArgumentTypeError(f"expected HEIGHTxWIDTH from 32x32 up, such as 480x640, got {text!r}")
    return size
