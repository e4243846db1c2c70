"""Arithmetic rate of the whole path beside that of a large matrix product on the same cores, in turns with eager.

    python benchmarks/rate.py --variants mit_b0,mit_b2,mit_b4 --rounds 9

For AVX2 on a processor with AVX-512, restrict the operators and every library that eager and the product use:

    MRFS_OPERATORS=avx2 ONEDNN_MAX_CPU_ISA=AVX2 MKL_ENABLE_INSTRUCTIONS=AVX2 ATEN_CPU_CAPABILITY=avx2 \\
        python benchmarks/rate.py

Prints a Markdown table. GFLOP: of the products of the rewritten network (two for a multiplication with its addition),
counted by PyTorch; norms, exponentials, interpolation and images take time and count for nothing. Of two numbers the
first is the median over the rounds, the second belongs to the shortest time of each.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import torch
from rewrites import multiply_accumulates

from mrfs_ros.cli.options import pixels
from mrfs_ros.engine.allocator import keep_memory
from mrfs_ros.engine.load import build_engine, load_model
from mrfs_ros.engine.operators import Operators
from mrfs_ros.engine.rewritten.image_pipeline import Pipeline
from mrfs_ros.engine.speeds import hardware

PRODUCT = 2048  # rows and columns of both matrices
SETTINGS = ("MRFS_OPERATORS", "ONEDNN_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS", "ATEN_CPU_CAPABILITY", "OMP_WAIT_POLICY")


def gflop(variant: str, rgb: np.ndarray, thermal: np.ndarray) -> float:
    """Of the rewritten network on this pair."""
    pipeline = Pipeline(load_model(f"untrained:{variant}").network, Operators())
    with torch.inference_mode():
        return 2 * multiply_accumulates(lambda: pipeline(*(torch.from_numpy(x[None]) for x in (rgb, thermal))))


def measured(tasks: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each task, by rounds, in turns; the first round warms up."""
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(rounds + 1):
        for name, task in tasks.items():
            start = time.perf_counter()
            task()
            times[name].append(time.perf_counter() - start)
    return {name: values[1:] for name, values in times.items()}


def row(variant: str, size: tuple[int, int], rounds: int) -> str:
    """A line of the table."""
    random = np.random.default_rng(0)
    pair = random.integers(0, 256, (*size, 3), np.uint8), random.integers(0, 256, size, np.uint8)
    model = load_model(f"untrained:{variant}")
    matrices = torch.rand(2, PRODUCT, PRODUCT)
    engines = {name: build_engine(model, "cpu", name) for name in ("eager", "torch")}
    times = measured(
        {
            "product": lambda: torch.mm(*matrices),
            "torch": lambda: engines["torch"](*pair),
            "eager": lambda: engines["eager"](*pair),
        },
        rounds,
    )
    work = gflop(variant, *pair)
    ours, eager, product = times["torch"], times["eager"], times["product"]
    speed = 2 * PRODUCT**3 / 1e9 / work  # GFLOP of the product for one of the network
    gain = [median(a / b for a, b in zip(eager, ours)), min(eager) / min(ours)]
    share = [median(a / b for a, b in zip(product, ours)) / speed, min(product) / min(ours) / speed]
    return (
        f"| {variant} | {size[0]}x{size[1]} | {work:.1f} | {1000 * median(eager):.0f}, {1000 * min(eager):.0f} | "
        f"{1000 * median(ours):.0f}, {1000 * min(ours):.0f} | {gain[0]:.2f}, {gain[1]:.2f} | "
        f"{work / median(ours):.0f}, {work / min(ours):.0f} | "
        f"{work * speed / median(product):.0f}, {work * speed / min(product):.0f} | {share[0]:.0%}, {share[1]:.0%} | "
        f"{engines['torch'].info.detail} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variants", default="mit_b0", help="comma-separated")
    parser.add_argument("--size", type=pixels, default=(480, 640), help="HxW in pixels")
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    keep_memory()
    settings = " ".join(f"{name}={os.environ[name]}" for name in SETTINGS if name in os.environ)
    print(
        f"{hardware('cpu')}, PyTorch {torch.__version__} with {torch.backends.cpu.get_cpu_capability()}, {settings}\n"
    )
    columns = ["network", "HxW", "GFLOP", "eager ms", "torch ms", "x eager", "GFLOP/s", "product GFLOP/s", "share"]
    columns.append("operators")
    print("| " + " | ".join(columns) + " |")
    print("| " + " | ".join("---" for _ in columns) + " |")
    for variant in arguments.variants.split(","):
        print(row(variant, arguments.size, arguments.rounds), flush=True)


if __name__ == "__main__":
    main()
