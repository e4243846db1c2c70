"""Measured speeds of the backends on this machine: written by `mrfs bench`, read for ``backend: auto``."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from mrfs_ros import __version__
from mrfs_ros.config import BACKENDS
from mrfs_ros.engine.cache_folder import cache_folder, not_writable, processor
from mrfs_ros.engine.operators.build import target
from mrfs_ros.errors import MrfsError
from mrfs_ros.files import write_text

PACKAGES = ("onnxruntime", "onnxruntime-gpu", "openvino")


@dataclass(frozen=True)
class Speeds:
    """Median time a frame by backend [ms], only of backends whose results were right; the day it was measured."""

    milliseconds: dict[str, float]
    size: str  # HxW
    date: str  # YYYY-MM-DD


def record_speeds(variant: str, device: str, speeds: Speeds) -> None:
    """Keep ``speeds`` for ``recorded_speeds``; MrfsError if the cache folder cannot be written."""
    path = _file(variant, device)
    try:
        write_text(path, json.dumps(asdict(speeds), indent=1))
    except OSError as error:
        raise not_writable(path, error) from error


def recorded_speeds(variant: str, device: str) -> Speeds | None:
    """What was measured for this variant on this hardware with these packages; None if nothing was."""
    try:
        speeds = Speeds(**json.loads(_file(variant, device).read_text()))
        known = all(name in BACKENDS and value > 0 for name, value in speeds.milliseconds.items())
        return speeds if known else None
    except (OSError, ValueError, TypeError, AttributeError, MrfsError):  # nothing there, or nothing that can be used
        return None


def hardware(device: str) -> str:
    """The device's name as its maker gives it."""
    if torch.device(device).type == "cuda":
        return torch.cuda.get_device_name(device)
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").is_file() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else processor()}, {torch.get_num_threads()} thread(s)"


def versions() -> dict[str, str]:
    """Versions of whatever has a say in the speed and is installed."""
    # PyTorch itself says which build it is (+cpu, +cu130); the package's metadata does not always.
    found = {"mrfs_ros": __version__, "torch": str(torch.__version__)}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _file(variant: str, device: str) -> Path:
    facts = json.dumps([hardware(device), processor(), versions(), *target()])
    return cache_folder() / f"speeds-{variant}-{hashlib.sha256(facts.encode()).hexdigest()[:12]}.json"
