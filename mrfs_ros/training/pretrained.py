"""Pretrained MiT encoder weights (SegFormer's) put into both modalities' encoders."""

from __future__ import annotations

from pathlib import Path

from mrfs_ros.checkpoint import read_tensors
from mrfs_ros.errors import CheckpointError
from mrfs_ros.network import MRFS

STAGES = ("patch_embed", "block", "norm")
PREFIXES = ("", "backbone.", "encoder.", "module.")


def load_encoders(network: MRFS, path: str | Path) -> None:
    """Copy a file of MiT weights (names patch_embed1..., block1..., norm1...) into the rgb and the thermal encoder.

    Other names in the file (a classifier) are left out. CheckpointError unless every encoder tensor is there, in shape.
    """
    found = read_tensors(Path(path).expanduser())
    own = network.backbone.state_dict()
    wanted = [name for name in own if name.startswith(STAGES)]
    prefix = next((p for p in PREFIXES if p + wanted[0] in found), None)
    if prefix is None:
        raise CheckpointError(f"{path}: holds no MiT encoder: {wanted[0]} is missing")
    for name in wanted:
        tensor = found.get(prefix + name)
        if tensor is None or tensor.shape != own[name].shape:
            got = "nothing" if tensor is None else tuple(tensor.shape)
            raise CheckpointError(
                f"{path}: {prefix + name}: expected {tuple(own[name].shape)} of a {network.config.variant}, got {got}"
            )
        own[name].copy_(tensor)
        own[f"extra_{name}"].copy_(tensor)
