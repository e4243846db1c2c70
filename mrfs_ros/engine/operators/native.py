"""The operations of the rewritten network in C++, for the CPU: same interface and results as the plain ones."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from mrfs_ros.config import NetworkConfig
from mrfs_ros.engine.operators.library import Library, check_shape
from mrfs_ros.engine.operators.plain import PlainOperators, Weights
from mrfs_ros.errors import ConfigError

ACTIVATIONS = {None: 0, "relu": 1, "sigmoid": 2}
MULTIPLE = 16  # of floats: the widest register there is
FUSION_TAPS = 9 * 16  # channels of a scale's map for ``fuse``
MOST_COARSE = 3  # maps for ``decode``


class NativeOperators(PlainOperators):
    """See ``PlainOperators``. float32 on the CPU, for networks of ``config``.

    Channels are multiples of ``MULTIPLE`` except where they are images or logits.

    MissingPackageError without a C++ compiler, ConfigError for a head whose width is no multiple of ``MULTIPLE``;
    from any operation MemoryError where it runs out of memory, TypeError for a tensor that is not contiguous, not
    float32 or not on the CPU, ValueError for a shape that does not fit the others.
    """

    def __init__(self, config: NetworkConfig):
        if config.head_width % MULTIPLE:
            raise ConfigError(f"head_width: the C++ operators take multiples of {MULTIPLE}, got {config.head_width}")
        self._library = Library()
        self._panel = self._library.panel
        self._call = self._library.call
        self.instructions = self._library.instructions

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
        _check_map("linear: x", x, weights.inputs, whole=eps is not None)
        _check_residual("linear", x, weights, residual)
        out = _like(x, weights.outputs) if residual is None else residual
        self._call(
            "linear", x, x.numel() // weights.inputs, _eps(eps), weights.panels, weights.bias, weights.inputs,
            weights.outputs, residual, ACTIVATIONS[activation], out,
        )  # fmt: skip
        return out

    def patches(
        self, x: Tensor, weights: Weights, kernel: int, stride: int, padding: int, eps: float | None = None
    ) -> Tensor:
        _check_map("patches: x", x, weights.inputs // kernel**2, whole=eps is not None)
        height, width = ((n + 2 * padding - kernel) // stride + 1 for n in x.shape[1:3])
        out = x.new_empty(x.shape[0], height, width, weights.outputs)
        self._call(
            "patches", x, *x.shape, kernel, stride, padding, _eps(eps), weights.panels, weights.bias, weights.outputs,
            height, width, out,
        )  # fmt: skip
        return out

    def layer_norm(self, x: Tensor, weights: Weights) -> Tensor:
        _check_map("layer_norm: x", x, len(weights.weight))
        self._call("layer_norm", x, x.shape[:3].numel(), x.shape[3], weights.eps, weights.weight, weights.bias, x)
        return x

    def depthwise_gelu_linear(self, x: Tensor, depthwise: Weights, dense: Weights, residual: Tensor) -> Tensor:
        _check_map("depthwise_gelu_linear: x", x, dense.inputs)
        check_shape(depthwise.weight, "depthwise_gelu_linear: taps", (9, dense.inputs))
        _check_residual("depthwise_gelu_linear", x, dense, residual)
        self._call(
            "depthwise_gelu_linear", x, *x.shape, depthwise.weight, depthwise.bias, dense.panels, dense.bias,
            dense.outputs, residual, residual,
        )  # fmt: skip
        return residual

    def attention(self, query: Tensor, key_value: Tensor, heads: int, residual: Tensor | None = None) -> Tensor:
        check_shape(query, "attention: query", (None, None, None, None))
        batch, channels = query.shape[0], query.shape[3]
        check_shape(key_value, "attention: key_value", (batch, None, None, 2 * channels))
        if channels % (heads * MULTIPLE):
            raise ValueError(f"attention: expected {heads} heads of a multiple of {MULTIPLE} channels, got {channels}")
        if residual is not None:
            check_shape(residual, "attention: residual", query.shape)
        out = torch.empty_like(query)
        queries, keys = query.shape[1:3].numel(), key_value.shape[1:3].numel()
        self._call("attention", query, key_value, batch, queries, keys, heads, channels // heads, residual, out)
        return out

    def pool(self, x: Tensor) -> tuple[Tensor, Tensor]:
        _check_map("pool: x", x)
        mean, maximum = x.new_empty(2, x.shape[0], x.shape[3])
        self._call("pool", x, x.shape[0], x.shape[1:3].numel(), x.shape[3], mean, maximum)
        return mean, maximum

    def exchange(
        self, x1: Tensor, x2: Tensor, gate: Tensor, channels: Tensor, spatial: Weights
    ) -> tuple[Tensor, Tensor]:
        _check_map("exchange: x1", x1)
        check_shape(x2, "exchange: x2", x1.shape)
        check_shape(gate, "exchange: gate", x1.shape)
        check_shape(channels, "exchange: channels", (x1.shape[0], 2 * x1.shape[3]))
        self._call(
            "exchange", x1, x2, gate, channels, spatial.weight1, spatial.bias1, spatial.weight2, spatial.bias2,
            x1.shape[0], x1.shape[1:3].numel(), x1.shape[3], x1, x2,
        )  # fmt: skip
        return x1, x2

    def decode(self, finest: Tensor, scale: Weights, coarse: list[Tensor], classes: Weights) -> Tensor:
        _check_map("decode: finest", finest, scale.inputs)
        for x in coarse:
            check_shape(x, "decode: coarse", (finest.shape[0], None, None, scale.outputs))
        if classes.inputs != scale.outputs or scale.outputs % MULTIPLE or len(coarse) > MOST_COARSE:
            raise ValueError(
                f"decode: expected at most {MOST_COARSE} coarse maps and a multiple of {MULTIPLE} mixed channels, got "
                f"{len(coarse)} maps, {scale.outputs} channels from the scales and {classes.inputs} to the classes"
            )
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
        check_shape(logits, "labels: logits", (None, None, None, None))
        out = torch.empty(logits.shape[0], *size, dtype=torch.uint8)
        self._call("labels", logits, *logits.shape, *size, out, None)
        return out

    def confident_labels(self, logits: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        check_shape(logits, "confident_labels: logits", (None, None, None, None))
        labels, confidence = (torch.empty(logits.shape[0], *size, dtype=torch.uint8) for _ in range(2))
        self._call("labels", logits, *logits.shape, *size, labels, confidence)
        return labels, confidence

    def fuse(self, scales: list[Tensor], rgb: Tensor, thermal: Tensor, weights: nn.Module) -> Tensor:
        check_shape(rgb, "fuse: rgb", (None, None, None, 3))
        check_shape(thermal, "fuse: thermal", (*rgb.shape[:3], 1))
        for x in scales:
            check_shape(x, "fuse: scale", (rgb.shape[0], None, None, FUSION_TAPS))
        out = torch.empty_like(rgb)
        panels, biases = ([getattr(row, name) for row in weights.rows] for name in ("panels", "bias"))
        self._call(
            "fuse", *_maps(scales), rgb, thermal, *rgb.shape[:3], panels, biases, weights.last.panels,
            weights.last.bias, out,
        )  # fmt: skip
        return out


def _check_map(role: str, x: Tensor, channels: int | None = None, *, whole: bool = True) -> None:
    """ValueError unless x is (B, H, W, channels); ``whole``: and these fill registers."""
    check_shape(x, role, (None, None, None, channels))
    if whole and x.shape[3] % MULTIPLE:
        raise ValueError(f"{role}: expected a multiple of {MULTIPLE} channels, got {x.shape[3]}")


def _check_residual(name: str, x: Tensor, weights: Weights, residual: Tensor | None) -> None:
    if residual is not None:
        check_shape(residual, f"{name}: residual", (*x.shape[:3], weights.outputs))


def _maps(maps: list[Tensor]) -> tuple[list[Tensor], list[int], int]:
    """The maps, (height, width, ...) and their number, as the C functions want them."""
    return maps, [n for x in maps for n in x.shape[1:3]], len(maps)


def _like(x: Tensor, channels: int) -> Tensor:
    return x.new_empty(*x.shape[:3], channels)


def _eps(eps: float | None) -> float:
    return -1.0 if eps is None else eps
