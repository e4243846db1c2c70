"""Engine protocol: the call, the description of an engine, the checks of a pair."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from mrfs_ros.engine.encoder_side import OWN, EncoderSide
from mrfs_ros.errors import ImageError
from mrfs_ros.types import ClassSet, FusionResult, check_pair_sizes

if TYPE_CHECKING:  # OpenCV and PyTorch are not needed here
    from mrfs_ros.engine.temporal_smoothing import TemporalSmoothing
    from mrfs_ros.geometry.warp import Warp

UNTRAINED_NOTICE = "UNTRAINED network: random weights"


@dataclass(frozen=True)
class EngineInfo:
    """What runs: ``weights`` is the file's path, or empty for an UNTRAINED network."""

    backend: str
    device: str
    variant: str
    classes: ClassSet
    weights: str
    sha256: str = ""  # of the weights file
    detail: str = ""  # how the backend runs here
    reason: str = ""  # why it was chosen, if backend was auto
    encoder_side: EncoderSide = OWN

    @property
    def untrained(self) -> bool:
        return not self.weights

    def __str__(self) -> str:
        classes = f"{len(self.classes)} classes ({self.classes.name})"
        weights = f"{self.weights} (sha256 {self.sha256[:12]})" if self.weights else UNTRAINED_NOTICE
        backend = f"{self.backend} ({self.detail})" if self.detail else self.backend
        reason = f", auto: {self.reason}" if self.reason else ""
        side = f", encoder side {self.encoder_side}" if self.encoder_side != OWN else ""
        return f"{self.variant}, {classes}, {backend} on {self.device}{side}, {weights}{reason}"


class Engine(Protocol):
    """A loaded network behind one call."""

    info: EngineInfo

    def __call__(self, rgb: np.ndarray, thermal: np.ndarray) -> FusionResult:
        """Fuse and segment one pair.

        ``rgb``: (H, W, 3) uint8, RGB. ``thermal``: (H, W) uint8, bright = hot as in the training data, on the
        rgb image's pixel grid. H, W from 32 up. Raises ImageError when a pair is anything else.
        """

    def batch(self, rgb: np.ndarray, thermal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Fuse and segment B pairs of one size at once.

        ``rgb``: (B, H, W, 3) uint8, RGB. ``thermal``: (B, H, W) uint8. Returns fused (B, H, W, 3) uint8, RGB, and
        labels (B, H, W) uint8. Raises ImageError as for one pair.
        """

    def device_report(self) -> dict[str, str]:
        """What is worth knowing of the device at this moment: name with unit, value."""


@runtime_checkable
class ConfidentEngine(Engine, Protocol):
    """An engine that can say how probable the classes are that it gives.

    ``gives_confidence``: and does so, for a network that was exported without cannot.
    """

    gives_confidence: bool

    def __call__(self, rgb: np.ndarray, thermal: np.ndarray, *, confidence: bool = False) -> FusionResult:
        """As ``Engine.__call__``, the result with ``confidence`` where that is asked for."""

    def batch(self, rgb: np.ndarray, thermal: np.ndarray, *, confidence: bool = False) -> tuple[np.ndarray, ...]:
        """As ``Engine.batch``, with confidence (B, H, W) uint8 as a third array where that is asked for.

        It is the softmax probability of the class that was chosen, in 255ths, rounded.
        """


@runtime_checkable
class RegisteringEngine(ConfidentEngine, Protocol):
    """An engine that warps thermal on its own device; for the others it is warped before."""

    def registered(
        self, rgb: np.ndarray, thermal: np.ndarray, warp: Warp, *, confidence: bool = False
    ) -> tuple[np.ndarray, ...]:
        """Fuse and segment B pairs of one size whose thermal images ``warp`` brings onto the rgb images' grid.

        ``rgb``: (B, H, W, 3) uint8, RGB. ``thermal``: (B, h, w) uint8. Returns as ``batch``; where the warp is not
        valid, ``rgb``, UNLABELLED and confidence 0. Raises ImageError as ``batch``.
        """


@runtime_checkable
class SidedEngine(Engine, Protocol):
    """An engine whose encoders can see pairs at another side than the image's own; ``info`` says which."""

    def use_encoder_side(self, side: EncoderSide) -> None:
        """Let the encoders see all pairs from now on at ``side``."""


@runtime_checkable
class SmoothingEngine(Engine, Protocol):
    """An engine that can average the logits of pairs that follow each other."""

    smoothing: TemporalSmoothing | None


def check_pair(rgb: np.ndarray, thermal: np.ndarray) -> None:
    """Raise ImageError unless the arrays are a pair that an engine takes (see ``Engine.__call__``)."""
    if not isinstance(rgb, np.ndarray) or rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3:
        raise ImageError(f"rgb: expected (H, W, 3) uint8, RGB order, got {_describe(rgb)}", "rgb_type")
    if not isinstance(thermal, np.ndarray) or thermal.dtype != np.uint8 or thermal.ndim != 2:
        raise ImageError(f"thermal: expected (H, W) uint8, one grey channel, got {_describe(thermal)}", "thermal_type")
    check_pair_sizes(rgb.shape[:2], thermal.shape)


def check_batch(rgb: np.ndarray, thermal: np.ndarray) -> None:
    """Raise ImageError unless the arrays are pairs that an engine takes (see ``Engine.batch``)."""
    counts = [len(x) if isinstance(x, np.ndarray) and x.ndim else 0 for x in (rgb, thermal)]
    if 0 in counts or counts[0] != counts[1]:
        raise ImageError(
            f"batch: expected as many rgb as thermal images, at least one, got {counts[0]} and {counts[1]}"
        )
    check_pair(rgb[0], thermal[0])


def check_registered(rgb: np.ndarray, thermal: np.ndarray, warp: Warp) -> None:
    """Raise ImageError unless the arrays and the warp are pairs (see ``RegisteringEngine.registered``)."""
    if not isinstance(thermal, np.ndarray) or thermal.dtype != np.uint8 or thermal.shape[1:] != warp.thermal_size:
        raise ImageError(
            f"thermal: expected (B, {warp.thermal_size[0]}, {warp.thermal_size[1]}) uint8 as the warp was made for, "
            f"got {_describe(thermal)}",
            "thermal_type",
        )
    check_batch(rgb, np.broadcast_to(np.uint8(0), (len(thermal), *warp.valid.shape)))


def _describe(value: object) -> str:
    return f"{value.shape} {value.dtype}" if isinstance(value, np.ndarray) else type(value).__name__
