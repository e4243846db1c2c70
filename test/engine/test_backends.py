"""Every backend gives the results of the paper's graph, for any size and any memory, or says what it lacks."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from mrfs_ros import load_engine
from mrfs_ros.checkpoint import read_checkpoint
from mrfs_ros.config import BACKENDS
from mrfs_ros.engine.torch_engine import GRAPHS_KEPT
from mrfs_ros.errors import ConfigError, ImageError

ROOT = Path(__file__).resolve().parent.parent.parent
DETAILS = {"eager": "", "torch": "C++ operators", "torch-plain": "", "onnx": "CPU", "openvino": "OpenVINO 20"}
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device; this PyTorch sees none")


@pytest.fixture(scope="module")
def eager(tiny_weights):
    return load_engine(tiny_weights, device="cpu", backend="eager")


EXPORTED = ("onnx", "openvino")  # which takes seconds


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=pytest.mark.slow if name in EXPORTED else ()) for name in BACKENDS[1:]],
)
def engine(request, tiny_weights):
    return load_engine(tiny_weights, device="cpu", backend=request.param)


@pytest.fixture(scope="module")
def odd_pairs(sample_pair) -> tuple[np.ndarray, np.ndarray]:
    """Two different pairs of 61x75, as a batch."""
    rgb, thermal = sample_pair
    places = [np.s_[200:261, 100:175], np.s_[240:301, 300:375]]
    return np.stack([rgb[p] for p in places]), np.stack([thermal[p] for p in places])


def assert_same(result, expected, fused: int = 1, labels: float = 0.999) -> None:
    """The same to a human: each result is fused and labels, compared within those limits."""
    for new, old in zip(result, expected):
        assert (new.shape, new.dtype) == (old.shape, np.uint8)
    assert np.abs(result[0].astype(int) - expected[0]).max() <= fused
    assert (result[1] == expected[1]).mean() >= labels


def outputs(result) -> tuple[np.ndarray, np.ndarray]:
    return result.fused, result.labels


def test_a_pair_gives_eagers_result(engine, eager, small_pair):
    expected = outputs(eager(*small_pair))
    assert len(np.unique(expected[1])) > 1
    assert_same(outputs(engine(*small_pair)), expected)


def test_confidence_is_eagers_and_changes_nothing_else(engine, eager, odd_pairs):
    """As far as a rounding of the logits can move it."""
    expected = np.stack([eager(*pair, confidence=True).confidence for pair in zip(*odd_pairs)])
    *result, confidence = engine.batch(*odd_pairs, confidence=True)
    assert np.abs(confidence.astype(int) - expected).max() <= 1
    assert np.ptp(expected) > 20
    assert_same(result, engine.batch(*odd_pairs), fused=0, labels=1)


def test_confidence_is_the_softmax_of_the_network(eager, tiny_weights, small_pair):
    network = read_checkpoint(tiny_weights).network().eval()
    rgb, thermal = (torch.from_numpy(x).float().div(255) for x in small_pair)
    with torch.inference_mode():
        logits, _ = network(rgb.permute(2, 0, 1)[None], thermal[None, None])
    expected = 255 * logits.softmax(1).amax(1)[0].numpy()
    assert np.abs(eager(*small_pair, confidence=True).confidence - expected).max() <= 0.501


def test_info_names_the_backend_and_how_it_runs(engine):
    backend = engine.info.backend
    if backend == "torch" and not any(map(shutil.which, ("g++", "c++", "clang++"))):
        pytest.skip("needs a C++ compiler: sudo apt install g++")
    assert engine.info.detail.startswith(DETAILS[backend])
    assert bool(engine.info.detail) == bool(DETAILS[backend])
    assert f", {backend} ({engine.info.detail}) on cpu" in str(engine.info) or not engine.info.detail
    assert engine.info.reason == ""
    assert engine.device_report() == {"torch threads": str(torch.get_num_threads())}


def test_two_shapes_in_turn_the_second_a_batch_of_odd_images(engine, eager, small_pair, odd_pairs):
    expected = outputs(engine(*small_pair))
    rgb, thermal = odd_pairs
    singles = [outputs(eager(*pair)) for pair in zip(rgb, thermal)]
    assert not (singles[0][0] == singles[1][0]).all()
    assert_same(engine.batch(rgb, thermal), [np.stack(images) for images in zip(*singles)])
    assert_same(outputs(engine(*small_pair)), expected, fused=0, labels=1)


def test_a_batch_of_one_is_a_pair(engine, small_pair):
    result = engine.batch(*(x[None] for x in small_pair))
    assert_same(result, [x[None] for x in outputs(engine(*small_pair))], fused=0, labels=1)


@pytest.mark.parametrize("backend", ["eager", "torch", "torch-plain"])
def test_a_batch_of_two_gives_what_its_pairs_give(tiny_weights, odd_pairs, backend):
    engine = load_engine(tiny_weights, device="cpu", backend=backend)
    singles = [outputs(engine(*pair)) for pair in zip(*odd_pairs)]
    assert_same(engine.batch(*odd_pairs), [np.stack(images) for images in zip(*singles)])


def test_the_number_of_threads_changes_nothing(tiny_weights, odd_pairs, set_threads):
    engine = load_engine(tiny_weights, device="cpu", backend="torch")
    expected = engine.batch(*odd_pairs)
    for threads in (2, 3):
        set_threads(threads)
        assert_same(engine.batch(*odd_pairs), expected, fused=0, labels=1)


def test_read_only_and_strided_images_give_the_same(engine, small_pair):
    rgb, thermal = small_pair
    expected = outputs(engine(rgb, thermal))
    frozen = np.frombuffer(rgb.tobytes(), np.uint8).reshape(rgb.shape)
    wide = np.repeat(thermal, 2, axis=1)[:, ::2]
    mirrored = rgb[:, ::-1].copy()[:, ::-1]
    assert not frozen.flags.writeable
    assert wide.strides[1] == 2
    assert mirrored.strides[1] < 0
    for pair in ((frozen, wide), (mirrored, thermal)):
        assert_same(outputs(engine(*pair)), expected, fused=0, labels=1)
    assert (rgb == frozen).all(), "the engine wrote into its input"


def test_a_result_stays_as_it_is_when_the_next_comes(engine, small_pair):
    rgb, thermal = small_pair
    first = engine(rgb, thermal)
    kept = [x.copy() for x in outputs(first)]
    second = engine(255 - rgb, thermal[::-1])
    assert not (second.fused == first.fused).all()
    assert_same(outputs(first), kept, fused=0, labels=1)
    assert all(x.flags.writeable for x in outputs(first))


@pytest.mark.parametrize(
    "rgb, thermal, text",
    [
        (np.zeros((2, 64, 64, 3), np.uint8), np.zeros((1, 64, 64), np.uint8), "as many rgb as thermal images, "),
        (np.zeros((0, 64, 64, 3), np.uint8), np.zeros((0, 64, 64), np.uint8), "at least one, got 0 and 0"),
        (np.zeros((2, 64, 64, 3), np.uint8), [], "got 2 and 0"),
        (np.zeros((2, 64, 64, 3), np.uint8), np.zeros((2, 64, 65), np.uint8), "but thermal is 64x65"),
        (np.zeros((2, 31, 64, 3), np.uint8), np.zeros((2, 31, 64), np.uint8), "at least 32x32 pixels, got 31x64"),
        (np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64), np.uint8), "rgb: expected (H, W, 3) uint8"),
        (np.zeros((2, 64, 64, 3), np.float32), np.zeros((2, 64, 64), np.uint8), "float32"),
    ],
)
def test_other_batches_are_refused(engine, rgb, thermal, text):
    with pytest.raises(ImageError) as error:
        engine.batch(rgb, thermal)
    assert text in str(error.value)


@pytest.mark.parametrize(
    "requested, text",
    [
        ({"precision": "fp16"}, "precision fp16 is for backend torch on CUDA, not for auto on cpu: use fp32"),
        ({"precision": "bf16", "backend": "torch"}, "not for torch on cpu: use fp32"),
        ({"precision": "fp16", "backend": "openvino"}, "not for openvino on cpu: use fp32"),
        ({"precision": "fp8"}, "unknown precision 'fp8': expected one of auto, fp32, fp16, bf16"),
    ],
)
def test_precisions_that_are_not_there(tiny_weights, requested, text):
    with pytest.raises(ConfigError) as error:
        load_engine(tiny_weights, device="cpu", **requested)
    assert text in str(error.value)


def test_fp32_is_there_for_all(tiny_weights):
    assert load_engine(tiny_weights, device="cpu", backend="eager", precision="fp32").info.backend == "eager"


@pytest.mark.slow
@needs_cuda
def test_a_gpu_takes_more_sizes_than_it_keeps_and_than_dynamo_recompiles(tiny_weights, eager, sample_pair):
    engine = load_engine(tiny_weights, device="cuda", backend="torch")
    rgb, thermal = sample_pair
    results = []
    for number in (0, *range(GRAPHS_KEPT + 6), 0):  # the first again at once, and after it had to go
        pair = rgb[: 64 + 8 * number, :96], thermal[: 64 + 8 * number, :96]
        results.append(outputs(engine(*pair)))
        assert np.abs(results[-1][0].astype(int) - eager(*pair).fused).max() <= 2
    assert_same(results[1], results[0], fused=0, labels=1)
    assert_same(results[-1], results[0], fused=0, labels=1)


LACKING = """
import json, os, sys
from mrfs_ros import load_engine
from mrfs_ros.errors import MissingPackageError

weights, answers = sys.argv[1], {}
for name, arguments in {"onnx": (weights, "cpu", "onnx"), "openvino": (weights, "cpu", "openvino"),
                        "onnx file": ("there.onnx", "cpu")}.items():
    try:
        load_engine(*arguments)
    except MissingPackageError as error:
        answers[name] = str(error)
for name, compiler in {"no compiler": "/nowhere", "broken": "/bin/false", "useless": sys.argv[2]}.items():
    os.environ["CXX"] = compiler
    try:
        answers[name] = str(load_engine(weights, "cpu", "torch").info)
    except Exception as error:
        answers[name] = repr(error)
answers["compiler of PyTorch"] = "torch._dynamo" in sys.modules
del os.environ["CXX"]
os.environ["XDG_CACHE_HOME"] = weights  # a file: no folder can be below it
answers["no cache"] = str(load_engine(weights, "cpu").info)
print(json.dumps(answers))
"""


@pytest.fixture(scope="session")
def lacking(tiny_weights, tmp_path_factory) -> dict[str, str | bool]:
    """What the engines say where the optional packages, a compiler, or a cache folder are missing."""
    folder = tmp_path_factory.mktemp("lacking")
    for name in ("onnx", "onnxruntime", "openvino"):
        (folder / f"{name}.py").write_text(f"raise ImportError('no {name} here')")
    compiler = folder / "compiler"  # as successful as the file that it leaves is unusable
    compiler.write_text('#!/bin/sh\nwhile [ "$1" != -o ]; do shift; done\necho nonsense > "$2"\n')
    compiler.chmod(0o755)
    environment = {
        **os.environ,
        "PYTHONPATH": str(folder),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "OMP_NUM_THREADS": "1",
    }
    run = subprocess.run(
        [sys.executable, "-c", LACKING, tiny_weights, compiler], env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@pytest.mark.slow
@pytest.mark.parametrize(
    "what, text",
    [
        ("onnx", "backend onnx needs ONNX Runtime: pip install 'mrfs_ros[onnx]'"),
        ("openvino", "backend openvino needs OpenVINO: pip install 'mrfs_ros[openvino]'"),
        ("onnx file", "an ONNX file needs the package onnx: pip install 'mrfs_ros[onnx]'"),
    ],
)
def test_a_missing_package_comes_with_the_line_that_installs_it(lacking, what, text):
    assert lacking[what] == text
    extra = text.partition("[")[2].partition("]")[0]
    assert f'"{extra}": [' in (ROOT / "setup.py").read_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    "what, text",
    [
        ("no compiler", "no C++ compiler CXX=/nowhere on this machine: sudo apt install g++"),
        ("broken", "the C++ operators do not compile: /bin/false "),
        ("useless", "operators-"),
        ("no cache", "cannot be made (Not a directory): set XDG_CACHE_HOME to a folder of yours"),
    ],
)
def test_without_cpp_operators_torch_runs_plain_ones_and_says_why(lacking, what, text):
    assert "torch (plain operators, slower: " in lacking[what]
    assert text in lacking[what]


@pytest.mark.slow
def test_engines_on_the_cpu_start_without_pytorchs_compiler(lacking):
    assert not lacking["compiler of PyTorch"], "its import takes longer than all else"
