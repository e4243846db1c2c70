"""Engine loading: a weights file (or none), a device and a backend become a ready engine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from mrfs_ros.checkpoint import read_checkpoint
from mrfs_ros.config import BACKENDS, PRECISIONS, NetworkConfig
from mrfs_ros.engine.allocator import keep_memory
from mrfs_ros.engine.base import BaseEngine
from mrfs_ros.engine.choose import FUSED_DIFFERENCE, choose_engine, verified
from mrfs_ros.engine.eager import EagerEngine
from mrfs_ros.engine.encoder_side import OWN, WEIGHTS, EncoderSide, asked_side
from mrfs_ros.engine.onnx_engine import OnnxEngine
from mrfs_ros.engine.onnx_file import EXPORTED_FROM, ExportedOnDemand, OnnxFile, read_onnx
from mrfs_ros.engine.openvino_engine import OpenVinoEngine
from mrfs_ros.engine.operators import Operators
from mrfs_ros.engine.protocol import UNTRAINED_NOTICE, Engine, EngineInfo
from mrfs_ros.engine.torch_engine import RewrittenEngine, torch_engine
from mrfs_ros.errors import ConfigError
from mrfs_ros.label_groups import read_label_groups
from mrfs_ros.network import MRFS, build_network
from mrfs_ros.shipped import shipped_model
from mrfs_ros.types import ClassSet, class_set_for_count, class_set_named

BF16_DIFFERENCE = 8  # of 255: its 8 bits of mantissa cost a few grey levels (3 with the trained mit_b0)
UNTRAINED = "untrained"
"""Given as weights: random ones, on purpose."""


@dataclass(frozen=True)
class Model:
    """A network, where it comes from (``weights``, ``sha256``: empty for an UNTRAINED one) and its encoder side."""

    network: MRFS
    classes: ClassSet
    weights: str
    sha256: str
    encoder_side: EncoderSide = OWN

    def info(self, backend: str, device: str) -> EngineInfo:
        return EngineInfo(
            backend,
            device,
            self.network.config.title,
            self.classes,
            self.weights,
            self.sha256,
            encoder_side=self.encoder_side,
        )


def load_engine(
    weights: str | Path = "",
    device: str = "auto",
    backend: str = "auto",
    *,
    classes: str = "",
    precision: str = "auto",
    encoder_side: str | int = WEIGHTS,
    temporal_smoothing: float = 0.0,
    label_groups: str | Path = "",
) -> Engine:
    """An engine that fuses and segments pairs, for a weights file.

    Args:
        weights: .pth, .safetensors, or an .onnx of ``mrfs export``; empty = the trained model that comes with this
            package; ``untrained`` = a mit_b0 with random weights, ``untrained:mit_b4`` a larger one
            (``engine.info.untrained`` is True), for trying things out.
        device: auto (CUDA if there is one, else cpu), cpu, cuda, cuda:N.
        backend: eager (the paper's graph), torch (rewritten; C++ operators on the CPU, compiled with a CUDA graph on
            a GPU), torch-plain (rewritten, PyTorch's own operators), onnx, openvino; auto = the fastest that is
            installed and verified, see ``engine.info.reason``.
        classes: name of the class set, empty = what the file says or its class count tells.
        precision: of backend torch on CUDA: fp32, fp16, bf16; auto = fp16. Everything else computes in fp32.
        encoder_side: short side [pixels] at which encoders, IGM-Att and PC-Att see a pair (the heads work at full
            size); 0 = the image's own, the paper's way; weights = as the weights file says, smaller images at their
            own size.
        temporal_smoothing: share of the logits before in each pair's, 0 (off) to 0.95; see ``TemporalSmoothing``.
        label_groups: YAML file by which classes are joined under new ids and names, in labels and ``engine.info``; see
            ``read_label_groups``. Empty = the network's own.

    Returns:
        A callable: rgb (H, W, 3) uint8 RGB and thermal (H, W) uint8, 0-255, on the same pixel grid, to a
        ``FusionResult``. Height and width are 32 pixels or more.

    Raises:
        CheckpointError: the file is missing, damaged, or holds another network.
        MissingPackageError: the package of the backend is not installed.
        ConfigError: another argument is none of the choices, or not possible here.

    Example:
        >>> import numpy as np
        >>> engine = load_engine("untrained", device="cpu", backend="eager")
        >>> result = engine(np.zeros((64, 96, 3), np.uint8), np.zeros((64, 96), np.uint8))
        >>> result.fused.shape, result.labels.shape
        ((64, 96, 3), (64, 96))
    """
    for name, value, choices in (("backend", backend, BACKENDS), ("precision", precision, PRECISIONS)):
        if value not in choices:
            raise ConfigError(f"unknown {name} {value!r}: expected one of {', '.join(choices)}")
    device = resolve_device(device)
    check_precision(precision, device, backend)
    if device == "cpu":
        keep_memory()
    if Path(weights).suffix == ".onnx":
        engine = _from_onnx(Path(weights).expanduser(), device, backend, classes, encoder_side)
        engine.use_temporal_smoothing(temporal_smoothing)
        if label_groups:
            engine.use_label_groups(read_label_groups(label_groups, engine.info.classes))
        return engine
    model = load_model(weights, classes, encoder_side)
    groups = read_label_groups(label_groups, model.classes) if label_groups else None

    def build(name: str) -> BaseEngine:
        engine = build_engine(model, device, name, precision)
        engine.use_temporal_smoothing(temporal_smoothing)
        if groups:
            engine.use_label_groups(groups)
        return engine

    return choose_engine(build, device, model.network.config.variant) if backend == "auto" else build(backend)


def load_model(weights: str | Path = "", classes: str = "", encoder_side: str | int = WEIGHTS) -> Model:
    """The network of a weights file; arguments and errors as for ``load_engine``."""
    if Path(weights).suffix == ".onnx":
        raise ConfigError(f"{weights}: expected a weights file (.pth, .safetensors), got an exported one: it is fixed")
    asked_side(encoder_side, 0)  # before a file is read
    untrained, _, variant = str(weights).partition(":")
    if untrained != UNTRAINED:
        weights = weights or shipped_model()
        checkpoint = read_checkpoint(weights, classes)
        side = asked_side(encoder_side, checkpoint.encoder_side)
        return Model(checkpoint.network(), checkpoint.classes, str(weights), checkpoint.sha256, side)
    class_set = class_set_named(classes) if classes else class_set_for_count(NetworkConfig().num_classes)
    config = NetworkConfig(variant=variant or NetworkConfig().variant, num_classes=len(class_set))
    return Model(build_network(config), class_set, "", "", asked_side(encoder_side, 0))


def build_engine(model: Model, device: str, backend: str, precision: str = "auto") -> BaseEngine:
    """The engine of one backend (not auto); rewritten ones are verified against the paper's graph first."""
    info = model.info(backend, device)
    if backend == "eager":
        return EagerEngine(model.network, info)
    if backend == "torch":
        allowed = BF16_DIFFERENCE if precision == "bf16" else FUSED_DIFFERENCE
        return verified(torch_engine(model.network, info, precision), model.network, allowed)
    if backend == "torch-plain":
        return verified(RewrittenEngine(model.network, info, Operators()), model.network)
    key = model.sha256[:16] or f"{UNTRAINED}-{model.network.config.variant}-{len(model.classes)}"
    return _GRAPH_ENGINES[backend](ExportedOnDemand(model.network, model.classes, key), info)


_GRAPH_ENGINES = {"onnx": OnnxEngine, "openvino": OpenVinoEngine}


def _from_onnx(path: Path, device: str, backend: str, classes: str, encoder_side: str | int) -> BaseEngine:
    file: OnnxFile = read_onnx(path)
    if classes and class_set_named(classes) != file.classes:
        wanted = class_set_named(classes)
        raise ConfigError(
            f"classes: {wanted.name} ({len(wanted)}) was asked for, {path} was exported with {file.classes.name} "
            f"({len(file.classes)}): leave classes empty or export the right weights"
        )
    backend = "onnx" if backend == "auto" else backend
    if backend not in _GRAPH_ENGINES:
        raise ConfigError(f"backend {backend} does not run ONNX files: expected one of {', '.join(_GRAPH_ENGINES)}")
    weights = "" if file.provenance.get(EXPORTED_FROM) == UNTRAINED_NOTICE else str(path)
    side = file.asked_side(encoder_side)
    info = EngineInfo(backend, device, file.config.title, file.classes, weights, file.sha256, encoder_side=side)
    return _GRAPH_ENGINES[backend](file, info)


def check_precision(precision: str, device: str, backend: str = "auto") -> None:
    """ConfigError unless ``backend`` on ``device`` can compute in ``precision``."""
    if precision not in ("auto", "fp32") and (device == "cpu" or backend not in ("auto", "torch")):
        raise ConfigError(
            f"precision {precision} is for backend torch on CUDA, not for {backend} on {device}: use fp32"
        )


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
