"""Base of the engines: checks of the images, one pair as a batch of one, out-of-memory errors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from mrfs_ros.engine.encoder_side import EncoderSide
from mrfs_ros.engine.protocol import EngineInfo, check_batch, check_pair
from mrfs_ros.engine.temporal_smoothing import Average, TemporalSmoothing
from mrfs_ros.errors import ConfigError, ImageError
from mrfs_ros.label_groups import LabelGroups
from mrfs_ros.types import FusionResult


class BaseEngine(ABC):
    """See ``Engine``; subclasses run a checked batch."""

    has_logits = False  # or what it runs ends in labels
    gives_confidence = True
    smoothing: TemporalSmoothing | None = None
    label_groups: LabelGroups | None = None

    def __init__(self, info: EngineInfo):
        self.info = info
        self._logits = len(info.classes)  # a pixel
        self.device = torch.device(info.device)

    def __call__(self, rgb: np.ndarray, thermal: np.ndarray, *, confidence: bool = False) -> FusionResult:
        check_pair(rgb, thermal)
        return FusionResult(*(array[0] for array in self._guarded(self._run, rgb[None], thermal[None], confidence)))

    def batch(self, rgb: np.ndarray, thermal: np.ndarray, *, confidence: bool = False) -> tuple[np.ndarray, ...]:
        check_batch(rgb, thermal)
        return self._guarded(self._run, rgb, thermal, confidence)

    def use_encoder_side(self, side: EncoderSide) -> None:
        """See ``SidedEngine``."""
        self.info = replace(self.info, encoder_side=side)

    def use_temporal_smoothing(self, share: float) -> None:
        """Average the logits of pairs that follow each other; ``share`` as of ``TemporalSmoothing``, 0 = off.

        Raises:
            ConfigError: for another share, and for a backend whose network ends in labels.
        """
        if share and not self.has_logits:
            raise ConfigError(
                f"temporal_smoothing: backend {self.info.backend} gives labels, no logits: use backend torch, "
                "torch-plain or eager"
            )
        self.smoothing = TemporalSmoothing(share) if share else None

    def use_label_groups(self, groups: LabelGroups) -> None:
        """Give the labels of ``groups`` from now on; ``info`` has their classes. The network stays as it is."""
        self.label_groups, self.info = groups, replace(self.info, classes=groups.classes)

    def _encoder_size(self, rgb: np.ndarray) -> tuple[int, int] | None:
        """At which size encoders see a batch (B, H, W, 3); None = its own. ImageError if it is too small for that."""
        return self.info.encoder_side.size(rgb.shape[1:3])

    def _average(self, rgb: np.ndarray) -> Average | None:
        """What a batch (B, H, W, 3) goes on with whose logits are at a quarter of the encoders' size; None = off."""
        if self.smoothing is None:
            return None
        height, width = self._encoder_size(rgb) or rgb.shape[1:3]
        shape = -(-height // 4), -(-width // 4), self._logits
        return self.smoothing.average(len(rgb), shape, self.device)

    def device_report(self) -> dict[str, str]:
        if self.device.type != "cuda":
            return {"torch threads": str(torch.get_num_threads())}
        free, total = torch.cuda.mem_get_info(self.device)
        return {
            "GPU": torch.cuda.get_device_name(self.device),
            "GPU memory used [MiB]": str((total - free) >> 20),
            "GPU memory total [MiB]": str(total >> 20),
        }

    @abstractmethod
    def _run(self, rgb: np.ndarray, thermal: np.ndarray, confidence: bool) -> tuple[np.ndarray, ...]:
        """Fused images, labels and, where asked for, confidence of a checked batch; see ``ConfidentEngine.batch``."""

    def _guarded(
        self, run: Callable[..., tuple[np.ndarray, ...]], rgb: np.ndarray, *others: Any
    ) -> tuple[np.ndarray, ...]:
        try:
            fused, labels, *more = run(rgb, *others)
            return fused, labels if self.label_groups is None else self.label_groups.table[labels], *more
        except (MemoryError, RuntimeError) as error:
            if not _is_out_of_memory(error):
                raise
        # Outside of the handler, whose exception holds on to every tensor of the frame that failed.
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        count, height, width = rgb.shape[:3]
        raise ImageError(
            f"out of memory for {count} pair(s) of {height}x{width} (HxW) on {self.info.device}: "
            "use smaller images, a smaller batch or another device",
            "out_of_memory",
        )


def as_tensor(images: np.ndarray) -> torch.Tensor:
    """The same memory where that can be: torch wants it writable, and frames out of messages can be read-only."""
    return torch.from_numpy(np.require(images, requirements=["C", "W"]))


# How PyTorch, its libraries (oneDNN: "a primitive") and ONNX Runtime say it; none has a type of its own for the CPU.
OUT_OF_MEMORY = (
    "can't allocate memory", "not enough memory", "out of memory", "bad_alloc", "could not create a primitive",
    "could not execute a primitive",
)  # fmt: skip


def _is_out_of_memory(error: Exception) -> bool:
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return any(words in str(error) for words in OUT_OF_MEMORY)
