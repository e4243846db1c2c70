"""Frame: one pair of a bag together with what the network made of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mrfs_ros.pair_outputs import PairOutputs
from mrfs_ros.types import FusionResult


@dataclass(frozen=True)
class Frame:
    """``index`` counts the chosen pairs from 0, those that could not be answered too.

    A camera that was missing (``on_missing``) is black, its stamp None; ``rgb_stamp_ns`` and ``thermal_stamp_ns`` are
    those that paired. ``stamp_ns`` and ``frame_id`` are those of the results' header, ``log_ns`` is when the message
    that completed the pair was recorded. ``made``: the pair, its result and what is made of them. ``seconds``: what the
    engine took.
    """

    index: int
    stamp_ns: int
    frame_id: str
    rgb_stamp_ns: int | None
    thermal_stamp_ns: int | None
    log_ns: int
    made: PairOutputs
    seconds: float

    @property
    def rgb(self) -> np.ndarray:
        """(H, W, 3) uint8, RGB."""
        return self.made.images.rgb

    @property
    def thermal(self) -> np.ndarray:
        """(H, W) uint8, on the grid of ``rgb``."""
        return self.made.images.thermal

    @property
    def result(self) -> FusionResult:
        return self.made.result
