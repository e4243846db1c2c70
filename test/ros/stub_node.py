"""The real node with a stub engine, as a process."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from stub_engine import StubEngine

from mrfs_ros.ros.engine_startup import WARM_UP_FRAMES
from mrfs_ros.ros.node import MrfsNode
from mrfs_ros.ros.node_program import main

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--fail-every", type=int, default=0)
    parser.add_argument("--out-of-memory", action="store_true")
    options, rest = parser.parse_known_args()
    sys.argv = [sys.argv[0], *rest]
    error = RuntimeError("CUDA out of memory. Tried to allocate 2 GiB") if options.out_of_memory else ValueError("oops")
    stub = StubEngine(delay_s=options.delay, fail_every=options.fail_every, fault=error, warm_up=WARM_UP_FRAMES)
    sys.exit(main(lambda: MrfsNode(engine=stub)))
