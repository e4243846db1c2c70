"""Advice for cameras whose stamps are too far apart to pair: the node's sentence, which bags say too."""

from __future__ import annotations

CLOCKS_DIFFER_S = 10.0  # more than any parameter corrects


def stamp_advice(gap_s: float, slop_s: float) -> str:
    """How far apart the nearest stamps are, ``gap_s`` (thermal minus rgb), and what to change."""
    return f"The nearest stamps are {abs(gap_s):.4f} s apart, slop_s is {slop_s:g}: {stamp_remedy(gap_s)}"


def stamp_remedy(gap_s: float) -> str:
    """What to change when the nearest stamps lie ``gap_s`` apart (thermal minus rgb), too far for slop_s."""
    if abs(gap_s) > CLOCKS_DIFFER_S:
        return "the cameras' clocks differ: synchronize them, or stamp both with the same clock"
    return f"set slop_s above {abs(gap_s):.4f}, or thermal_time_offset_s: {-gap_s:.4f} if the gap is constant"
