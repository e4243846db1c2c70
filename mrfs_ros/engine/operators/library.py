"""The compiled library's C functions, called with tensors that have been checked: C takes any address."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

from mrfs_ros.engine.operators.build import built_library

# Arguments of the C functions: t(ensor of float32), o(ptional t), b(yte tensor), p (optional b), m(any t), i(nt),
# n(umbers of type int), l(ong), f(loat).
SIGNATURES = {
    "linear": "tlfttiioit",
    "patches": "tiiiiiiifttiiit",
    "layer_norm": "tlifttt",
    "depthwise_gelu_linear": "tiiiittttiot",
    "attention": "ttiiiiiot",
    "pool": "tilitt",
    "exchange": "ttttttttilitt",
    "decode": "tiiiittimnittit",
    "area_average": "tiiiiiit",
    "labels": "tiiiiiibp",
    "fuse": "mnittiiimmttt",
}
TYPES = {"i": ctypes.c_int, "l": ctypes.c_long, "f": ctypes.c_float}  # all others are addresses


class Library:
    """The C functions of kernels/operators.cpp.

    Raises MissingPackageError without a C++ compiler.
    """

    def __init__(self):
        self._library = _loaded()
        self.panel: int = self._library.mrfs_panel()
        """Columns of a panel of weights."""
        self.instructions: str = self._library.mrfs_instructions().decode()
        """What the operators were built for: AVX-512, AVX2, NEON, ..."""

    def call(self, name: str, *arguments: object) -> None:
        """Run operator ``name`` on tensors, numbers and lists of them in the order of its C function.

        Raises TypeError for a tensor that C cannot take, MemoryError where there is not enough memory.
        """
        values = []
        for kind, value in zip(SIGNATURES[name], arguments, strict=True):
            try:
                values.append(value if kind in TYPES else _for_c(kind, value))
            except TypeError as error:
                raise TypeError(f"operator {name}, argument {len(values) + 1}: {error}") from None
        if getattr(self._library, f"mrfs_{name}")(*values):
            raise MemoryError(f"not enough memory for the operator {name}")


def _for_c(kind: str, value: Any) -> object:
    """The address of a tensor's numbers, or an array in C of addresses or numbers; TypeError for a wrong tensor."""
    if kind == "n":
        return (ctypes.c_int * len(value))(*value)
    if kind == "m":
        return (ctypes.c_void_p * len(value))(*(_for_c("t", x) for x in value))
    if kind in "op" and value is None:
        return None
    dtype = torch.uint8 if kind in "bp" else torch.float32
    if not (isinstance(value, Tensor) and value.dtype is dtype and value.is_cpu and value.is_contiguous()):
        raise TypeError(f"expected a contiguous {_short(dtype)} tensor on the CPU, got {_described(value)}")
    return value.data_ptr()


def check_shape(x: Tensor, role: str, shape: Sequence[int | None]) -> None:
    """ValueError unless ``x`` has this shape; None: any size."""
    got = x.shape
    if len(got) != len(shape) or any(n not in (None, m) for m, n in zip(got, shape)):
        expected = ", ".join("any" if n is None else str(n) for n in shape)
        raise ValueError(f"{role}: expected shape ({expected}), got {tuple(got)}")


@cache
def _loaded() -> ctypes.CDLL:
    library = built_library()
    for name, signature in SIGNATURES.items():
        getattr(library, f"mrfs_{name}").argtypes = [TYPES.get(kind, ctypes.c_void_p) for kind in signature]
    library.mrfs_instructions.restype = ctypes.c_char_p
    return library


def _described(x: object) -> str:
    if not isinstance(x, Tensor):
        return type(x).__name__
    layout = "" if x.is_contiguous() else ", not contiguous"
    return f"{_short(x.dtype)} {tuple(x.shape)} on {x.device}{layout}"


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
