"""From images to results: what is warped where, batches, black pairs to warm up with."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from stub_engine import StubEngine
from warps import shifted

from mrfs_ros.config import NodeConfig
from mrfs_ros.engine.base import BaseEngine
from mrfs_ros.engine.intake import Intake, PairImages, answers
from mrfs_ros.engine.protocol import EngineInfo, RegisteringEngine, check_registered
from mrfs_ros.errors import ImageError
from mrfs_ros.sensing.warp import Warp
from mrfs_ros.types import MFNET, UNLABELLED

SIZE, THERMAL_SIZE = (48, 64), (40, 50)
HOMOGRAPHY = """kind: homography
thermal_size: [40, 50]
rgb_size: [48, 64]
matrix: [[1.0, 0.0, 4.0], [0.0, 1.0, 3.0], [0.0, 0.0, 1.0]]
"""


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


def pairs(count: int, warp: Warp | None) -> list[PairImages]:
    rng = np.random.default_rng(count)
    size = SIZE if warp is None else THERMAL_SIZE
    return [
        PairImages(rng.integers(0, 256, (*SIZE, 3), np.uint8), rng.integers(0, 256, size, np.uint8), warp)
        for _ in range(count)
    ]


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("warp", [None, shifted(SIZE, THERMAL_SIZE)], ids=["aligned", "registered"])
def test_an_engine_that_registers_gives_the_bytes_of_one_that_does_not(count, warp):
    given = pairs(count, warp)
    engine = OnItsDevice()
    expected, results = answers(StubEngine(), given), answers(engine, given)
    for mine, other in zip(expected, results):
        assert (mine.fused == other.fused).all() and (mine.labels == other.labels).all()
    assert engine.got == [((count, *given[0].grey.shape), warp)]


def test_who_can_register():
    assert isinstance(OnItsDevice(), RegisteringEngine)
    assert not isinstance(StubEngine(), RegisteringEngine)


def test_thermal_is_warped_when_asked_for_and_once():
    (pair,) = pairs(1, shifted(SIZE, THERMAL_SIZE))
    assert "warped" not in vars(pair)
    assert pair.thermal is pair.thermal
    assert (pair.thermal == pair.warp(pair.grey)).all()
    assert pair.valid is pair.warp.valid
    (aligned,) = pairs(1, None)
    assert aligned.thermal is aligned.grey and aligned.valid is None


def test_one_kind_is_one_warp_and_one_size():
    warp = shifted(SIZE, THERMAL_SIZE)
    first, second = pairs(2, warp)
    assert first.kind == second.kind
    assert first.kind != PairImages(first.rgb, first.grey, shifted(SIZE, THERMAL_SIZE, 5.0)).kind
    assert first.kind != pairs(1, None)[0].kind


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


def test_black_pairs_are_registered_as_the_cameras_are(tmp_path):
    (tmp_path / "calib.yaml").write_text(HOMOGRAPHY)
    calibrated = NodeConfig(calibration=str(tmp_path / "calib.yaml"))
    intake = Intake(calibrated, print)
    (pair,) = intake.black(SIZE)
    assert pair.rgb.shape == (*SIZE, 3) and pair.grey.shape == THERMAL_SIZE and pair.thermal.shape == SIZE
    assert not pair.valid.all()
    (other,) = intake.black((48, 100))  # not these cameras' aspect
    assert other.warp is None and other.thermal.shape == (48, 100)
    (plain,) = Intake(NodeConfig(), print).black(SIZE)
    assert plain.warp is None and plain.thermal.shape == SIZE
    registered, aligned = Intake(replace(calibrated, on_missing="rgb_only"), print).black(SIZE)
    assert registered.warp is not None and aligned.warp is None and aligned.thermal.shape == SIZE
