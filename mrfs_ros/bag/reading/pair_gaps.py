"""Pairs that are a frame apart: slop_s above half the cameras' period, and an image was lost."""

from __future__ import annotations

import numpy as np

from mrfs_ros.bag.reading.image_index import ImageIndex
from mrfs_ros.bag.reading.matching import NONE, Matches
from mrfs_ros.config import NodeConfig
from mrfs_ros.types import RGB, THERMAL

_WIDE = 0.57  # of a period: beyond half of it a nearer image was there or is missing, and some for jitter
_SLOP = 0.525  # of a period: where two images are as near, jitter keeps none from both


def frame_apart(index: ImageIndex, matches: Matches, config: NodeConfig) -> str:
    """A sentence if pairs are further apart than half the slower camera's period; empty if there are none.

    The node pairs so too where slop_s is no less than that: after an image was lost, all that follow; from the start
    on, if the recording begins between the images of a pair.
    """
    rgb, thermal = (np.frombuffer(numbers, np.int64) for numbers in matches.numbers)
    both = (rgb != NONE) & (thermal != NONE)
    period = max(usual_period(np.sort(camera.stamps()[camera.mask()])) for camera in index.cameras)
    if not both.any() or not period:
        return ""
    offset_ns = round(config.thermal_time_offset_s * 1e9)
    first = index.cameras[RGB].stamps()[rgb[both]]
    gaps = np.abs(index.cameras[THERMAL].stamps()[thermal[both]] + offset_ns - first)
    wide = gaps > _WIDE * period
    if not wide.any():
        return ""
    return (
        f"{wide.sum()} of {both.sum()} pairs are a frame apart (such as {gaps[wide][0] / 1e6:.1f} ms, of a period of "
        f"{period / 1e6:.1f} ms): slop_s = {config.slop_s:g} s is too much for these cameras, set it to little more "
        f"than half their period: --slop {_SLOP * period / 1e9:.3g}"
    )


def usual_period(times: np.ndarray) -> float:
    """The usual time between two images [ns]; 0 if there are too few to tell, so that each one counts."""
    steps = np.diff(times)
    steps = steps[steps > 0]
    return float(np.median(steps)) if len(steps) else 0.0
