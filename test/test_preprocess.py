"""Preprocessing: pairs warped once and when asked for, and black pairs to warm up with."""

from __future__ import annotations

from dataclasses import replace

from warps import SIZE, THERMAL_SIZE, pairs, shifted

from mrfs_ros.config import NodeConfig
from mrfs_ros.preprocess import PairImages, Preprocessor

HOMOGRAPHY = """kind: homography
thermal_size: [40, 50]
rgb_size: [48, 64]
matrix: [[1.0, 0.0, 4.0], [0.0, 1.0, 3.0], [0.0, 0.0, 1.0]]
"""


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


def test_black_pairs_are_registered_as_the_cameras_are(tmp_path):
    (tmp_path / "calib.yaml").write_text(HOMOGRAPHY)
    calibrated = NodeConfig(calibration=str(tmp_path / "calib.yaml"))
    preprocessor = Preprocessor(calibrated, print)
    (pair,) = preprocessor.black(SIZE)
    assert pair.rgb.shape == (*SIZE, 3) and pair.grey.shape == THERMAL_SIZE and pair.thermal.shape == SIZE
    assert not pair.valid.all()
    (other,) = preprocessor.black((48, 100))  # not these cameras' aspect
    assert other.warp is None and other.thermal.shape == (48, 100)
    (plain,) = Preprocessor(NodeConfig(), print).black(SIZE)
    assert plain.warp is None and plain.thermal.shape == SIZE
    registered, aligned = Preprocessor(replace(calibrated, on_missing="rgb_only"), print).black(SIZE)
    assert registered.warp is not None and aligned.warp is None and aligned.thermal.shape == SIZE
