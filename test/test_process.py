"""Inference on pairs: the same bytes wherever the warp is done, alone and in batches."""

from __future__ import annotations

import numpy as np
import pytest
from stub_engine import StubEngine
from warps import SIZE, THERMAL_SIZE, pairs, shifted

from mrfs_ros.engine.base import BaseEngine
from mrfs_ros.engine.protocol import EngineInfo, RegisteringEngine, check_registered
from mrfs_ros.errors import ImageError
from mrfs_ros.process import process_pairs
from mrfs_ros.types import MFNET, UNLABELLED


class OnItsDevice(BaseEngine):
    """A stand-in for an engine on a GPU, with the stub's answers; notes what reached it."""

    def __init__(self):
        super().__init__(EngineInfo("stub", "cpu", "mit_b0", MFNET, "stub weights"))
        self.got = []

    def _run(self, rgb, thermal, warp=None):
        self.got.append((thermal.shape, warp))
        if warp is None:
            return rgb, thermal // 32
        labels = np.stack([np.where(warp.valid, warp(one) // 32, UNLABELLED).astype(np.uint8) for one in thermal])
        return rgb, labels

    def registered(self, rgb, thermal, warp):
        check_registered(rgb, thermal, warp)
        return self._guarded(self._run, rgb, thermal, warp)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("warp", [None, shifted(SIZE, THERMAL_SIZE)], ids=["aligned", "registered"])
def test_an_engine_that_registers_gives_the_bytes_of_one_that_does_not(count, warp):
    given = pairs(count, warp)
    engine = OnItsDevice()
    expected, results = process_pairs(StubEngine(), given), process_pairs(engine, given)
    for mine, other in zip(expected, results):
        assert (mine.fused == other.fused).all() and (mine.labels == other.labels).all()
    assert engine.got == [((count, *given[0].grey.shape), warp)]


def test_who_can_register():
    assert isinstance(OnItsDevice(), RegisteringEngine)
    assert not isinstance(StubEngine(), RegisteringEngine)


@pytest.mark.parametrize(
    "rgb, thermal",
    [
        (np.zeros((1, *SIZE, 3), np.uint8), np.zeros((1, 41, 50), np.uint8)),
        (np.zeros((1, *SIZE, 3), np.uint8), np.zeros((1, *THERMAL_SIZE), np.uint16)),
        (np.zeros((1, 40, 64, 3), np.uint8), np.zeros((1, *THERMAL_SIZE), np.uint8)),
        (np.zeros((2, *SIZE, 3), np.uint8), np.zeros((1, *THERMAL_SIZE), np.uint8)),
        (np.zeros((1, *SIZE, 3), np.uint8), np.zeros(THERMAL_SIZE, np.uint8)),
    ],
)
def test_pairs_that_do_not_fit_the_warp_are_refused(rgb, thermal):
    with pytest.raises(ImageError, match="expected"):
        OnItsDevice().registered(rgb, thermal, shifted(SIZE, THERMAL_SIZE))
