"""Pairs that are a frame apart: slop_s above half the cameras' period, and an image was lost."""

from __future__ import annotations

import numpy as np

from mrfs_ros.bag.image_index import ImageIndex
from mrfs_ros.bag.matching import NONE, Matches
from mrfs_ros.config import NodeConfig
from mrfs_ros.sensing.pair_source import RGB, THERMAL

_NEARER = 0.75  # of a gap: about half a period, where jitter decides, no image is much nearer
_SLOP = 0.525  # of a period: where two images are as near, jitter keeps none from both


def frame_apart(index: ImageIndex, matches: Matches, config: NodeConfig) -> str:
    """A sentence if pairs are further apart than half the slower camera's period while nearer images were recorded.

    The node pairs so too where slop_s is no less than that: after an image was lost, all that follow; from the start
    on, if the recording begins between the images of a pair. Empty if there are none.
    """
    rgb, thermal = (np.frombuffer(numbers, np.int64) for numbers in matches.numbers)
    both = (rgb != NONE) & (thermal != NONE)
    if not both.any():
        return ""
    offset_ns = round(config.thermal_time_offset_s * 1e9)
    times = [np.sort(camera.stamps()[camera.mask()]) + c * offset_ns for c, camera in enumerate(index.cameras)]
    first = index.cameras[RGB].stamps()[rgb[both]]
    second = index.cameras[THERMAL].stamps()[thermal[both]] + offset_ns
    gaps = np.abs(second - first)
    nearest = np.minimum(_distances(first, times[THERMAL]), _distances(second, times[RGB]))
    period = max(map(usual_period, times))
    wide = (gaps > period / 2) & (nearest < _NEARER * gaps)
    if not wide.any():
        return ""
    return (
        f"{wide.sum()} of {both.sum()} pairs are a frame apart (such as {gaps[wide][0] / 1e6:.1f} ms, where images "
        f"{nearest[wide][0] / 1e6:.1f} ms apart were recorded): slop_s = {config.slop_s:g} s is too much for these "
        f"cameras, set it to little more than half their period: --slop {_SLOP * period / 1e9:.3g}"
    )


def _distances(stamps: np.ndarray, others: np.ndarray) -> np.ndarray:
    """How far each stamp is from the nearest of ``others``, which are sorted."""
    places = np.searchsorted(others, stamps)
    before, after = others[np.maximum(places - 1, 0)], others[np.minimum(places, len(others) - 1)]
    return np.minimum(np.abs(stamps - before), np.abs(stamps - after))


def usual_period(times: np.ndarray) -> float:
    """The usual time between two images [ns]; 0 if there are too few to tell, so that each one counts."""
    steps = np.diff(times)
    steps = steps[steps > 0]
    return float(np.median(steps)) if len(steps) else 0.0
