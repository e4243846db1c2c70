"""Deterministic weights and reference numbers that several tests share."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch

from mrfs_ros.config import NetworkConfig
from mrfs_ros.network import MRFS, build_network


def reference_file(name: str) -> Path:
    """A file of the reference numbers made with the authors' definition; the test is skipped where they are not."""
    folder = os.environ.get("MRFS_REFERENCE_DIR", "")
    path = Path(folder) / name
    if not folder or not path.is_file():
        pytest.skip(f"needs {name}, reference numbers that are not part of the project: set MRFS_REFERENCE_DIR")
    return path


def reference_weight(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """The reference's rule: a normal array seeded by the CRC of the name, scaled by what kind of entry it is."""
    draw = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode()))).standard_normal(shape, dtype=np.float32)
    if name.endswith("num_batches_tracked"):
        return torch.zeros(shape, dtype=torch.int64)
    if name.endswith("running_var"):
        value = 1 + 0.1 * np.abs(draw)
    elif name.endswith(("running_mean", "bias")):
        value = 0.1 * draw
    elif len(shape) == 1:
        value = 1 + 0.1 * draw
    else:
        value = draw / np.sqrt(np.prod(shape[1:]), dtype=np.float32)
    return torch.from_numpy(np.asarray(value, np.float32))


def reference_network(config: NetworkConfig | None = None) -> MRFS:
    """A network with the deterministic weights, in eval mode."""
    network = build_network(config or NetworkConfig())
    network.load_state_dict({n: reference_weight(n, tuple(t.shape)) for n, t in network.state_dict().items()})
    return network.eval()
