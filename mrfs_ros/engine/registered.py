"""A pipeline behind the warp of thermal images, all on one device, to the same bytes as warping before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from mrfs_ros.engine.temporal_smoothing import Average
from mrfs_ros.types import UNLABELLED

if TYPE_CHECKING:  # OpenCV is not needed here
    from mrfs_ros.geometry.warp import Warp

STEPS = 32  # of a pixel, as in Warp.parts


class RegisteredPipeline(nn.Module):
    """``pipeline`` (see ``Pipeline``) for thermal images that are not on the rgb images' grid.

    The warp's tables are buffers, which ``take`` fills anew in place: what a CUDA graph captured stays right.
    """

    def __init__(self, pipeline: nn.Module, warp: Warp):
        super().__init__()
        self.pipeline = pipeline
        self._warp: Warp | None = warp
        self._sizes = warp.thermal_size, warp.valid.shape
        for name, table in _tables(warp).items():
            self.register_buffer(name, table, persistent=False)

    def take(self, warp: Warp) -> None:
        """Go on with another warp between images of the same sizes."""
        if warp is self._warp:
            return
        if (warp.thermal_size, warp.valid.shape) != self._sizes:
            raise ValueError(f"expected a warp of sizes {self._sizes}, got {(warp.thermal_size, warp.valid.shape)}")
        self._warp = None  # until every table is copied
        for name, table in _tables(warp).items():
            getattr(self, name).copy_(table)
        self._warp = warp

    def forward(
        self,
        rgb: Tensor,
        thermal: Tensor,
        encoder_size: tuple[int, int] | None = None,
        average: Average | None = None,
        confidence: bool = False,
    ) -> tuple[Tensor, ...]:
        """``rgb`` (B, H, W, 3) and ``thermal`` (B, h, w), uint8, to what ``pipeline`` gives."""
        fused, labels, *others = self.pipeline(rgb, self.warped(thermal), encoder_size, average, confidence)
        fused, labels = torch.where(self.valid[..., None], fused, rgb), torch.where(self.valid, labels, UNLABELLED)
        return fused, labels, *(torch.where(self.valid, x, 0) for x in others)

    def warped(self, thermal: Tensor) -> Tensor:
        """(B, H, W) uint8 of (B, h, w) uint8: the four pixels around, weighted in 1024ths, rounded."""
        around = thermal.flatten(1).index_select(1, self.corners).unflatten(1, (4, *self._sizes[1]))
        return (
            ((around * self.weights).sum(dim=1, dtype=torch.int32) + STEPS**2 // 2)
            .div(STEPS**2, rounding_mode="floor")
            .to(torch.uint8)
        )


def _tables(warp: Warp) -> dict[str, Tensor]:
    """``corners``: (4 H W) int32, places in a flat thermal image. ``weights``: (4, H, W) int32. ``valid``: (H, W)."""
    height, width = warp.thermal_size
    x, y = (warp.whole[..., i].astype(np.int32) for i in (0, 1))
    right, down = (part.astype(np.int32) for part in (warp.parts % STEPS, warp.parts // STEPS))
    corners, weights = [], []
    for beside, below in ((0, 0), (1, 0), (0, 1), (1, 1)):
        corners.append((y + below).clip(0, height - 1) * width + (x + beside).clip(0, width - 1))
        weights.append((right if beside else STEPS - right) * (down if below else STEPS - down))
    return {
        "corners": torch.from_numpy(np.stack(corners).ravel()),
        "weights": torch.from_numpy(np.stack(weights) * warp.valid),
        "valid": torch.from_numpy(warp.valid.copy()),
    }
