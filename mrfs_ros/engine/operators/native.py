"""The operations of the rewritten network in C++, for the CPU: same interface and results as the plain ones."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional

from mrfs_ros.config import NetworkConfig
from mrfs_ros.engine.operators.build import built_library
from mrfs_ros.engine.operators.plain import PlainOperators, Weights
from mrfs_ros.errors import ConfigError

# Arguments of the C functions: p(ointer), i(nt), l(ong), f(loat).
SIGNATURES = {
    "linear": "plfppiipip",
    "patches": "piiiiiiifppiiip",
    "layer_norm": "plifppp",
    "depthwise_gelu_linear": "piiiippppipp",
    "attention": "ppiiiiipp",
    "pool": "pilipp",
    "exchange": "ppppppppilipp",
    "decode": "piiiippippippip",
    "area_average": "piiiiiip",
    "labels": "piiiiiip",
    "fuse": "ppippiiippppp",
}
TYPES = {"p": ctypes.c_void_p, "i": ctypes.c_int, "l": ctypes.c_long, "f": ctypes.c_float}
ACTIVATIONS = {None: 0, "relu": 1, "sigmoid": 2}
MULTIPLE = 16  # of floats: the widest register there is


class NativeOperators(PlainOperators):
    """See ``PlainOperators``. float32 on the CPU, for networks of ``config``.

    MissingPackageError without a C++ compiler, ConfigError for a head whose width is no multiple of ``MULTIPLE``;
    MemoryError from any operation that runs out of memory.
    """

    def __init__(self, config: NetworkConfig):
        if config.head_width % MULTIPLE:
            raise ConfigError(f"head_width: the C++ operators take multiples of {MULTIPLE}, got {config.head_width}")
        self._library = _library()
        self._panel = self._library.mrfs_panel()

    def dense(self, folded: tuple[Tensor, Tensor]) -> Weights:
        weight, bias = folded
        outputs, inputs = weight.shape
        missing = -outputs % self._panel
        panels = functional.pad(weight, (0, 0, 0, missing)).unflatten(0, (-1, self._panel)).transpose(1, 2)
        weights = Weights(panels=panels, bias=functional.pad(bias, (0, missing)))
        weights.inputs, weights.outputs = inputs, outputs
        return weights

    def fusion(self, taps: Tensor, bias: Tensor, last: tuple[Tensor, Tensor]) -> nn.Module:
        rows = (
            taps.unflatten(0, (3, 3)).permute(0, 2, 1, 3).flatten(2)
        )  # (3, 16, 3 * 4): one matrix a row of the kernel
        biases = torch.zeros(3, len(bias)).index_copy(0, torch.tensor([1]), bias.float()[None])
        weights = nn.Module()
        weights.rows = nn.ModuleList(self.dense(row) for row in zip(rows, biases))
        weights.last = self.dense(last)
        return weights

    def linear(
        self,
        x: Tensor,
        weights: Weights,
        *,
        eps: float | None = None,
        residual: Tensor | None = None,
        activation: str | None = None,
    ) -> Tensor:
        out = _like(x, weights.outputs) if residual is None else residual
        self._call(
            "linear", x, x.numel() // weights.inputs, _eps(eps), weights.panels, weights.bias, weights.inputs,
            weights.outputs, residual, ACTIVATIONS[activation], out,
        )  # fmt: skip
        return out

    def patches(
        self, x: Tensor, weights: Weights, kernel: int, stride: int, padding: int, eps: float | None = None
    ) -> Tensor:
        height, width = ((n + 2 * padding - kernel) // stride + 1 for n in x.shape[1:3])
        out = x.new_empty(x.shape[0], height, width, weights.outputs)
        self._call(
            "patches", x, *x.shape, kernel, stride, padding, _eps(eps), weights.panels, weights.bias, weights.outputs,
            height, width, out,
        )  # fmt: skip
        return out

    def layer_norm(self, x: Tensor, weights: Weights) -> Tensor:
        self._call("layer_norm", x, x.shape[:3].numel(), x.shape[3], weights.eps, weights.weight, weights.bias, x)
        return x

    def depthwise_gelu_linear(self, x: Tensor, depthwise: Weights, dense: Weights, residual: Tensor) -> Tensor:
        self._call(
            "depthwise_gelu_linear", x, *x.shape, depthwise.weight, depthwise.bias, dense.panels, dense.bias,
            dense.outputs, residual, residual,
        )  # fmt: skip
        return residual

    def attention(self, query: Tensor, key_value: Tensor, heads: int, residual: Tensor | None = None) -> Tensor:
        batch, channels = query.shape[0], query.shape[3]
        out = torch.empty_like(query)
        queries, keys = query.shape[1:3].numel(), key_value.shape[1:3].numel()
        self._call("attention", query, key_value, batch, queries, keys, heads, channels // heads, residual, out)
        return out

    def pool(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, maximum = x.new_empty(2, x.shape[0], x.shape[3])
        self._call("pool", x, x.shape[0], x.shape[1:3].numel(), x.shape[3], mean, maximum)
        return mean, maximum

    def exchange(
        self, x1: Tensor, x2: Tensor, gate: Tensor, channels: Tensor, spatial: Weights
    ) -> tuple[Tensor, Tensor]:
        self._call(
            "exchange", x1, x2, gate, channels, spatial.weight1, spatial.bias1, spatial.weight2, spatial.bias2,
            x1.shape[0], x1.shape[1:3].numel(), x1.shape[3], x1, x2,
        )  # fmt: skip
        return x1, x2

    def decode(self, finest: Tensor, scale: Weights, coarse: list[Tensor], classes: Weights) -> Tensor:
        out = _like(finest, classes.outputs)
        self._call(
            "decode", finest, *finest.shape, scale.panels, scale.bias, scale.outputs, *_maps(coarse), classes.panels,
            classes.bias, classes.outputs, out,
        )  # fmt: skip
        return out

    def area_average(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        out = x.new_empty(x.shape[0], *size, x.shape[3])
        self._call("area_average", x, *x.shape, *size, out)
        return out

    def labels(self, logits: Tensor, size: tuple[int, int]) -> Tensor:
        out = torch.empty(logits.shape[0], *size, dtype=torch.uint8)
        self._call("labels", logits, *logits.shape, *size, out)
        return out

    def fuse(self, scales: list[Tensor], rgb: Tensor, thermal: Tensor, weights: nn.Module) -> Tensor:
        out = torch.empty_like(rgb)
        panels, biases = (_addresses(getattr(row, name) for row in weights.rows) for name in ("panels", "bias"))
        self._call(
            "fuse", *_maps(scales), rgb, thermal, *rgb.shape[:3], panels, biases, weights.last.panels,
            weights.last.bias, out,
        )  # fmt: skip
        return out

    def _call(self, name: str, *arguments: Tensor | float | None) -> None:
        """The C function with the tensors' addresses, which must be contiguous; see kernels/operators.cpp."""
        if getattr(self._library, f"mrfs_{name}")(*map(_argument, arguments)):
            raise MemoryError(f"not enough memory for the operator {name}")


@cache
def _library() -> ctypes.CDLL:
    library = built_library()
    for name, signature in SIGNATURES.items():
        getattr(library, f"mrfs_{name}").argtypes = [TYPES[letter] for letter in signature]
    return library


def _argument(value):
    if isinstance(value, Tensor):
        assert value.is_contiguous(), "an operator was given a view"
        return value.data_ptr()
    return value


def _maps(maps: list[Tensor]) -> tuple:
    """Addresses, (height, width, ...) and number of maps, as the C functions want them."""
    sizes = [n for x in maps for n in x.shape[1:3]]
    return _addresses(maps), (ctypes.c_int * len(sizes))(*sizes), len(maps)


def _addresses(tensors: Iterable[Tensor]) -> ctypes.Array:
    addresses = [x.data_ptr() for x in tensors]
    return (ctypes.c_void_p * len(addresses))(*addresses)


def _like(x: Tensor, channels: int) -> Tensor:
    return x.new_empty(*x.shape[:3], channels)


def _eps(eps: float | None) -> float:
    return -1.0 if eps is None else eps
