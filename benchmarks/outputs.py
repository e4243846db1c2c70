"""Time of each of the node's outputs, beside the network, for a sample pair as the shipped model answers it.

``python benchmarks/outputs.py`` prints minimum and median [ms] of making the pixels and of making the ROS message, at
480x640, and what confidence adds to the network.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from statistics import median

import cv2
import numpy as np
import torch

from mrfs_ros import load_engine
from mrfs_ros.camera.image_io import read_rgb, read_thermal
from mrfs_ros.config import OUTPUTS, NodeConfig
from mrfs_ros.pair_outputs import PairOutputs, output_message
from mrfs_ros.preprocess import PairImages

SAMPLES = Path(__file__).resolve().parent.parent / "samples"
RUNS = 30


class Nothing:
    """Takes what messages are made of."""

    def __getattr__(self, name: str):
        return lambda *arguments: arguments


def milliseconds(call) -> tuple[float, float]:
    """Minimum and median of ``RUNS`` calls."""
    times = []
    for _ in range(RUNS):
        begin = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - begin))
    return min(times), median(times)


def main() -> None:
    """Print the table."""
    name = min(path.name for path in (SAMPLES / "rgb").iterdir())
    images = read_rgb(SAMPLES / "rgb" / name), read_thermal(SAMPLES / "thermal" / name)
    rgb, thermal = (cv2.resize(image, (640, 480), interpolation=cv2.INTER_AREA) for image in images)
    engine = load_engine()
    print(f"{engine.info}; {torch.get_num_threads()} threads")
    result = engine(rgb, thermal, confidence=True)
    celsius = thermal.astype(np.float32) / 8
    made = PairOutputs(PairImages(rgb, thermal), result, engine.info, NodeConfig(), lambda: celsius)
    print(f"{len(made.objects)} objects\n\n| | minimum [ms] | median [ms] |\n| --- | --- | --- |")
    for title, wanted in (("network", False), ("network with confidence", True)):
        print(
            "| {} | {:.2f} | {:.2f} |".format(title, *milliseconds(lambda w=wanted: engine(rgb, thermal, confidence=w)))
        )
    for output in OUTPUTS:
        times = milliseconds(lambda name=output: output_message(name, replace(made), Nothing()))
        print("| {} | {:.2f} | {:.2f} |".format(output, *times))


if __name__ == "__main__":
    main()
