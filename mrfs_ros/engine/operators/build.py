"""Compiles the C++ operators for this machine's processor, once, into the user's cache folder."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from mrfs_ros.engine.cache import cache_folder, not_writable, processor
from mrfs_ros.errors import MissingPackageError, MrfsError

SOURCES = Path(__file__).parent / "kernels"
FLAGS = ("-std=c++17", "-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast")
OPENMP = ("libgomp", "libomp", "libiomp")


def built_library() -> ctypes.CDLL:
    """The operators' library; compiled now if this machine has not done so before, which takes a few seconds.

    MissingPackageError without a C++ compiler, MrfsError with its words if it fails or makes no library.
    """
    compiler = _compiler()
    digest = hashlib.sha256("\n".join((*FLAGS, compiler, processor(), str(_openmp()))).encode())
    for source in sorted(SOURCES.iterdir()):
        digest.update(source.read_bytes())
    library = cache_folder() / f"operators-{digest.hexdigest()[:16]}.so"
    if library.is_file():
        try:
            return ctypes.CDLL(str(library))
        except OSError:  # damaged: a full disk, an interrupted copy of the cache
            library.unlink()
    try:
        _compile(compiler, library)
    except OSError as error:
        raise not_writable(library, error) from error
    try:
        return ctypes.CDLL(str(library))
    except OSError as error:
        library.unlink()
        raise MrfsError(f"what {compiler} made of the C++ operators cannot be loaded: {error}") from error


def _compiler() -> str:
    named = os.environ.get("CXX", "")
    for name in [named] if named else ["g++", "c++", "clang++"]:
        if found := shutil.which(name):
            return found
    raise MissingPackageError(
        f"no C++ compiler {f'CXX={named}' if named else '(g++, c++, clang++)'} on this machine: sudo apt install g++"
    )


def _openmp() -> Path | None:
    """The OpenMP library that PyTorch has loaded: a second one would have threads of its own, which fight."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        path = Path(line.split()[-1])
        if path.name.startswith(OPENMP):
            return path
    return None


def _compile(compiler: str, library: Path) -> None:
    openmp = _openmp()
    with tempfile.TemporaryDirectory(dir=library.parent) as folder:
        compiled, linked = Path(folder) / "operators.o", Path(folder) / library.name
        _run([compiler, *FLAGS, "-fopenmp", "-fPIC", "-c", str(SOURCES / "operators.cpp"), "-o", str(compiled)])
        runtime = [str(openmp), f"-Wl,-rpath,{openmp.parent}"] if openmp else ["-fopenmp"]
        _run([compiler, "-shared", str(compiled), "-o", str(linked), *runtime])
        linked.replace(library)  # whole or not at all, also when two processes compile at once


def _run(command: list[str]) -> None:
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        raise MrfsError(f"the C++ operators do not compile: {' '.join(command)}\n{result.stderr.strip()[-2000:]}")
