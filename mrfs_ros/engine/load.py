"""From a weights file (or none) and a wish of device and backend to a ready engine."""

from __future__ import annotations

from pathlib import Path

import torch

from mrfs_ros.checkpoint import read_checkpoint
from mrfs_ros.config import BACKENDS, NetworkConfig
from mrfs_ros.engine.eager import EagerEngine
from mrfs_ros.engine.protocol import Engine, EngineInfo
from mrfs_ros.errors import ConfigError
from mrfs_ros.network import build_network
from mrfs_ros.shipped import shipped_model
from mrfs_ros.types import class_set_for_count, class_set_named

UNTRAINED = "untrained"
"""Given as weights: random ones, on purpose."""


def load_engine(weights: str | Path = "", device: str = "auto", backend: str = "auto", *, classes: str = "") -> Engine:
    """Return an engine for a weights file.

    ``weights``: .pth or .safetensors; empty = the trained model that comes with this package; ``untrained`` = a
    mit_b0 with random weights (``engine.info.untrained`` is True), for trying things out.
    ``device``: auto (CUDA if there is one, else cpu), cpu, cuda, cuda:N. ``backend``: auto, eager.
    ``classes``: name of the class set, empty = what the file says or its class count tells.
    Raises CheckpointError for the file, ConfigError for the other arguments.
    """
    if backend not in BACKENDS:
        raise ConfigError(f"unknown backend {backend!r}: expected one of {', '.join(BACKENDS)}")
    device = resolve_device(device)
    if weights != UNTRAINED:
        weights = weights or shipped_model()
        checkpoint = read_checkpoint(weights, classes)
        network, class_set, sha256 = checkpoint.network(), checkpoint.classes, checkpoint.sha256
    else:
        class_set = class_set_named(classes) if classes else class_set_for_count(NetworkConfig().num_classes)
        network, weights, sha256 = build_network(NetworkConfig(num_classes=len(class_set))), "", ""
    info = EngineInfo("eager", device, network.config.variant, class_set, str(weights), sha256)
    return EagerEngine(network, info)


def resolve_device(device: str) -> str:
    """The device that ``device`` (auto, cpu, cuda, cuda:N) means here; ConfigError if there is none such."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        kind = torch.device(device)
    except RuntimeError as error:
        raise ConfigError(f"unknown device {device!r}: expected auto, cpu, cuda or cuda:N") from error
    if kind.type not in ("cpu", "cuda"):
        raise ConfigError(f"device {device!r} is not supported: expected auto, cpu, cuda or cuda:N")
    if kind.type == "cuda" and (kind.index or 0) >= torch.cuda.device_count():
        raise ConfigError(
            f"device {device!r} is not there: this PyTorch ({torch.__version__}) sees "
            f"{torch.cuda.device_count()} CUDA devices; use device cpu or auto, or install a CUDA build"
        )
    return device
