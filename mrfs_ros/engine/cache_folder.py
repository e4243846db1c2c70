"""Cache folder of the engines: compiled operators, exported graphs and measured speeds of a machine."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from mrfs_ros.errors import MrfsError


def cache_folder() -> Path:
    """``$XDG_CACHE_HOME/mrfs_ros`` or ``~/.cache/mrfs_ros``, made if missing; MrfsError if that cannot be."""
    try:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mrfs_ros"
    except RuntimeError as error:  # containers whose user has no home
        raise MrfsError(f"no cache folder ({error}): set XDG_CACHE_HOME to a folder of yours") from error
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise not_writable(folder, error) from error
    return folder


def not_writable(path: Path, error: OSError) -> MrfsError:
    """What to say when the cache folder or a file in it cannot be made."""
    return MrfsError(f"{path}: cannot be made ({error.strerror}): set XDG_CACHE_HOME to a folder of yours")


def processor() -> str:
    """What this processor is and can do: the same for machines on which the same compiled code runs as fast."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    wanted = ("model name", "flags", "Features", "CPU implementer", "CPU part")
    facts = dict(line.split(":", 1) for line in lines if ":" in line)
    return platform.machine() + "".join(value for name, value in facts.items() if name.strip() in wanted)
