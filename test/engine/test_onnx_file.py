"""ONNX files: they hold what they need, give the network's results, and are refused where they do not fit."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from mrfs_ros import __version__, load_engine
from mrfs_ros.checkpoint import sha256_of
from mrfs_ros.engine.cache_folder import cache_folder
from mrfs_ros.engine.choose import is_right
from mrfs_ros.engine.load import load_model
from mrfs_ros.engine.onnx_file import EXPORTED_FROM, ExportedOnDemand, check_export, export_onnx, read_onnx
from mrfs_ros.engine.protocol import UNTRAINED_NOTICE
from mrfs_ros.errors import CheckpointError, ConfigError, ImageError
from mrfs_ros.types import MFNET

SHAPE = (1, 64, 96)
pytestmark = pytest.mark.slow  # an export takes seconds


@pytest.fixture(scope="module")
def model(tiny_weights):
    return load_model(tiny_weights)


@pytest.fixture(scope="module")
def exported(exported_file) -> Path:
    return exported_file()


@pytest.fixture(scope="module")
def pair(small_pair) -> tuple[np.ndarray, np.ndarray]:
    rgb, thermal = small_pair
    return rgb[:64, :96], thermal[:64, :96]


def test_a_file_of_random_weights_says_so(exported, tmp_path):
    changed = onnx.load(exported)
    (entry,) = (entry for entry in changed.metadata_props if entry.key == "provenance")
    entry.value = json.dumps({EXPORTED_FROM: UNTRAINED_NOTICE})
    onnx.save(changed, tmp_path / "random.onnx")
    assert load_engine(tmp_path / "random.onnx", device="cpu").info.untrained
    assert not load_engine(exported, device="cpu").info.untrained


def test_a_file_says_what_it_is(exported, model):
    file = read_onnx(exported)
    assert (file.path, file.shape, file.provenance) == (exported, SHAPE, {"made by": "a test"})
    assert (file.config, file.classes) == (model.network.config, MFNET)
    assert file.sha256 == sha256_of(exported)
    assert list(exported.parent.iterdir()) == [exported]


def test_any_onnx_program_can_read_it(exported):
    graph = onnx.load(exported)
    onnx.checker.check_model(graph, full_check=True)
    assert [(entry.domain, entry.version >= 17) for entry in graph.opset_import] == [("", True)]
    inputs, outputs = ({x.name: x.type.tensor_type for x in side} for side in (graph.graph.input, graph.graph.output))
    assert {x.elem_type for x in (*inputs.values(), *outputs.values())} == {onnx.TensorProto.UINT8}
    sizes = {name: [d.dim_value for d in x.shape.dim] for name, x in inputs.items()}
    assert sizes == {"rgb": [1, 64, 96, 3], "thermal": [1, 64, 96]}
    assert list(outputs) == ["fused", "labels"]


def test_it_gives_the_networks_results(exported, model):
    difference, agreement = check_export(exported, model.network, SHAPE)
    assert difference <= 1
    assert agreement >= 0.999


@pytest.mark.parametrize("name", ["decode_head.linear_pred.bias", "aux_head.CNN_fuse.3.bias"])
def test_the_check_notices_one_changed_weight(exported, model, name):
    other = deepcopy(model.network)
    with torch.no_grad():
        other.get_parameter(name)[0] += 3
    assert not is_right(*check_export(exported, other, SHAPE))


@pytest.mark.parametrize("requested, backend", [("auto", "onnx"), ("onnx", "onnx"), ("openvino", "openvino")])
def test_it_runs_without_its_weights_file(exported, tiny_weights, pair, requested, backend):
    engine = load_engine(exported, device="cpu", backend=requested)
    expected = load_engine(tiny_weights, device="cpu", backend="eager")(*pair)
    result = engine(*pair)
    assert np.abs(result.fused.astype(int) - expected.fused).max() <= 1
    assert (result.labels == expected.labels).mean() >= 0.999
    assert (engine.info.backend, engine.info.weights, engine.info.variant) == (backend, str(exported), "mit_b0")
    assert (engine.info.classes, engine.info.sha256) == (MFNET, sha256_of(exported))


@pytest.mark.parametrize("backend", ["onnx", "openvino"])
def test_confidence_has_to_be_exported(exported, exported_file, tiny_weights, pair, backend):
    with pytest.raises(ConfigError, match="exported without confidence: export it with mrfs export --confidence"):
        load_engine(exported, device="cpu", backend=backend)(*pair, confidence=True)
    engine = load_engine(exported_file(confidence=True), device="cpu", backend=backend)
    expected = load_engine(tiny_weights, device="cpu", backend="eager")(*pair, confidence=True)
    assert engine.gives_confidence and not load_engine(exported, device="cpu", backend=backend).gives_confidence
    assert np.abs(engine(*pair, confidence=True).confidence.astype(int) - expected.confidence).max() <= 1
    assert engine(*pair).confidence is None


@pytest.mark.parametrize("backend", ["onnx", "openvino"])
@pytest.mark.parametrize(
    "shape, text", [((1, 61, 75), "--size 61x75 --batch 1"), ((2, 64, 96), "--size 64x96 --batch 2")]
)
def test_another_image_size_is_refused_with_the_command_that_makes_a_file_for_it(exported, backend, shape, text):
    engine = load_engine(exported, device="cpu", backend=backend)
    with pytest.raises(ImageError) as error:
        engine.batch(np.zeros((*shape, 3), np.uint8), np.zeros(shape, np.uint8))
    assert error.value.reason == "size_mismatch"
    count, height, width = shape
    assert f"exported for 1 pair(s) of 64x96 (HxW), got {count} pair(s) of {height}x{width} (HxW)" in str(error.value)
    assert "mrfs export " in str(error.value)
    assert text in str(error.value)


@pytest.mark.parametrize(
    "requested, text",
    [
        ({"classes": "PST900"}, "classes: PST900 (5) was asked for, {} was exported with MFNet (9)"),
        ({"classes": "Mars"}, "unknown class set 'Mars'"),
        ({"backend": "torch"}, "backend torch does not run ONNX files: expected one of onnx, openvino"),
        ({"backend": "eager"}, "backend eager does not run ONNX files: expected one of onnx, openvino"),
        ({"precision": "fp16"}, "precision fp16 is for backend torch on CUDA"),
    ],
)
def test_requests_that_a_file_cannot_meet(exported, requested, text):
    with pytest.raises(ConfigError) as error:
        load_engine(exported, device="cpu", **requested)
    assert text.format(exported) in str(error.value)


def test_its_own_classes_may_be_named(exported):
    assert load_engine(exported, device="cpu", classes="msrs").info.classes == MFNET


def foreign_graph() -> bytes:
    """A whole ONNX file that adds nothing to one number."""
    number = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in ("x", "y")]
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    graph = onnx.helper.make_graph([node], "foreign", number[:1], number[1:])
    return onnx.helper.make_model(graph).SerializeToString()


@pytest.mark.parametrize(
    "content, text",
    [
        (lambda whole: whole[: len(whole) // 2], "no whole ONNX file"),
        (lambda whole: whole[:-1], "no whole ONNX file"),
        (lambda whole: b"hello, this is no network\n" * 9, "no whole ONNX file"),
        (lambda whole: b"", "has no class names and input shape inside: export it with mrfs export"),
        (lambda whole: foreign_graph(), "has no class names and input shape inside: export it with mrfs export"),
    ],
    ids=["half", "last byte missing", "text", "empty", "foreign"],
)
def test_files_that_are_none_of_ours(exported, tmp_path, content, text):
    path = tmp_path / "other.onnx"
    path.write_bytes(content(exported.read_bytes()))
    with pytest.raises(CheckpointError) as error:
        load_engine(path, device="cpu")
    assert str(error.value).startswith(f"{path}: ")
    assert text in str(error.value)


@pytest.mark.parametrize("name", ["nowhere.onnx", "folder.onnx"])
def test_a_missing_file_is_named_with_what_makes_one(tmp_path, name):
    (tmp_path / "folder.onnx").mkdir()
    with pytest.raises(CheckpointError) as error:
        load_engine(tmp_path / name, device="cpu")
    assert str(error.value) == f"no ONNX file at {tmp_path / name}: mrfs export makes one"


@pytest.mark.parametrize(
    "key, value, text",
    [
        ("format", "mrfs_ros/9", "expected metadata format mrfs_ros/1, got 'mrfs_ros/9': update mrfs_ros"),
        ("classes", "{}", "its metadata cannot be read ('name')"),
        ("shape", "large", "cannot be read"),
        ("shape", "null", "cannot be read"),
        ("shape", "[64, 96]", "cannot be read"),
    ],
)
def test_damaged_metadata_are_refused(exported, tmp_path, key, value, text):
    graph = onnx.ModelProto()
    graph.metadata_props.extend(onnx.load(exported, load_external_data=False).metadata_props)
    next(entry for entry in graph.metadata_props if entry.key == key).value = value
    path = tmp_path / "changed.onnx"
    path.write_bytes(graph.SerializeToString())
    with pytest.raises(CheckpointError) as error:
        read_onnx(path)
    assert text in str(error.value)


def test_an_interrupted_export_leaves_what_was_there(model, tmp_path, monkeypatch):
    def interrupted(pipeline, images, path, **settings):
        Path(path).write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch.onnx, "export", interrupted)
    (tmp_path / "old.onnx").write_bytes(b"old")
    for name in ("old.onnx", "new.onnx"):
        with pytest.raises(KeyboardInterrupt):
            export_onnx(tmp_path / name, model.network, model.classes, SHAPE, {})
    assert (tmp_path / "old.onnx").read_bytes() == b"old"
    assert not (tmp_path / "new.onnx").exists()


def test_on_demand_a_shape_is_exported_once_and_again_if_cut_short(exported, model, empty_cache):
    # Random weights have no checksum: it takes the whole key to tell the files of two untrained networks apart.
    keys = [load_engine("untrained", "cpu", "onnx", classes=name)._graphs.key for name in ("MFNet", "FMB")]
    first, other = (cache_folder() / f"{key}-{__version__}-1x32x32.onnx" for key in keys)
    whole = exported.read_bytes()
    first.write_bytes(whole[: len(whole) // 2])
    other.write_bytes(whole)
    on_demand = ExportedOnDemand(model.network, model.classes, keys[0])
    assert on_demand.graph((1, 32, 32)) == first
    assert read_onnx(first).shape == (1, 32, 32)
    written = first.stat().st_mtime_ns
    assert on_demand.graph((1, 32, 32)) == first
    assert first.stat().st_mtime_ns == written
    assert ExportedOnDemand(model.network, model.classes, keys[1]).graph((1, 32, 32)) == other
    assert other.read_bytes() == whole
    assert set(empty_cache.iterdir()) == {first, other}
