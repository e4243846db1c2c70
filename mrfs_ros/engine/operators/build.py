"""Compiler of the C++ operators: once for this machine's processor, into the user's cache folder."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

from mrfs_ros.checkpoint import sha256_of
from mrfs_ros.engine.cache_folder import cache_folder, not_writable, processor
from mrfs_ros.errors import ConfigError, MissingPackageError, MrfsError
from mrfs_ros.files import write_text

SOURCES = Path(__file__).parent / "kernels"
FLAGS = ("-std=c++17", "-O3", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast")
SETTING = "MRFS_OPERATORS"  # environment variable: native, or avx2 to leave the AVX-512 of a processor unused
OPENMP = ("libgomp", "libomp", "libiomp")


def built_library() -> ctypes.CDLL:
    """The operators' library; compiled now if this machine has not done so before, which takes a few seconds.

    MissingPackageError without a C++ compiler, MrfsError with its words if it fails or makes no library, ConfigError
    for an unknown value of MRFS_OPERATORS.
    """
    compiler = [*_compiler(), *FLAGS, *target()]
    digest = hashlib.sha256("\n".join((*compiler, processor(), str(_openmp()))).encode())
    for source in sorted(SOURCES.iterdir()):
        digest.update(source.read_bytes())
    library = cache_folder() / f"operators-{digest.hexdigest()[:16]}.so"
    checksum = library.with_suffix(".sha256")  # to load a file that a power cut left half written would end the process
    try:
        if not (library.is_file() and checksum.is_file() and checksum.read_text() == sha256_of(library)):
            _compile(compiler, library)
            write_text(checksum, sha256_of(library))
    except OSError as error:
        raise not_writable(library, error) from error
    try:
        return ctypes.CDLL(str(library))
    except OSError as error:
        library.unlink()
        raise MrfsError(f"what {compiler[0]} made of the C++ operators cannot be loaded: {error}") from error


def target() -> list[str]:
    """The compiler's flags for what MRFS_OPERATORS asks for; ConfigError if that is nothing known here."""
    x86 = platform.machine().lower() in ("x86_64", "amd64")
    targets = {"native": ["-march=native"], "avx2": ["-march=haswell"]} if x86 else {"native": ["-mcpu=native"]}
    setting = os.environ.get(SETTING) or "native"
    if setting not in targets:
        expected = ", ".join(targets)
        raise ConfigError(f"{SETTING}={setting}: expected one of {expected} on this {platform.machine()} processor")
    return targets[setting]


def _compiler() -> list[str]:
    named = shlex.split(os.environ.get("CXX", ""))
    for name, *flags in [named] if named else [["g++"], ["c++"], ["clang++"]]:
        if found := shutil.which(name):
            return [found, *flags]
    raise MissingPackageError(
        f"no C++ compiler {f'CXX={named[0]}' if named else '(g++, c++, clang++)'} on this machine: sudo apt install g++"
    )


def _openmp() -> Path | None:
    """The OpenMP library that PyTorch has loaded: a second one would have threads of its own, which fight."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        path = Path(line.split(maxsplit=5)[-1])
        if path.name.startswith(OPENMP):
            return path
    return None


def _compile(compiler: list[str], library: Path) -> None:
    openmp = _openmp()
    with tempfile.TemporaryDirectory(dir=library.parent) as folder:
        compiled, linked = Path(folder) / "operators.o", Path(folder) / library.name
        _run([*compiler, "-fopenmp", "-fPIC", "-c", str(SOURCES / "operators.cpp"), "-o", str(compiled)])
        runtime = [str(openmp), f"-Wl,-rpath,{openmp.parent}"] if openmp else ["-fopenmp"]
        _run([*compiler, "-shared", str(compiled), "-o", str(linked), *runtime])
        linked.replace(library)  # whole or not at all, also when two processes compile at once


def _run(command: list[str]) -> None:
    try:
        result = subprocess.run(command, capture_output=True, text=True)
    except OSError as error:
        raise MrfsError(f"{command[0]} cannot be run ({error.strerror}): sudo apt install g++") from error
    if result.returncode:
        raise MrfsError(f"the C++ operators do not compile: {' '.join(command)}\n{result.stderr.strip()[-2000:]}")
