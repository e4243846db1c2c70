"""Inference on pairs: the same bytes wherever the warp is done, alone and in batches."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from stub_engine import StubEngine
from warps import HOMOGRAPHY, SIZE, THERMAL_SIZE, pairs, shifted

from mrfs_ros.camera.thermal_window import ThermalWindow
from mrfs_ros.config import NodeConfig
from mrfs_ros.engine.base import BaseEngine
from mrfs_ros.engine.protocol import EngineInfo, RegisteringEngine, check_registered
from mrfs_ros.errors import ConfigError, ImageError
from mrfs_ros.geometry.registration import load_registration
from mrfs_ros.preprocess import PairImages, Preprocessor
from mrfs_ros.process import CameraPair, prepare, process_pairs
from mrfs_ros.types import MFNET, UNLABELLED


class OnItsDevice(BaseEngine):
    """A stand-in for an engine on a GPU, with the stub's answers; notes what reached it."""

    def __init__(self):
        super().__init__(EngineInfo("stub", "cpu", "mit_b0", MFNET, "stub weights"))
        self.got = []

    def _run(self, rgb, thermal, confidence, warp=None):
        self.got.append((thermal.shape, warp))
        if warp is None:
            return (rgb, thermal // 32, 255 - thermal)[: 3 if confidence else 2]
        warped = np.stack([warp(one) for one in thermal])
        labels = np.where(warp.valid, warped // 32, UNLABELLED).astype(np.uint8)
        return (rgb, labels, (255 - warped) * warp.valid)[: 3 if confidence else 2]

    def registered(self, rgb, thermal, warp, *, confidence=False):
        check_registered(rgb, thermal, warp)
        return self._guarded(self._run, rgb, thermal, confidence, warp)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("warp", [None, shifted(SIZE, THERMAL_SIZE)], ids=["aligned", "registered"])
def test_an_engine_that_registers_gives_the_bytes_of_one_that_does_not(count, warp):
    given = pairs(count, warp)
    engine = OnItsDevice()
    expected, results = process_pairs(StubEngine(), given), process_pairs(engine, given)
    for mine, other, pair in zip(expected, results, given):
        assert mine.images is other.images is pair
        assert (mine.result.fused == other.result.fused).all() and (mine.result.labels == other.result.labels).all()
        assert mine.result.confidence is None
    assert engine.got == [((count, *given[0].grey.shape), warp)]


@pytest.mark.parametrize("engine", [StubEngine, OnItsDevice])
@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("warp", [None, shifted(SIZE, THERMAL_SIZE)], ids=["aligned", "registered"])
def test_classes_that_are_not_probable_enough_are_none(engine, count, warp):
    given = pairs(count, warp)
    plain = process_pairs(engine(), given, confidence=True)
    for done, pair in zip(plain, given):
        seen = np.ones(SIZE, bool) if warp is None else warp.valid
        assert (done.result.confidence == np.where(seen, 255 - pair.thermal, 0)).all()
    for least in (0.2, 0.5, 1.0):
        for done, before in zip(process_pairs(engine(), given, min_confidence=least), plain):
            expected = np.where(before.result.confidence / 255 < least, UNLABELLED, before.result.labels)
            assert (done.result.labels == expected).all() and (expected == UNLABELLED).any()
            assert (done.result.fused == before.result.fused).all()


class WithoutConfidence:
    """A stand-in for an engine of a team's own, as ``Engine`` asks for it."""

    info = StubEngine().info

    def __call__(self, rgb, thermal):
        return StubEngine()(rgb, thermal)


def test_an_engine_without_confidence_goes_on_without_and_is_told_with():
    given = pairs(1, None)
    assert process_pairs(WithoutConfidence(), given)[0].result.confidence is None
    for asked in ({"confidence": True}, {"min_confidence": 0.1}):
        with pytest.raises(ConfigError, match=r"confidence: stub .* gives none: expected .* min_confidence: 0"):
            process_pairs(WithoutConfidence(), given, **asked)


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


def message(pixels: np.ndarray, encoding: str, stamp_s: int = 1) -> SimpleNamespace:
    return SimpleNamespace(
        header=SimpleNamespace(stamp=SimpleNamespace(sec=stamp_s, nanosec=0), frame_id=""), height=pixels.shape[0],
        width=pixels.shape[1], encoding=encoding, step=pixels.strides[0], data=pixels.tobytes(), is_bigendian=0,
    )  # fmt: skip


def test_messages_go_through_check_window_and_registration(tmp_path):
    """Step by step, ahead and all at once: one result."""
    (tmp_path / "calib.yaml").write_text(HOMOGRAPHY)
    config = NodeConfig(calibration=str(tmp_path / "calib.yaml"), thermal_window="percentile")
    (pair,) = pairs(1, shifted(SIZE, THERMAL_SIZE))
    counts = pair.grey.astype(np.uint16) * 20 + 7000
    rgb, thermal = message(pair.rgb, "rgb8"), message(counts, "mono16")
    [(images, result)] = process_pairs(StubEngine(), [CameraPair(Preprocessor(config, print), rgb, thermal)])
    grey = ThermalWindow(config).grey(counts, 10**9)
    warped, valid = load_registration(config.calibration).warp(grey, SIZE)
    assert (images.rgb == pair.rgb).all() and (images.grey == grey).all() and images.stamp_ns == 10**9
    assert 0.3 < valid.mean() < 1 and (result.labels == np.where(valid, warped // 32, UNLABELLED)).all()
    ahead = prepare(CameraPair(Preprocessor(config, print), rgb, thermal, grey))
    assert (process_pairs(StubEngine(), [ahead])[0].result.labels == result.labels).all()
    with pytest.raises(ImageError, match="made for"):
        process_pairs(StubEngine(), [CameraPair(Preprocessor(config, print), rgb, message(counts[:20], "mono16"))])


@pytest.mark.parametrize("there", ["rgb", "thermal"])
def test_a_camera_that_is_missing_is_black(there):
    (pair,) = pairs(1, None)
    rgb = message(pair.rgb, "rgb8") if there == "rgb" else None
    thermal = message(pair.grey, "mono8", 2) if there == "thermal" else None
    [(images, _)] = process_pairs(StubEngine(), [CameraPair(Preprocessor(NodeConfig(), print), rgb, thermal)])
    seen, black = (images.rgb, images.thermal) if there == "rgb" else (images.thermal, images.rgb)
    assert (seen == (pair.rgb if there == "rgb" else pair.grey)).all() and not black.any()
    assert images.stamp_ns == (1 if there == "rgb" else 2) * 10**9


def test_arrays_that_were_warped_before_are_cut_where_nothing_was_seen():
    (pair,) = pairs(1, None)
    seen = np.tile(np.arange(SIZE[1]) < 40, (SIZE[0], 1))
    [(_, result)] = process_pairs(StubEngine(), [PairImages(pair.rgb, pair.grey, seen=seen)])
    assert (result.labels == np.where(seen, pair.grey // 32, UNLABELLED)).all()
