"""ONNX files: the whole path of a network for one input shape, with its classes inside."""

from __future__ import annotations

import json
import os
import re
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mrfs_ros import __version__
from mrfs_ros.checkpoint import metadata_of, read_metadata, sha256_of
from mrfs_ros.config import NetworkConfig
from mrfs_ros.engine.cache_folder import cache_folder, not_writable
from mrfs_ros.engine.encoder_side import OWN, EncoderSide, asked_side
from mrfs_ros.engine.onnx_session import cpu_session
from mrfs_ros.engine.operators import Operators
from mrfs_ros.engine.rewritten.image_pipeline import Pipeline
from mrfs_ros.errors import CheckpointError, ConfigError, ImageError, needs_package
from mrfs_ros.network import MRFS
from mrfs_ros.types import ClassSet

OPSET = 17  # the first with LayerNormalization
EXPORTED_FROM = "exported from"  # in the provenance: the weights file's name
LONGEST_EXPORT_S = 3600
INPUTS, OUTPUTS, CONFIDENCE = ("rgb", "thermal"), ("fused", "labels"), "confidence"
Shape = tuple[int, int, int]
"""Batch, height, width."""
Size = tuple[int, int]
"""Height, width."""


@dataclass(frozen=True)
class OnnxFile:
    """An exported network; ``shape``: the only input it takes; ``encoder_side``: at which its encoders see that.

    ``gives_confidence``: it has that output.
    """

    path: Path
    config: NetworkConfig
    classes: ClassSet
    provenance: dict[str, Any]
    sha256: str
    shape: Shape
    encoder_side: EncoderSide
    gives_confidence: bool = False

    def graph(self, shape: Shape, encoder_size: Size | None = None, confidence: bool = False) -> Path:
        """The file, if it gives what is asked for at ``shape`` and ``encoder_size``; ImageError or ConfigError if not.

        ConfigError for ``confidence`` of a network that was exported without.
        """
        if confidence and not self.gives_confidence:
            raise ConfigError(f"{self.path} was exported without confidence: export it with mrfs export --confidence")
        if shape != self.shape:
            raise ImageError(
                f"{self.path} was exported for {described(self.shape)}, got {described(shape)}: "
                f"mrfs export --onnx FILE.onnx --size {shape[1]}x{shape[2]} --batch {shape[0]} makes one for that",
                "size_mismatch",
            )
        if encoder_size != self.encoder_side.size(shape[1:]):
            raise self.other_side(f"{encoder_size[0]}x{encoder_size[1]}" if encoder_size else "the image's own size")
        return self.path

    def asked_side(self, asked: str | int) -> EncoderSide:
        """Its own side, if a user ``asked`` for that; ConfigError with both otherwise."""
        side = asked_side(asked, self.encoder_side.pixels)
        if side.size(self.shape[1:]) != self.encoder_side.size(self.shape[1:]):
            raise self.other_side(str(side))
        return self.encoder_side

    def other_side(self, asked: str) -> ConfigError:
        """The refusal of another side than its own."""
        return ConfigError(
            f"{self.path} was exported with encoder side {self.encoder_side.pixels or self.encoder_side}, asked for is "
            f"{asked}: leave encoder_side out, or export with it: mrfs export --onnx FILE.onnx --encoder-side N"
        )


@dataclass(frozen=True)
class ExportedOnDemand:
    """A network's ONNX files for whatever shapes are asked for, kept in the cache folder under ``key``."""

    network: MRFS
    classes: ClassSet
    key: str

    gives_confidence = True

    def graph(self, shape: Shape, encoder_size: Size | None = None, confidence: bool = False) -> Path:
        """The file for ``shape`` and ``encoder_size``, exported now if it is not there yet."""
        sizes = "-".join("x".join(map(str, size)) for size in (shape, encoder_size) if size)
        kind = f"-{CONFIDENCE}" if confidence else ""
        path = cache_folder() / f"{self.key}-{__version__}-{sizes}{kind}.onnx"
        if not _is_whole(path):
            try:
                side = EncoderSide(min(encoder_size) if encoder_size else 0)
                export_onnx(path, self.network, self.classes, shape, {}, side, confidence=confidence)
            except OSError as error:
                raise not_writable(path, error) from error
        return path


def outputs(confidence: bool) -> tuple[str, ...]:
    """Names of a graph's outputs."""
    return (*OUTPUTS, CONFIDENCE) if confidence else OUTPUTS


def described(shape: Shape) -> str:
    """A shape in words."""
    return f"{shape[0]} pair(s) of {shape[1]}x{shape[2]} (HxW)"


class _OfTwoImages(torch.nn.Module):
    """A pipeline with its encoder size and outputs, for the exporter, whose inputs are tensors only."""

    def __init__(self, pipeline: Pipeline, encoder_size: Size | None, confidence: bool):
        super().__init__()
        self.pipeline, self.encoder_size, self.confidence = pipeline, encoder_size, confidence

    def forward(self, rgb: Tensor, thermal: Tensor) -> tuple[Tensor, ...]:
        return self.pipeline(rgb, thermal, self.encoder_size, None, self.confidence)


def export_onnx(
    path: Path,
    network: MRFS,
    classes: ClassSet,
    shape: Shape,
    provenance: dict[str, Any],
    side: EncoderSide = OWN,
    *,
    confidence: bool = False,
) -> None:
    """Write the rewritten network for one shape: uint8 rgb (B, H, W, 3) and thermal (B, H, W) to fused and labels.

    ``confidence``: and to that. Whole or not at all. MissingPackageError without the package onnx, ImageError for a
    ``side`` that is too large.
    """
    onnx = _onnx()
    encoder_size = side.size(shape[1:])
    pipeline = _OfTwoImages(Pipeline(network, Operators()), encoder_size, confidence)
    images = tuple(torch.zeros(size, dtype=torch.uint8) for size in ((*shape, 3), shape))
    for left in path.parent.glob(f"{path.name}.*.unfinished"):  # by exports that were killed
        if time.time() - left.stat().st_mtime > LONGEST_EXPORT_S:
            left.unlink(missing_ok=True)
    unfinished = Path(f"{path}.{os.getpid()}.unfinished")  # two processes may want the same file at once
    with warnings.catch_warnings(), torch.inference_mode():
        # The tracing exporter: seconds instead of half a minute, the same speed of the result, no further package. It
        # warns of its age, and that sizes become constants, as they shall.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            pipeline,
            images,
            unfinished,
            input_names=INPUTS,
            output_names=outputs(confidence),
            opset_version=OPSET,
            dynamo=False,
        )
    model = onnx.load(unfinished)
    pixels = side.pixels if encoder_size else 0
    metadata = metadata_of(network.config, classes, provenance, pixels) | {"shape": json.dumps(shape)}
    onnx.helper.set_model_props(model, metadata)
    onnx.save(model, unfinished)
    unfinished.replace(path)


def read_onnx(path: Path) -> OnnxFile:
    """What a file that ``export_onnx`` wrote says of itself; CheckpointError if it is none, or damaged."""
    onnx = _onnx()
    if not path.is_file():
        raise CheckpointError(f"no ONNX file at {path.absolute()}: mrfs export makes one")
    try:
        model = onnx.load(path)
    except Exception as error:  # protobuf has types of its own for damage
        raise CheckpointError(f"{path}: no whole ONNX file ({error}): export it again") from error
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    config, classes, provenance, side = read_metadata(path, metadata)
    if config is None or classes is None or "shape" not in metadata:
        raise CheckpointError(f"{path}: has no class names and input shape inside: export it with mrfs export")
    shape, side = _shape(path, metadata["shape"]), EncoderSide(side, "as exported" if side else "")
    confident = CONFIDENCE in {output.name for output in model.graph.output}
    return OnnxFile(path, config, classes, provenance, sha256_of(path), shape, side, confident)


def check_export(path: Path, network: MRFS, shape: Shape, side: EncoderSide = OWN) -> tuple[int, float]:
    """Run the file in ONNX Runtime and the network in PyTorch on one random pair.

    Returns the largest difference of fused, 0-255, and the share of equal labels.
    """
    draw = np.random.default_rng(0)
    rgb, thermal = (draw.integers(0, 256, size, np.uint8) for size in ((*shape, 3), shape))
    fused, labels = cpu_session(path).run(OUTPUTS, {"rgb": rgb, "thermal": thermal})
    with torch.inference_mode():
        images = torch.from_numpy(rgb), torch.from_numpy(thermal)
        expected = Pipeline(network, Operators())(*images, side.size(shape[1:]))
    difference = np.abs(fused.astype(int) - expected[0].numpy()).max()
    return int(difference), float((labels == expected[1].numpy()).mean())


def _is_whole(path: Path) -> bool:
    """Whether there is such a file, and nobody cut it short."""
    try:
        read_onnx(path)
    except CheckpointError:
        return False
    return True


def _shape(path: Path, text: str) -> Shape:
    match = re.fullmatch(r"\[(\d+), (\d+), (\d+)\]", text)
    if not match:
        raise CheckpointError(f"{path}: its metadata cannot be read (shape {text!r}): export it again")
    return int(match[1]), int(match[2]), int(match[3])


def _onnx():
    with needs_package("an ONNX file", "the package onnx", "onnx"):
        import onnx
    return onnx
