"""A stand-in for the network where a test is about transport, speed or faults.

fused = the rgb image, labels = thermal // 32, confidence = 255 - thermal, so that every answer shows which pair it
belongs to.
"""

from __future__ import annotations

import time

import numpy as np

from mrfs_ros.engine.protocol import EngineInfo, check_batch, check_pair
from mrfs_ros.types import MFNET, FusionResult


class StubEngine:
    """``delay_s`` a frame; raises ``fault`` on every ``fail_every``-th frame after the first ``warm_up``."""

    gives_confidence = True

    def __init__(self, *, delay_s: float = 0.0, fail_every: int = 0, fault: Exception | None = None, warm_up: int = 0):
        self.info = EngineInfo("stub", "cpu", "mit_b0", MFNET, "stub weights")
        self.calls = -warm_up
        self._delay_s = delay_s
        self._fail_every = fail_every
        self._fault = fault or ValueError("oops")

    def __call__(self, rgb: np.ndarray, thermal: np.ndarray, *, confidence: bool = False) -> FusionResult:
        check_pair(rgb, thermal)
        self.calls += 1
        time.sleep(self._delay_s if self.calls > 0 else 0.0)
        if self._fail_every and self.calls > 0 and self.calls % self._fail_every == 0:
            raise self._fault
        return FusionResult(rgb, thermal // 32, 255 - thermal if confidence else None)

    def batch(self, rgb: np.ndarray, thermal: np.ndarray, *, confidence: bool = False) -> tuple[np.ndarray, ...]:
        check_batch(rgb, thermal)
        results = [self(one, other, confidence=confidence) for one, other in zip(rgb, thermal)]
        names = ("fused", "labels", "confidence")[: 3 if confidence else 2]
        return tuple(np.stack([getattr(result, name) for result in results]) for name in names)

    def device_report(self) -> dict[str, str]:
        return {}
