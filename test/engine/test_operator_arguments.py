"""Wrong tensors for the C++ operators: an error that says what came, never a result computed from other memory."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from mrfs_ros.config import NetworkConfig
from mrfs_ros.engine.operators.native import NativeOperators
from mrfs_ros.errors import MissingPackageError


@pytest.fixture(scope="module")
def native() -> NativeOperators:
    try:
        return NativeOperators(NetworkConfig())
    except MissingPackageError as error:
        pytest.skip(str(error))


def map_of(channels: int, height: int = 5, width: int = 6) -> Tensor:
    """(2, H, W, channels) between 0 and 1, the same at each call."""
    return torch.rand(2, height, width, channels, generator=torch.Generator().manual_seed(channels))


def tensors_of() -> dict[str, dict[str, Tensor]]:
    """For each operator the maps that it takes, by name."""
    return {
        "linear": {"x": map_of(32), "residual": map_of(48)},
        "patches": {"x": map_of(32)},
        "layer_norm": {"x": map_of(32)},
        "depthwise_gelu_linear": {"x": map_of(32), "residual": map_of(48)},
        "attention": {"query": map_of(32), "key_value": map_of(64, 3, 3), "residual": map_of(32)},
        "pool": {"x": map_of(32)},
        "exchange": {"x1": map_of(32), "x2": map_of(32), "gate": map_of(32), "channels": map_of(64)[:, 0, 0].clone()},
        "decode": {"finest": map_of(32), "coarse": map_of(48, 3, 3)},
        "labels": {"logits": map_of(9)},
        "confident_labels": {"logits": map_of(9)},
        "fuse": {"scale": map_of(144, 2, 2), "rgb": map_of(3), "thermal": map_of(1)},
    }


def caller(native: NativeOperators, name: str) -> Callable[..., object]:
    """Operator ``name`` as a function of its maps."""
    weights = native.dense((torch.rand(48, 32), torch.rand(48)))
    classes = native.dense((torch.rand(9, 48), torch.rand(9)))
    reduction = native.dense((torch.rand(48, 128), torch.rand(48)))
    depthwise = native.depthwise(nn.Conv2d(32, 32, 3, groups=32))
    gate = native.spatial_gate(nn.Sequential(nn.Conv2d(4, 16, 1), nn.ReLU(), nn.Conv2d(16, 2, 1)))
    fusion = native.fusion(torch.rand(9, 16, 4), torch.rand(16), (torch.rand(3, 16), torch.rand(3)))
    return {
        "linear": lambda x, residual: native.linear(x, weights, eps=1e-6, residual=residual),
        "patches": lambda x: native.patches(x, reduction, 2, 2, 0, 1e-6),
        "layer_norm": lambda x: native.layer_norm(x, native.norm(nn.LayerNorm(32))),
        "depthwise_gelu_linear": lambda x, residual: native.depthwise_gelu_linear(x, depthwise, weights, residual),
        "attention": lambda query, key_value, residual: native.attention(query, key_value, 2, residual),
        "pool": lambda x: native.pool(x),
        "exchange": lambda x1, x2, gate_, channels: native.exchange(x1, x2, gate_, channels, gate),
        "decode": lambda finest, coarse: native.decode(finest, weights, [coarse], classes),
        "labels": lambda logits: native.labels(logits, (20, 24)),
        "confident_labels": lambda logits: native.confident_labels(logits, (20, 24)),
        "fuse": lambda scale, rgb, thermal: native.fuse([scale], rgb, thermal, fusion),
    }[name]


WRONG = {
    "float64": (lambda x: x.double(), "float64"),
    "bytes": (lambda x: x.to(torch.uint8), "uint8"),
    "another device": (lambda x: x.to("meta"), "on meta"),
    "a view": (lambda x: x.repeat_interleave(2, dim=1)[:, ::2], "not contiguous"),
}
CASES = [(name, argument) for name, maps in tensors_of().items() for argument in maps]
# An operator of one map takes any number of images, labels any number of classes.
SHAPES = [
    (name, argument, axis)
    for name, argument in CASES
    for axis in (0, -1)
    if "labels" not in name and (axis or len(tensors_of()[name]) > 1)
]


@pytest.mark.parametrize("name", tensors_of())
def test_right_tensors_are_taken(native, name):
    with torch.inference_mode():
        caller(native, name)(*tensors_of()[name].values())


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("name, argument", CASES)
def test_a_tensor_that_c_cannot_take_is_an_error(native, name, argument, wrong):
    change, text = WRONG[wrong]
    maps = tensors_of()[name]
    maps[argument] = change(maps[argument])
    with torch.inference_mode(), pytest.raises(TypeError, match="contiguous float32 tensor on the CPU, got") as error:
        caller(native, name)(*maps.values())
    assert str(error.value).startswith(f"operator {name.removeprefix('confident_')}, argument ")
    assert text in str(error.value)


@pytest.mark.parametrize("name, argument, axis", SHAPES)
def test_a_shape_that_does_not_fit_is_an_error(native, name, argument, axis):
    maps = tensors_of()[name]
    x = maps[argument]
    maps[argument] = x.narrow(axis, 0, x.shape[axis] - 1).clone()
    with torch.inference_mode(), pytest.raises(ValueError, match=re.escape(name)):
        caller(native, name)(*maps.values())


def test_weights_of_another_type_are_an_error(native):
    weights = native.dense((torch.rand(48, 32), torch.rand(48)))
    with pytest.raises(TypeError, match="argument 4: expected a contiguous float32 tensor on the CPU, got float16"):
        native.linear(map_of(32), weights.half())


def test_what_is_no_tensor_is_an_error(native):
    with pytest.raises(TypeError, match="argument 1: expected a contiguous float32 tensor on the CPU, got ndarray"):
        native._call("layer_norm", map_of(32).numpy(), 1, 1, 0.0, map_of(16), map_of(16), map_of(16))


def test_heads_that_do_not_fill_registers_are_an_error(native):
    with pytest.raises(ValueError, match="attention: expected 4 heads of a multiple of 16 channels, got 32"):
        native.attention(map_of(32), map_of(64), heads=4)


OPTIMISED = """
import torch
from mrfs_ros.config import NetworkConfig
from mrfs_ros.engine.operators.native import NativeOperators
assert False, "python -O leaves assertions out"
operators = NativeOperators(NetworkConfig())
dense, x = operators.dense((torch.rand(16, 16), torch.rand(16))), torch.rand(1, 4, 4, 16)
for wrong in (x.double(), x.transpose(1, 2), x.to("meta"), x[..., :8].contiguous()):
    try:
        operators.linear(wrong, dense)
    except (TypeError, ValueError) as error:
        print(error)
"""


@pytest.mark.slow
def test_python_without_assertions_checks_as_well(native):
    run = subprocess.run([sys.executable, "-O", "-c", OPTIMISED], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    expected = "operator linear, argument 1: expected a contiguous float32 tensor on the CPU, got"
    assert run.stdout.splitlines() == [
        f"{expected} float64 (1, 4, 4, 16) on cpu",
        f"{expected} float32 (1, 4, 4, 16) on cpu, not contiguous",
        f"{expected} float32 (1, 4, 4, 16) on meta",
        "linear: x: expected shape (any, any, any, 16), got (1, 4, 4, 8)",
    ]
