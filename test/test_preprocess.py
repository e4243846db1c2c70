"""Preprocessing: pairs warped once and when asked for, and black pairs to warm up with."""

from __future__ import annotations

from dataclasses import replace

import pytest
from warps import HOMOGRAPHY, SIZE, THERMAL_SIZE, pairs, shifted

from mrfs_ros.config import NodeConfig
from mrfs_ros.geometry import registration
from mrfs_ros.geometry.calibration_file import read_calibration
from mrfs_ros.preprocess import PairImages, Preprocessor

STEREO = """kind: stereo
plane_distance_m: 10.0
thermal: {size: [40, 50], distortion_model: plumb_bob, K: [[50, 0, 24.5], [0, 50, 19.5], [0, 0, 1]], D: []}
rgb: {size: [48, 64], distortion_model: plumb_bob, K: [[60, 0, 31.5], [0, 60, 23.5], [0, 0, 1]], D: []}
R: [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
t: [0.1, 0.0, 0.0]
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


@pytest.mark.parametrize(
    "change, anew", [({"slop_s": 0.2}, False), ({"thermal_rate": 0.5}, False), ({"plane_distance_m": 4.0}, True)]
)
def test_only_what_the_warp_depends_on_reads_the_calibration_again(tmp_path, monkeypatch, change, anew):
    read = []
    monkeypatch.setattr(registration, "read_calibration", lambda path: read.append(path) or read_calibration(path))
    (tmp_path / "calib.yaml").write_text(STEREO)
    config = NodeConfig(calibration=str(tmp_path / "calib.yaml"))
    first = Preprocessor(config, print)
    (before,) = first.black(SIZE)
    (after,) = first.updated(replace(config, **change)).black(SIZE)
    assert len(read) == 1 + anew
    assert (after.warp is not before.warp) == anew
    (again,) = first.black(SIZE)
    assert again.warp is before.warp  # whoever still works by the old settings is not disturbed


def test_a_window_goes_on_unless_one_of_its_settings_changes():
    first = Preprocessor(NodeConfig(thermal_window="percentile"), print)
    assert first.updated(NodeConfig(thermal_window="percentile", slop_s=0.5)).window is first.window
    assert first.updated(NodeConfig(thermal_window="percentile", thermal_rate=0.5)).window is not first.window
