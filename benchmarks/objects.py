"""CPU time of finding objects on real 480x640 masks: labels alone, with confidence, with temperatures.

    python benchmarks/objects.py ../shared/data/msrs/label

CPU time of all threads, several rounds over all masks of the folder.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import cv2
import numpy as np

from mrfs_ros.objects import find_objects, object_ids
from mrfs_ros.types import FusionResult, class_set_named


def main() -> None:
    """Print for each kind of input the smallest and median time, and the best that the slowest mask ever had."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("labels", type=Path, help="folder of masks, PNG of class ids")
    parser.add_argument("--classes", default="MFNet")
    parser.add_argument("--min-area", type=int, default=100, metavar="PIXELS")
    parser.add_argument("--rounds", type=int, default=20)
    arguments = parser.parse_args()
    classes = class_set_named(arguments.classes)
    ids, rng = object_ids("", classes), np.random.default_rng(0)
    masks = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in sorted(arguments.labels.glob("*.png"))]
    size = masks[0].shape
    fused = np.zeros((*size, 3), np.uint8)
    confidence = rng.integers(0, 256, size, np.uint8)
    celsius = rng.uniform(-20, 60, size).astype(np.float32)
    celsius[rng.random(size) < 0.05] = np.nan
    kinds = {"labels": (None, None), "and confidence": (confidence, None), "and temperatures": (confidence, celsius)}
    for kind, (probable, degrees) in kinds.items():
        times, count = [], 0
        best = np.full(len(masks), np.inf)
        for _ in range(arguments.rounds):
            for number, mask in enumerate(masks):
                result = FusionResult(fused, mask, probable)
                begin_s = time.process_time()
                count += len(find_objects(result, classes, ids, arguments.min_area, degrees))
                times.append((time.process_time() - begin_s) * 1e3)
                best[number] = min(best[number], times[-1])
        print(
            f"{kind}: {len(masks)} masks of {size[0]}x{size[1]}, {count / len(times):.1f} objects each: "
            f"min {min(times):.2f} ms, median {np.median(times):.2f} ms, best of the slowest mask {best.max():.2f} ms"
        )


if __name__ == "__main__":
    main()
