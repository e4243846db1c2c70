"""Time that each C++ operator takes of a frame, and the rate of its products.

    python benchmarks/operators.py --variant mit_b0 --rounds 4

One thread, and its processor time: other programs on the machine lengthen that little. Each call counts with its
shortest time of all rounds. Prints a Markdown table; see rate.py for AVX2 on a processor with AVX-512.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch

from mrfs_ros.cli.options import pixels
from mrfs_ros.config import NetworkConfig
from mrfs_ros.engine.allocator import keep_memory
from mrfs_ros.engine.operators.native import NativeOperators
from mrfs_ros.engine.rewritten.image_pipeline import Pipeline
from mrfs_ros.engine.speeds import hardware
from mrfs_ros.network import VARIANTS, build_network


def multiplications(name: str, a: tuple) -> int:
    """Of a call's products, from its arguments in the order of the C function; 0 for operators that have none."""
    if name == "linear":
        return a[1] * a[5] * a[6]
    if name == "patches":
        return a[1] * a[12] * a[13] * a[11] * a[5] ** 2 * a[4]
    if name == "depthwise_gelu_linear":
        return a[1] * a[2] * a[3] * a[4] * (9 + a[9])
    if name == "attention":
        return 2 * a[2] * a[3] * a[4] * a[5] * a[6]
    if name == "decode":
        return a[1] * a[2] * a[3] * a[7] * (a[4] + a[13])
    return 0


def timed(call: Callable[..., None], calls: list[tuple[str, int, float]]) -> Callable[..., None]:
    """``call`` of an operator, which adds (name, multiplications, seconds) to ``calls``."""

    def run(name: str, *arguments: object) -> None:
        start = time.thread_time()
        call(name, *arguments)
        calls.append((name, multiplications(name, arguments), time.thread_time() - start))

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variant", default="mit_b0", choices=VARIANTS)
    parser.add_argument("--size", type=pixels, default=(480, 640), help="HxW in pixels")
    parser.add_argument("--rounds", type=int, default=4)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    keep_memory()
    network = build_network(NetworkConfig(variant=arguments.variant)).eval()
    operators = NativeOperators(network.config)
    calls: list[tuple[str, int, float]] = []
    operators._call = timed(operators._call, calls)
    pipeline = Pipeline(network, operators)
    rgb, thermal = (torch.randint(0, 256, (1, *arguments.size, *c), dtype=torch.uint8) for c in ((3,), ()))
    rounds = []
    with torch.inference_mode():
        for _ in range(arguments.rounds + 1):
            pipeline(rgb, thermal)
            rounds.append(tuple(calls))
            calls.clear()
    totals: dict[str, list[float]] = {}
    for same in zip(*rounds[1:]):  # one call in all rounds but the first, which warms up
        name, products, _ = same[0]
        for key in (name, "sum"):
            total = totals.setdefault(key, [0, 0, 0])
            for i, value in enumerate((1, 2e-9 * products, min(seconds for _, _, seconds in same))):
                total[i] += value
    print(
        f"{hardware('cpu')}, {operators.instructions}, {arguments.variant}, {arguments.size[0]}x{arguments.size[1]}\n"
    )
    print("| operator | calls | GFLOP | ms | share | GFLOP/s |\n| --- | --- | --- | --- | --- | --- |")
    for name, (count, gflop, seconds) in sorted(totals.items(), key=lambda item: item[1][2]):
        share = seconds / totals["sum"][2]
        print(f"| {name} | {count} | {gflop:.2f} | {1000 * seconds:.1f} | {share:.0%} | {gflop / seconds:.1f} |")


if __name__ == "__main__":
    main()
