"""The compiled library's C functions, called with tensors that have been checked: C takes any address."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Sequence
from functools import cache

import torch
from torch import Tensor

from mrfs_ros.engine.operators.build import built_library

# Arguments of the C functions: t(ensor of float32), o(ptional t), b(yte tensor), a(rray in C), i(nt), l(ong), f(loat).
SIGNATURES = {
    "linear": "tlfttiioit",
    "patches": "tiiiiiiifttiiit",
    "layer_norm": "tlifttt",
    "depthwise_gelu_linear": "tiiiittttiot",
    "attention": "ttiiiiiot",
    "pool": "tilitt",
    "exchange": "ttttttttilitt",
    "decode": "tiiiittiaaittit",
    "labels": "tiiiiiib",
    "fuse": "aaittiiiaattt",
}
TYPES = {
    "t": ctypes.c_void_p, "o": ctypes.c_void_p, "b": ctypes.c_void_p, "a": ctypes.c_void_p, "i": ctypes.c_int,
    "l": ctypes.c_long, "f": ctypes.c_float,
}  # fmt: skip


class Library:
    """The C functions of kernels/operators.cpp.

    Raises MissingPackageError without a C++ compiler.
    """

    def __init__(self):
        self._library = _loaded()
        self.panel: int = self._library.mrfs_panel()
        """Columns of a panel of weights."""

    def call(self, name: str, *arguments: object) -> None:
        """Run operator ``name`` on tensors, numbers and arrays in the order of its C function.

        Raises TypeError for a tensor that C cannot take, MemoryError where there is not enough memory.
        """
        values = []
        for number, (letter, value) in enumerate(zip(SIGNATURES[name], arguments, strict=True), start=1):
            if letter in "tob" and not (letter == "o" and value is None):
                value = address(value, f"operator {name}, argument {number}", torch.uint8 if letter == "b" else FLOAT)
            values.append(value)
        if getattr(self._library, f"mrfs_{name}")(*values):
            raise MemoryError(f"not enough memory for the operator {name}")


FLOAT = torch.float32


def address(x: Tensor, role: str, dtype: torch.dtype = FLOAT) -> int:
    """Where the numbers of ``x`` lie; TypeError unless they are of ``dtype``, on the CPU, one behind the other."""
    if not isinstance(x, Tensor) or x.dtype != dtype or x.device.type != "cpu" or not x.is_contiguous():
        raise TypeError(f"{role}: expected a contiguous {_short(dtype)} tensor on the CPU, got {_described(x)}")
    return x.data_ptr()


def addresses(tensors: Iterable[Tensor], role: str) -> ctypes.Array:
    """Where the tensors lie, as an array in C; TypeError as for one."""
    found = [address(x, f"{role} {number}") for number, x in enumerate(tensors, start=1)]
    return (ctypes.c_void_p * len(found))(*found)


def check_shape(x: Tensor, role: str, shape: Sequence[int | None]) -> None:
    """ValueError unless ``x`` has this shape; None: any size."""
    if len(x.shape) != len(shape) or any(want is not None and got != want for got, want in zip(x.shape, shape)):
        expected = ", ".join("any" if n is None else str(n) for n in shape)
        raise ValueError(f"{role}: expected shape ({expected}), got {tuple(x.shape)}")


@cache
def _loaded() -> ctypes.CDLL:
    library = built_library()
    for name, signature in SIGNATURES.items():
        getattr(library, f"mrfs_{name}").argtypes = [TYPES[letter] for letter in signature]
    return library


def _described(x: object) -> str:
    if not isinstance(x, Tensor):
        return type(x).__name__
    layout = "" if x.is_contiguous() else ", not contiguous"
    return f"{_short(x.dtype)} {tuple(x.shape)} on {x.device}{layout}"


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
