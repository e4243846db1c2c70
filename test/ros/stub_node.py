"""The real node with a stub engine: a stand-in for the network where a test is about transport, speed or faults.

fused = the rgb image, labels = thermal // 32, so that every answer shows which pair it belongs to.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np

from mrfs_ros.engine.protocol import EngineInfo, check_pair
from mrfs_ros.ros.main import main
from mrfs_ros.ros.node import WARM_UP_FRAMES, MrfsNode
from mrfs_ros.types import MFNET, FusionResult


class StubEngine:
    """``delay_s`` a frame; raises ``fault`` on every ``fail_every``-th frame after the warm-up."""

    def __init__(self, *, delay_s: float, fail_every: int, fault: Exception):
        self.info = EngineInfo("stub", "cpu", "mit_b0", MFNET, "stub weights")
        self._delay_s = delay_s
        self._fail_every = fail_every
        self._fault = fault
        self._calls = -WARM_UP_FRAMES

    def __call__(self, rgb: np.ndarray, thermal: np.ndarray) -> FusionResult:
        check_pair(rgb, thermal)
        self._calls += 1
        time.sleep(self._delay_s if self._calls > 0 else 0.0)
        if self._fail_every and self._calls > 0 and self._calls % self._fail_every == 0:
            raise self._fault
        return FusionResult(rgb, thermal // 32)

    def device_report(self) -> dict[str, str]:
        return {}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--fail-every", type=int, default=0)
    parser.add_argument("--out-of-memory", action="store_true")
    options, rest = parser.parse_known_args()
    sys.argv = [sys.argv[0], *rest]
    error = RuntimeError("CUDA out of memory. Tried to allocate 2 GiB") if options.out_of_memory else ValueError("oops")
    stub = StubEngine(delay_s=options.delay, fail_every=options.fail_every, fault=error)
    sys.exit(main(lambda: MrfsNode(engine=stub)))
