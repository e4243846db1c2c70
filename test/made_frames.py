"""Frames of a bag that cost nothing: small pictures, different for each index, and what a journal says of them."""

from __future__ import annotations

import numpy as np

from mrfs_ros.bag.frame import Frame
from mrfs_ros.bag.journal import Entry
from mrfs_ros.config import NodeConfig
from mrfs_ros.engine.protocol import EngineInfo
from mrfs_ros.pair_outputs import PairOutputs
from mrfs_ros.preprocess import PairImages
from mrfs_ros.types import MFNET, UNLABELLED, FusionResult

INFO = EngineInfo("stub", "cpu", "mit_b0", MFNET, "stub weights")
START_NS = 1_700_000_000_123_456_789
STEP_NS = 33_333_333


def made_frame(index: int, height: int = 48, width: int = 64) -> Frame:
    """Smooth pictures, a patch of one class on background, an unlabelled first row."""
    rows, columns = np.mgrid[:height, :width]
    grey = ((rows + columns + index) % 256).astype(np.uint8)
    labels = np.zeros((height, width), np.uint8)
    labels[10:30, index % 30 : index % 30 + 20] = 1 + index % 8
    labels[0] = UNLABELLED
    stamp = START_NS + index * STEP_NS
    colour = np.stack((grey, grey, 255 - grey), axis=2)
    result = FusionResult(np.repeat(grey[:, :, None], 3, axis=2), labels)
    made = PairOutputs(PairImages(colour, grey), result, INFO, NodeConfig(), lambda: None)
    return Frame(index, stamp, "camera", stamp, stamp + 4_000_000, stamp + 9_000_000, made, 0.02)


def made_entry(index: int, **changes: object) -> Entry:
    """The journal's line of ``made_frame(index)``, of 9 classes."""
    frame = made_frame(index)
    counts = np.bincount(frame.result.labels.ravel(), minlength=256)
    shares = tuple(float(c) / frame.result.labels.size for c in (*counts[:9], counts[UNLABELLED]))
    values = {
        "index": index,
        "stamp_ns": frame.stamp_ns,
        "rgb_stamp_ns": frame.rgb_stamp_ns,
        "thermal_stamp_ns": frame.thermal_stamp_ns,
        "log_ns": frame.log_ns,
        "seconds": 0.02 + 0.001 * (index % 7),
        "shares": shares,
        "metrics": {"EN": 6.5 + index % 5 / 10, "SD": 40.0 + index % 9, "SF": 9.0, "AG": 3.0},
    }
    return Entry(**{**values, **changes})
