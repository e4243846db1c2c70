"""The C++ operators for ARM (aarch64, NEON), cross-compiled and run by qemu's emulation of that processor."""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from mrfs_ros.engine.operators.build import FLAGS, SOURCES
from mrfs_ros.engine.operators.library import SIGNATURES
from mrfs_ros.engine.operators.native import NativeOperators

CALLER = Path(__file__).parent / "engine" / "arm" / "operator_caller.cpp"
COMPILER, EMULATOR = "aarch64-linux-gnu-g++", "qemu-aarch64"
TARGET = "-march=armv8-a"  # what all of them have, Raspberry Pi 3 and Jetson Nano included


def missing() -> str:
    """What is not installed, with the line that installs it; empty where all is there."""
    names = [name for name in (COMPILER, EMULATOR) if not shutil.which(name)]
    advice = "sudo apt install g++-aarch64-linux-gnu qemu-user"
    return f"ARM is emulated with {COMPILER} and {EMULATOR}; {' and '.join(names)} missing: {advice}" if names else ""


def build_caller(folder: Path) -> Path:
    """The program that runs operators for ``EmulatedLibrary``, in ``folder``."""
    program = folder / "operator_caller"
    command = [COMPILER, *FLAGS, TARGET, "-fopenmp", "-static", f"-I{SOURCES}", str(CALLER), "-o", str(program)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return program


class EmulatedLibrary:
    """The calls of ``mrfs_ros.engine.operators.library.Library``, run by another process on another processor."""

    def __init__(self, program: Path, threads: int = 1):
        command = [EMULATOR, "-E", f"OMP_NUM_THREADS={threads}", str(program)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.panel, self.threads = struct.unpack("<2q", self._read(16))
        self.instructions = self._process.stdout.readline().decode().strip()

    def call(self, name: str, *arguments: object) -> None:
        tensors: dict[int, Tensor] = {}
        request = b"".join(_argument(*pair, tensors) for pair in zip(SIGNATURES[name], arguments, strict=True))
        self._process.stdin.write(f"{name}\n".encode() + request)
        self._process.stdin.flush()
        result, count = struct.unpack("<2q", self._read(16))
        assert result == 0, f"{name} gave {result}"
        for _ in range(count):
            tensor = tensors[struct.unpack("<q", self._read(8))[0]]
            content = bytearray(self._read(tensor.nbytes))
            tensor.copy_(torch.frombuffer(content, dtype=tensor.dtype).view(tensor.shape))

    def close(self) -> None:
        self._process.stdin.close()
        assert self._process.wait(timeout=10) == 0

    def _read(self, count: int) -> bytes:
        content = self._process.stdout.read(count)
        assert len(content) == count, f"the emulated process ended: {self._process.wait(timeout=10)}"
        return content


class EmulatedOperators(NativeOperators):
    """The C++ operators on an emulated ARM processor."""

    def __init__(self, library: EmulatedLibrary):
        self._library, self._panel, self._call = library, library.panel, library.call
        self.instructions = library.instructions


@contextmanager
def emulated_operators(program: Path, threads: int = 1) -> Iterator[EmulatedOperators]:
    """The operators as long as the context lasts, run by ``program`` of ``build_caller``."""
    library = EmulatedLibrary(program, threads)
    try:
        yield EmulatedOperators(library)
    finally:
        library.close()


def _argument(kind: str, value, tensors: dict[int, Tensor]) -> bytes:
    """An argument as operator_caller.cpp reads it; ``tensors`` gets those in it, by address."""
    if kind in "tobp":
        content = _tensor(value, tensors)
    elif kind == "m":
        content = struct.pack("<q", len(value)) + b"".join(_tensor(x, tensors) for x in value)
    elif kind == "n":
        content = struct.pack(f"<{1 + len(value)}q", len(value), *value)
    else:
        content = struct.pack("<d" if kind == "f" else "<q", value)
    return kind.encode() + content


def _tensor(x: Tensor | None, tensors: dict[int, Tensor]) -> bytes:
    if x is None:
        return struct.pack("<q", 0)
    assert x.is_contiguous()
    tensors.setdefault(x.data_ptr(), x)
    return struct.pack("<qq", x.data_ptr(), x.nbytes) + x.numpy().tobytes()
