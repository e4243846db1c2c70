"""The paper's graph run as written, in float32: the baseline that every faster engine is measured against."""

from __future__ import annotations

import numpy as np
import torch

from mrfs_ros.engine.base import BaseEngine, as_tensor
from mrfs_ros.engine.operators.plain import from_bytes, to_bytes
from mrfs_ros.engine.protocol import EngineInfo
from mrfs_ros.engine.temporal_smoothing import smoothed
from mrfs_ros.network import MRFS


class EagerEngine(BaseEngine):
    """See ``Engine``; runs ``network`` on ``info.device``."""

    has_logits = True

    def __init__(self, network: MRFS, info: EngineInfo):
        super().__init__(info)
        self._network = network.eval().to(self.device)

    def _run(self, rgb: np.ndarray, thermal: np.ndarray, confidence: bool) -> tuple[np.ndarray, ...]:
        with torch.inference_mode():
            images = (from_bytes(as_tensor(x).to(self.device)) for x in (rgb, thermal[..., None]))
            logits, fused = self._network(*(x.permute(0, 3, 1, 2) for x in images), self._encoder_size(rgb))
            if self.smoothing:
                logits = smoothed(logits, self.smoothing.average(len(rgb), logits.shape[1:], self.device))
            results = to_bytes(fused.permute(0, 2, 3, 1)).contiguous(), logits.argmax(1).to(torch.uint8)
            if confidence:
                results += (to_bytes(logits.softmax(1).amax(1)),)
            return tuple(result.cpu().numpy() for result in results)
