"""Compilation of the C++ operators: once, whole, and with a text that says what is missing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mrfs_ros.engine.operators.build import built_library
from mrfs_ros.errors import MissingPackageError, MrfsError


def test_without_a_compiler_the_text_says_how_to_get_one(empty_cache, monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(MissingPackageError, match=r"no C\+\+ compiler \(g\+\+.*sudo apt install g\+\+$"):
        built_library()
    monkeypatch.setenv("CXX", "/nowhere/g++")
    with pytest.raises(MissingPackageError, match=r"CXX=/nowhere/g\+\+ on this machine: sudo apt install g\+\+$"):
        built_library()


def compiler(folder: Path, monkeypatch, script: str) -> None:
    path = folder / "compiler"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setenv("CXX", str(path))


def test_a_compiler_that_fails_is_quoted(tmp_path, empty_cache, monkeypatch):
    compiler(tmp_path, monkeypatch, "echo this source is hopeless >&2; exit 1")
    with pytest.raises(MrfsError) as error:
        built_library()
    assert type(error.value) is MrfsError
    assert f"{tmp_path}/compiler -std=c++17" in str(error.value)
    assert "operators.cpp" in str(error.value)
    assert str(error.value).endswith("this source is hopeless")
    assert list(empty_cache.iterdir()) == []


@pytest.fixture
def runs(tmp_path, empty_cache, monkeypatch) -> Path:
    """A file that gets a line from every run of the compiler, which does not optimise and is done sooner."""
    if not shutil.which("g++"):
        pytest.skip("needs g++")
    compiler(tmp_path, monkeypatch, f'echo run >> {tmp_path}/runs; exec g++ "$@" -O0')
    return tmp_path / "runs"


def test_it_is_compiled_once(runs, empty_cache):
    assert built_library().mrfs_panel() % 8 == 0
    (library,) = empty_cache.glob("*.so")
    before = library.stat()
    assert built_library().mrfs_panel() % 8 == 0
    assert library.stat().st_mtime_ns == before.st_mtime_ns
    assert runs.read_text().split() == ["run", "run"]  # once to compile, once to link


@pytest.mark.slow
def test_a_half_written_library_is_compiled_again(runs, empty_cache):
    # Loaded as it is, it would end the process by SIGBUS: hence a process of its own.
    code = """
import ctypes, shutil, sys
from pathlib import Path
from mrfs_ros.engine.operators.build import built_library

first = built_library().mrfs_panel()
(library,) = Path(sys.argv[1]).glob("*.so")
half = library.read_bytes()[:20000]
library.unlink()  # its content is loaded
library.write_bytes(half)
built_library()
again = shutil.copy(library, library.with_name("again.so"))  # under its own name it is loaded already
assert ctypes.CDLL(str(again)).mrfs_panel() == first
"""
    run = subprocess.run([sys.executable, "-c", code, empty_cache], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert runs.read_text().split() == 4 * ["run"]


def test_a_cache_that_cannot_be_made_names_the_variable_to_set(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file" / "cache"))
    with pytest.raises(MrfsError, match=r"cannot be made.*set XDG_CACHE_HOME to a folder of yours"):
        built_library()


def test_a_cache_that_cannot_be_written_names_the_variable_to_set(empty_cache):
    empty_cache.parent.mkdir()
    empty_cache.symlink_to("/proc/self")  # a folder in which nobody, not even root, can make a file
    with pytest.raises(MrfsError, match="XDG_CACHE_HOME"):
        built_library()


def test_only_one_openmp_library_is_loaded(operators_loaded):
    code = """
import torch
from mrfs_ros.config import NetworkConfig
from mrfs_ros.engine.operators.native import NativeOperators
operators = NativeOperators(NetworkConfig())
operators.linear(torch.rand(1, 64, 64, 16), operators.dense((torch.rand(16, 16), torch.rand(16))))
paths = {line.split(maxsplit=5)[5].strip() for line in open("/proc/self/maps") if "/" in line}
print(*(path for path in paths if path.rsplit("/", 1)[1].startswith(("libgomp", "libomp", "libiomp"))), sep="\\n")
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert len(run.stdout.splitlines()) == 1, run.stdout
