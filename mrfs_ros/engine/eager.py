"""The paper's graph run as written, in float32: the baseline that every faster engine is measured against."""

from __future__ import annotations

import numpy as np
import torch

from mrfs_ros.engine.protocol import EngineInfo, check_pair
from mrfs_ros.network import MRFS
from mrfs_ros.types import FusionResult


class EagerEngine:
    """See ``Engine``; runs ``network`` on ``info.device``."""

    def __init__(self, network: MRFS, info: EngineInfo):
        self.info = info
        self._device = torch.device(info.device)
        self._network = network.eval().to(self._device)

    def __call__(self, rgb: np.ndarray, thermal: np.ndarray) -> FusionResult:
        check_pair(rgb, thermal)
        with torch.inference_mode():
            logits, fused = self._network(self._upload(rgb).permute(0, 3, 1, 2), self._upload(thermal)[:, None])
            fused_u8 = fused[0].permute(1, 2, 0).mul(255).round().to(torch.uint8)
            labels = logits[0].argmax(0).to(torch.uint8)
            return FusionResult(fused_u8.contiguous().cpu().numpy(), labels.cpu().numpy())

    def device_report(self) -> dict[str, str]:
        if self._device.type != "cuda":
            return {"torch threads": str(torch.get_num_threads())}
        free, total = torch.cuda.mem_get_info(self._device)
        return {
            "GPU": torch.cuda.get_device_name(self._device),
            "GPU memory used [MiB]": str((total - free) >> 20),
            "GPU memory total [MiB]": str(total >> 20),
        }

    def _upload(self, image: np.ndarray) -> torch.Tensor:
        # torch wants memory that it may write to; frames out of messages and bags can be read-only.
        tensor = torch.from_numpy(np.require(image, requirements=["C", "W"]))
        return normalised(tensor.to(self._device)[None])


def normalised(images: torch.Tensor) -> torch.Tensor:
    """uint8 pixels of any shape as the network's float32 in [0, 1]."""
    return images.float().div(255)
