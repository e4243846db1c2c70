"""Label groups in engines: every backend's labels by group, everything else as without them."""

from __future__ import annotations

import numpy as np
import pytest
from warps import SIZE, THERMAL_SIZE, pairs, shifted

from mrfs_ros import load_engine
from mrfs_ros.engine.base import BaseEngine
from mrfs_ros.engine.onnx_file import read_onnx
from mrfs_ros.engine.protocol import EngineInfo
from mrfs_ros.errors import ConfigError
from mrfs_ros.label_groups import read_label_groups
from mrfs_ros.process import process_pairs
from mrfs_ros.types import MFNET, UNLABELLED

EXPORTED = ("onnx", "openvino")


@pytest.fixture(scope="module")
def road(tmp_path_factory):
    path = tmp_path_factory.mktemp("groups") / "road.yaml"
    path.write_text("groups: {1: {name: vehicle, classes: [car, bike]}, 4: {name: other, classes: [color_cone, bump]}}")
    return path


@pytest.fixture(scope="module")
def pair(sample_pair):
    return tuple(np.ascontiguousarray(image[200:264, 100:196]) for image in sample_pair)


@pytest.mark.parametrize(
    "backend", ["eager", "torch", "torch-plain", *(pytest.param(name, marks=pytest.mark.slow) for name in EXPORTED)]
)
def test_labels_are_the_groups_and_all_else_is_the_networks(tiny_weights, exported_file, road, pair, backend):
    weights = exported_file(confidence=True) if backend in EXPORTED else tiny_weights
    engine = load_engine(weights, "cpu", backend, label_groups=road)
    plain, table = load_engine(weights, "cpu", backend), read_label_groups(road, MFNET).table
    assert engine.info.classes.names == ("background", "vehicle", "unused_2", "unused_3", "other")
    assert (engine.info.sha256, engine.info.backend) == (plain.info.sha256, backend)
    assert "5 classes (MFNet by road.yaml)" in str(engine.info)
    result, expected = engine(*pair, confidence=True), plain(*pair, confidence=True)
    assert len(np.unique(expected.labels)) > 1 and set(np.unique(result.labels)) <= {0, 1, 4}
    assert (result.labels == table[expected.labels]).all() and result.labels.dtype == np.uint8
    assert (result.fused == expected.fused).all() and (result.confidence == expected.confidence).all()
    if backend not in EXPORTED:  # whose file is for one pair; their batches get their groups by the same line
        fused, labels = engine.batch(*(np.stack([image, image[::-1]]) for image in pair))
        assert (labels[0] == result.labels).all() and labels.shape == (2, *pair[1].shape) and fused.dtype == np.uint8


def test_an_exported_file_has_the_networks_classes_and_takes_groups(exported_file, road, pair):
    pytest.importorskip("onnxruntime", reason="needs ONNX Runtime: pip install 'mrfs_ros[onnx]'")
    path = exported_file()
    assert read_onnx(path).classes == MFNET
    plain, engine = load_engine(path, "cpu"), load_engine(path, "cpu", label_groups=road)
    assert (engine(*pair).labels == engine.label_groups.table[plain(*pair).labels]).all()
    with pytest.raises(ConfigError, match="label_groups: nowhere: cannot be read"):
        load_engine(path, "cpu", label_groups="nowhere")


@pytest.mark.parametrize("backend", ["eager", "torch-plain"])
def test_logits_are_averaged_as_the_network_has_them(tiny_weights, road, sample_pair, backend):
    frames = [tuple(np.ascontiguousarray(image[y : y + 64, 100:196]) for image in sample_pair) for y in (200, 230, 260)]
    made = [load_engine(tiny_weights, "cpu", backend, temporal_smoothing=0.8, label_groups=g) for g in ("", road)]
    for frame in frames:
        plain, grouped = (engine(*frame).labels for engine in made)
        assert (grouped == made[1].label_groups.table[plain]).all()


def test_a_file_that_cannot_be_used_is_told_before_an_engine_is_built(tiny_weights, monkeypatch):
    from mrfs_ros.engine import load

    monkeypatch.setattr(load, "build_engine", lambda *arguments: pytest.fail("built"))
    with pytest.raises(ConfigError, match="label_groups: nowhere: cannot be read"):
        load_engine(tiny_weights, "cpu", label_groups="nowhere")


class OnItsDevice(BaseEngine):
    """Registers itself, as the engine of a GPU does; labels = thermal // 32, 255 outside."""

    def registered(self, rgb, thermal, warp, *, confidence=False):
        return self._guarded(self._run, rgb, np.stack([warp(one) for one in thermal]), confidence, warp.valid)

    def _run(self, rgb, thermal, confidence, valid=True):
        return rgb, np.where(valid, thermal // 32, UNLABELLED).astype(np.uint8)


def test_where_an_engine_registers_itself_the_outside_stays_without_a_class(road):
    engine, groups = OnItsDevice(EngineInfo("stub", "cpu", "mit_b0", MFNET, "stub")), read_label_groups(road, MFNET)
    images = pairs(2, shifted(SIZE, THERMAL_SIZE))
    expected = [done.result.labels for done in process_pairs(engine, images)]
    engine.use_label_groups(groups)
    for done, plain in zip(process_pairs(engine, images), expected):
        assert (done.result.labels == groups.table[plain]).all()
        assert (done.result.labels[~done.images.valid] == UNLABELLED).all()
        assert (done.result.labels[done.images.valid] != UNLABELLED).all()
