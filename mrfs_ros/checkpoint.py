"""Weights files in and out: released checkpoints unchanged, own files as safetensors with their provenance inside."""

from __future__ import annotations

import hashlib
import json
import pickle
import re
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from mrfs_ros.config import NetworkConfig, from_mapping
from mrfs_ros.errors import CheckpointError, some
from mrfs_ros.files import atomic
from mrfs_ros.network import MRFS, VARIANTS
from mrfs_ros.types import MIN_SIDE, ClassSet, class_set_for_count, class_set_named

FORMAT = "mrfs_ros/1"
WRAPPERS = ("model", "state_dict", "module")  # keys under which training scripts nest the weights


@dataclass(frozen=True)
class Checkpoint:
    """A weights file, read and checked.

    ``weights``: name to float32 tensor (int64 counters). ``config``, ``classes``: the network they belong to.
    ``provenance``: what an own file says of its making, empty for released files. ``sha256``: of the file.
    ``encoder_side``: the short side [pixels] at which its encoders do best; 0 = every image's own.
    """

    path: Path
    weights: dict[str, Tensor]
    config: NetworkConfig
    classes: ClassSet
    provenance: dict[str, Any]
    sha256: str
    encoder_side: int = 0

    def network(self) -> MRFS:
        """The network with these weights, float32, on the CPU, in eval mode."""
        with torch.device("meta"):
            network = MRFS(self.config)
        network.load_state_dict(self.weights, assign=True)
        return network.eval()


def load_network(path: str | Path) -> MRFS:
    """The network of a weights file as a ``torch.nn.Module``, float32, on the CPU, in eval mode.

    Args:
        path: .pth, .pt or .safetensors; nothing in it is run as code.

    Returns:
        A module that takes rgb (B, 3, H, W) and thermal (B, 3 or 1, H, W), float in [0, 1], and gives logits
        (B, classes, H, W) and fused (B, 3, H, W), RGB in [0, 1].

    Raises:
        CheckpointError: the file is missing, damaged, unsafe to load, or holds another network.

    Example:
        >>> from mrfs_ros.shipped import shipped_model
        >>> load_network(shipped_model()).config.variant
        'mit_b0'
    """
    return read_checkpoint(path).network()


def read_checkpoint(path: str | Path, classes: str = "") -> Checkpoint:
    """A weights file, read and checked.

    Args:
        path: .pth, .pt or .safetensors; nothing in it is run as code.
        classes: name of the class set (MFNet, FMB, PST900, MSRS); empty = as the file says or its class count tells.

    Returns:
        Weights as float32 tensors by name, with the configuration, the classes and the provenance of the network.

    Raises:
        CheckpointError: the file is missing, damaged, unsafe to load, or holds another network.

    Example:
        >>> from mrfs_ros.shipped import shipped_model
        >>> checkpoint = read_checkpoint(shipped_model())
        >>> checkpoint.config.variant, len(checkpoint.classes)
        ('mit_b0', 9)
    """
    path = Path(path).expanduser()
    weights, metadata = _read_file(path)
    config, own_classes, provenance, encoder_side = read_metadata(path, metadata)
    config = _config_from_shapes(path, weights, config)
    weights = _matching(path, weights, config)
    named = class_set_named(classes) if classes else own_classes or class_set_for_count(config.num_classes)
    if len(named) != config.num_classes:
        raise CheckpointError(
            f"{path}: has {config.num_classes} classes, but class set {named.name} has {len(named)}: "
            "leave the class set empty or name the one that the file was trained with"
        )
    return Checkpoint(path, weights, config, named, provenance, sha256_of(path), encoder_side)


def save_checkpoint(
    path: str | Path,
    network: MRFS,
    classes: ClassSet,
    provenance: Mapping[str, Any],
    dtype: torch.dtype = torch.float32,
    encoder_side: int = 0,
) -> None:
    """Write a network as safetensors, with config, classes and provenance as metadata, whole or not at all.

    Args:
        path: the file to make or to replace; a write that is interrupted leaves the file that was there.
        network: its state is written, floats as ``dtype``.
        classes: of its segmentation head, as many as it has.
        provenance: JSON-serialisable facts on how the weights came to be (data, command, commit, scores).
        dtype: float32, or float16 for half the size; a tensor with larger numbers than float16 has stays as it is.
        encoder_side: short side [pixels] that is the default of those who load the file; 0 = every image's own.

    Raises:
        CheckpointError: the file cannot be written.

    Example:
        >>> from mrfs_ros.network import build_network
        >>> from mrfs_ros.types import MFNET
        >>> save_checkpoint("untrained.safetensors", build_network(NetworkConfig()), MFNET, {"data": "none"})
        >>> read_checkpoint("untrained.safetensors").provenance
        {'data': 'none'}
    """
    weights = {name: _as_type(tensor, dtype).contiguous() for name, tensor in network.state_dict().items()}
    _write(Path(path), weights, metadata_of(network.config, classes, provenance, encoder_side))


def _as_type(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """A tensor of floats as ``dtype``, unless that cannot hold it; others as they are."""
    fits = tensor.is_floating_point() and tensor.abs().amax() <= torch.finfo(dtype).max
    return tensor.to(dtype) if fits else tensor


def write_encoder_side(path: str | Path, pixels: int, reason: str) -> None:
    """Let an own weights file say another encoder side; its tensors stay as they are.

    ``pixels``: 0 or 32 up. ``reason``: goes into its provenance. CheckpointError if it is none of ours or cannot be
    written.
    """
    path = Path(path).expanduser()
    read_checkpoint(path)
    weights, metadata = _read_file(path)
    config, classes, provenance, _ = read_metadata(path, metadata)
    if config is None or classes is None:
        raise CheckpointError(f"{path}: has no metadata to write to: expected a file of mrfs train")
    provenance = {**provenance, "encoder side chosen": reason}
    _write(path, weights, {**metadata, **metadata_of(config, classes, provenance, pixels)})


def _write(path: Path, weights: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """The file, whole or not at all."""
    try:
        with atomic(path) as unfinished:
            save_file(dict(weights), str(unfinished), dict(metadata))
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path}: cannot be written ({error}): free space or choose another") from error


def metadata_of(
    config: NetworkConfig, classes: ClassSet, provenance: Mapping[str, Any], encoder_side: int
) -> dict[str, str]:
    """What an own file says of its network, as text by name; ``read_metadata`` reads it."""
    return {
        "format": FORMAT,
        "config": json.dumps(asdict(config)),
        "classes": json.dumps(asdict(classes)),
        "provenance": json.dumps(dict(provenance)),
        "encoder_side": str(encoder_side),
    }


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a weights file of any network, by name, nothing of it run; CheckpointError if it is none."""
    return _read_file(path)[0]


def _read_file(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    if not path.is_file():
        folder = " (that is a folder)" if path.is_dir() else ""
        raise CheckpointError(
            f"no weights file at {path.absolute()}{folder}: give the path of a .pth or .safetensors file "
            "(README, section Weights, says where to get one)"
        )
    return _read_safetensors(path) if path.suffix == ".safetensors" else (_read_pickle(path), {})


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(str(path), framework="pt") as file:
            names = file.keys()  # no dict: the file itself cannot be iterated
            return {name: file.get_tensor(name) for name in names}, file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path}: not a whole safetensors file ({error}): copy it again") from error


def _read_pickle(path: Path) -> dict[str, Tensor]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's remarks on pickle protocols; the error below says what counts
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load answers damage with many types; all of them mean: not these weights
        raise CheckpointError(
            f"{path}: {_why_unreadable(path, error)}. Only plain tensors are loaded, never code: "
            "copy the file again, or save its state dict alone with torch.save"
        ) from error
    for key in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
            break
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{path}: expected a state dict of tensors, got {type(content).__name__}")
    weights = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    if not weights or len(weights) < len(content):
        raise CheckpointError(
            f"{path}: expected a state dict of tensors, bare or under {', '.join(WRAPPERS)}; "
            f"got a dict with keys {some(content)}"
        )
    if all(name.startswith("module.") for name in weights):  # saved from DistributedDataParallel
        weights = {name.removeprefix("module."): value for name, value in weights.items()}
    return weights


def _why_unreadable(path: Path, error: Exception) -> str:
    with path.open("rb") as file:
        start = file.read(12)
    if not start.startswith((b"PK", b"\x80")):
        return f"is no PyTorch file (it begins with {start!r})"
    if isinstance(error, pickle.UnpicklingError):
        code = re.search(r"GLOBAL (\S+)", str(error))
        return f"asks to run code ({code.group(1)})" if code else "holds a pickle of more than tensors"
    return f"is truncated or damaged ({type(error).__name__}: {str(error).partition('.')[0]})"


class Metadata(NamedTuple):
    """What an own file says of its network; see ``Checkpoint``."""

    config: NetworkConfig | None = None
    classes: ClassSet | None = None
    provenance: Mapping[str, Any] = MappingProxyType({})
    encoder_side: int = 0


def read_metadata(path: Path, metadata: Mapping[str, str]) -> Metadata:
    """What a file with this metadata says of its network, None and empty if it has none of ours.

    CheckpointError if they are of another format or cannot be read.
    """
    if "config" not in metadata:
        return Metadata()
    if metadata.get("format") != FORMAT:
        raise CheckpointError(
            f"{path}: expected metadata format {FORMAT}, got {metadata.get('format')!r}: update mrfs_ros"
        )
    try:
        config = from_mapping(NetworkConfig, json.loads(metadata["config"]))
        table = json.loads(metadata["classes"])
        classes = ClassSet(table["name"], tuple(table["names"]), tuple(tuple(c) for c in table["colors"]))
        provenance = dict(json.loads(metadata["provenance"]))
        return Metadata(config, classes, provenance, _encoder_side(metadata.get("encoder_side", "0")))
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path}: its metadata cannot be read ({error}): copy or export it again") from error


def _encoder_side(text: str) -> int:
    pixels = int(text)
    if pixels and pixels < MIN_SIDE:
        raise ValueError(f"encoder_side {text!r}: expected 0 or {MIN_SIDE} up")
    return pixels


def _config_from_shapes(path: Path, weights: Mapping[str, Tensor], stated: NetworkConfig | None) -> NetworkConfig:
    try:
        channels = tuple(weights[f"backbone.patch_embed{i}.proj.weight"].shape[0] for i in range(1, 5))
        num_classes = weights["decode_head.linear_pred.weight"].shape[0]
        head_width = weights["decode_head.linear_c1.proj.weight"].shape[0]
    except (KeyError, IndexError) as error:
        raise CheckpointError(
            f"{path}: holds no MRFS network: {error} is missing; its names begin {some(weights)}"
        ) from error
    depths = tuple(
        len({name.split(".")[2] for name in weights if name.startswith(f"backbone.block{i}.")}) for i in range(1, 5)
    )
    variant = next((n for n, v in VARIANTS.items() if (v.channels, v.depths) == (channels, depths)), None)
    if variant is None:
        raise CheckpointError(
            f"{path}: channels {channels} and depths {depths} are no known encoder ({', '.join(VARIANTS)}): "
            "the file is incomplete or of another network"
        )
    found = replace(stated or NetworkConfig(), variant=variant, num_classes=num_classes, head_width=head_width)
    if stated is not None and stated != found:
        raise CheckpointError(f"{path}: its metadata says {stated}, its tensors say {found}: export it again")
    return found


def _matching(path: Path, weights: dict[str, Tensor], config: NetworkConfig) -> dict[str, Tensor]:
    with torch.device("meta"):
        expected = {name: tuple(tensor.shape) for name, tensor in MRFS(config).state_dict().items()}
    missing = [name for name in expected if name not in weights]
    unexpected = [name for name in weights if name not in expected]
    reshaped = [
        f"{name} {tuple(weights[name].shape)} instead of {shape}"
        for name, shape in expected.items()
        if name in weights and tuple(weights[name].shape) != shape
    ]
    differences = [
        f"{len(names)} {what}: {some(names)}"
        for what, names in (("missing", missing), ("unexpected", unexpected), ("of other shape", reshaped))
        if names
    ]
    if differences:
        raise CheckpointError(
            f"{path}: is no {config.variant} MRFS with {config.num_classes} classes: {'; '.join(differences)}"
        )
    broken = [name for name, t in weights.items() if t.is_floating_point() and not torch.isfinite(t).all()]
    if broken:
        raise CheckpointError(f"{path}: {len(broken)} tensors hold NaN or infinity: {some(broken)}: get it again")
    # Copied into memory of its own: files map theirs at odd offsets, where kernels round differently.
    return {name: t.to(torch.float32 if t.is_floating_point() else t.dtype, copy=True) for name, t in weights.items()}


def sha256_of(path: Path) -> str:
    """SHA-256 of the file, in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
