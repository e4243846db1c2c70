"""Outputs of a pair, one for each topic below ``~/``, made when somebody asks: the same for the live node and bags."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from mrfs_ros.camera.encoded import encode_jpeg, encode_png
from mrfs_ros.config import NodeConfig
from mrfs_ros.draw import alignment, class_colors, overlay
from mrfs_ros.engine.protocol import UNTRAINED_NOTICE, Engine, EngineInfo
from mrfs_ros.objects import SegmentedObject, find_objects, object_ids
from mrfs_ros.preprocess import PairImages
from mrfs_ros.process import check_gives_confidence
from mrfs_ros.types import FusionResult


@dataclass(frozen=True)
class PairOutputs:
    """One pair and its result, and everything else that is made of them, each once at most.

    Args:
        images: The pair.
        result: What the network made of it.
        info: The network, whose classes these are.
        config: How outputs look, and what an object is.
        degrees: Gives the thermal image in degrees Celsius on the result's grid, (H, W) float32, NaN where there is
            none; None where its values are no temperatures.
    """

    images: PairImages
    result: FusionResult
    info: EngineInfo
    config: NodeConfig
    degrees: Callable[[], np.ndarray | None]

    @cached_property
    def celsius(self) -> np.ndarray | None:
        """See ``degrees``."""
        return self.degrees()

    @cached_property
    def overlay(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB."""
        notice = UNTRAINED_NOTICE if self.info.untrained else ""
        fused, labels = self.result.fused, self.result.labels
        return overlay(fused, labels, self.info.classes, opacity=self.config.overlay_opacity, notice=notice)

    @cached_property
    def objects(self) -> list[SegmentedObject]:
        """Connected parts of the classes that ``object_classes`` names."""
        classes, config = self.info.classes, self.config
        ids = object_ids(config.object_classes, classes)
        return find_objects(self.result, classes, ids, min_area=config.min_object_area, celsius=self.celsius)


def check_outputs(config: NodeConfig, engine: Engine, *, confidence: bool = False) -> None:
    """ConfigError for settings of outputs that do not fit ``engine``; ``confidence``: an output needs that."""
    if confidence or config.min_confidence:
        check_gives_confidence(engine)
    object_ids(config.object_classes, engine.info.classes)


def told_silent(names: Iterable[str], unit: str) -> str:
    """Why outputs of ``names`` will stay silent with thermal values in ``unit``, in one line; empty = they will not."""
    silent = [name for name in names if name in ("thermal", TEMPERATURES)] if unit == "counts" else []
    return f"no {' and '.join(silent)}: {NO_DEGREES.format(unit)}" if silent else ""


Pixels = Callable[[PairOutputs], np.ndarray | None]
IMAGES: dict[str, tuple[str, Pixels]] = {
    "segmentation": ("mono8", lambda made: made.result.labels),
    "segmentation_color": ("rgb8", lambda made: class_colors(made.result.labels, made.info.classes)),
    "overlay": ("rgb8", lambda made: made.overlay),
    "alignment": ("rgb8", lambda made: alignment(made.images.rgb, made.images.thermal, made.images.valid)),
    "confidence": ("mono8", lambda made: made.result.confidence),
    "thermal": ("32FC1", lambda made: made.celsius),
    "fused": ("rgb8", lambda made: made.result.fused),
}
"""Image outputs: encoding of the message, and the pixels; None = there are none of this pair."""
COMPRESSED = {f"{name}/compressed": name for name in ("segmentation", "overlay", "fused")}
"""Compressed outputs, and the image that each is made of: ids as PNG, colours as JPEG."""
OBJECTS, TEMPERATURES = "objects", "object_temperatures"
NO_DEGREES = "thermal values are no temperatures (thermal_unit: {}, or 8 bits, colours, no thermal image)"
"""Why there is no output in degrees Celsius of a pair."""
POINT = np.dtype(
    [*((name, "<f4") for name in ("x", "y", "z")), ("class_id", "<u4")]
    + [(name, "<f4") for name in ("score", "mean_celsius", "max_celsius")]
)  # fmt: skip
"""A point of ``object_temperatures``: centre of the box [pixels], z = 0, as in ``objects``, then degrees Celsius."""

POINT_TYPES = {"<f4": 7, "<u4": 6}
"""Types of its fields as sensor_msgs/PointField numbers them: FLOAT32, UINT32."""


class Messages(Protocol):
    """Makes messages under one header."""

    def image(self, pixels: np.ndarray, encoding: str) -> Any:
        """A sensor_msgs/Image of (H, W) or (H, W, C) pixels."""

    def compressed(self, content: bytes, kind: str) -> Any:
        """A sensor_msgs/CompressedImage; ``kind``: jpeg or png."""

    def detections(self, objects: list[SegmentedObject]) -> Any:
        """A vision_msgs/Detection2DArray."""

    def points(self, points: np.ndarray) -> Any:
        """A sensor_msgs/PointCloud2 of (N,) ``POINT``."""


def output_message(name: str, made: PairOutputs, messages: Messages) -> Any | None:
    """The message of output ``name`` for a pair; None where there is none of this pair.

    Args:
        name: One of ``OUTPUTS``.
        made: The pair; for ``CONFIDENT_OUTPUTS``, with confidence.
        messages: What makes it.
    """
    if name == OBJECTS:
        return messages.detections(made.objects)
    if name == TEMPERATURES:
        return None if made.celsius is None else messages.points(_points(made.objects))
    encoding, pixels = IMAGES[COMPRESSED.get(name, name)]
    image = pixels(made)
    if name not in COMPRESSED:
        return None if image is None else messages.image(image, encoding)
    if encoding == "mono8":
        return messages.compressed(encode_png(image), "png")
    return messages.compressed(encode_jpeg(image, made.config.jpeg_quality), "jpeg")


def _points(objects: list[SegmentedObject]) -> np.ndarray:
    rows = []
    for found in objects:
        degrees = (float("nan") if value is None else value for value in (found.mean_celsius, found.max_celsius))
        rows.append((*found.center, 0, found.class_id, found.score, *degrees))
    return np.array(rows, POINT)
