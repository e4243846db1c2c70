"""What each rewrite of the network brings on this machine: arithmetic counted, time measured, part by part, in turns.

    python benchmarks/rewrites.py --variant mit_b0 --size 480x640 --rounds 15

Prints a Markdown table. "predicted" is the ratio of multiply-accumulates (counted by PyTorch); time can gain more,
where less memory is moved, or less, where something else than arithmetic takes it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from mrfs_ros.cli.options import pixels
from mrfs_ros.config import NetworkConfig
from mrfs_ros.engine.allocator import keep_memory
from mrfs_ros.engine.operators import Operators
from mrfs_ros.engine.operators.native import NativeOperators
from mrfs_ros.engine.rewritten import RewrittenMRFS
from mrfs_ros.network import MRFS, VARIANTS, build_network
from mrfs_ros.network.backbone import RGB, THERMAL

PARTS = ("encoders", "IGM-Att", "PC-Att", "segmentation head and labels", "fusion head")
Parts = dict[str, Callable[[], object]]


def channels_last(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1).contiguous()


def plain_parts(network: MRFS, rgb: Tensor, thermal: Tensor) -> tuple[Parts, dict[str, list]]:
    """The paper's graph in parts that run on recorded inputs; these inputs, for the rewritten parts."""
    encoders = network.backbone
    thermal3 = thermal.expand(-1, 3, -1, -1)
    stage_inputs, encoded, visual, semantic = [], [], [], []
    pair = (rgb, thermal3)
    for i in range(4):
        stage_inputs.append(pair)
        encoded.append((encoders._stage(RGB, i + 1, pair[0]), encoders._stage(THERMAL, i + 1, pair[1])))
        pair = encoders.IGMAVCs[i](*encoded[-1])
        visual.append(pair)
        semantic.append(encoders.PCASCs[i](*pair))
    size = (rgb.shape[2], rgb.shape[3])
    parts = {
        "encoders": lambda: [
            encoders._stage(prefix, i + 1, x)
            for i, pair in enumerate(stage_inputs)
            for prefix, x in zip((RGB, THERMAL), pair)
        ],
        "IGM-Att": lambda: [encoders.IGMAVCs[i](*pair) for i, pair in enumerate(encoded)],
        "PC-Att": lambda: [encoders.PCASCs[i](*pair) for i, pair in enumerate(visual)],
        "segmentation head and labels": lambda: network.decode_head(semantic, size).argmax(1),
        "fusion head": lambda: network.aux_head(*map(list, zip(*visual)), rgb, thermal3),
    }
    return parts, {"stages": stage_inputs, "encoded": encoded, "visual": visual, "semantic": semantic}


def rewritten_parts(network: RewrittenMRFS, inputs: dict[str, list], rgb: Tensor, thermal: Tensor) -> Parts:
    """The same parts of the rewritten network; what it overwrites is random anyway, and stays finite."""
    inputs = {
        name: [tuple(map(channels_last, pair)) for pair in inputs[name]] for name in ("stages", "encoded", "visual")
    }
    inputs["stages"][0] = (channels_last(rgb), channels_last(thermal))
    scales = [scale(*pair) for scale, pair in zip(network.fusion.scales, inputs["visual"])]
    cycles = [cycle(*pair) for cycle, pair in zip(network.cycle, inputs["visual"])]
    run, size = network.operators, (rgb.shape[2], rgb.shape[3])
    fused_from = (channels_last(rgb), channels_last(thermal))

    def fuse() -> Tensor:
        for scale, pair in zip(network.fusion.scales, inputs["visual"]):
            scale(*pair)
        return network.fusion(scales, *fused_from)

    return {
        "encoders": lambda: [
            stage(x)
            for stages, pair in zip(zip(network.rgb, network.thermal), inputs["stages"])
            for stage, x in zip(stages, pair)
        ],
        "IGM-Att": lambda: [part(*pair) for part, pair in zip(network.exchange, inputs["encoded"])],
        "PC-Att": lambda: [part(*pair) for part, pair in zip(network.cycle, inputs["visual"])],
        "segmentation head and labels": lambda: run.labels(network.segmentation(cycles), size),
        "fusion head": fuse,
    }


def multiply_accumulates(work: Callable[[], object]) -> float:
    """Billions of them in one run."""
    # PyTorch counts nothing in its fused attention kernels, only in the two products that they are made of.
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        work()
    return counter.get_total_flops() / 2e9


def measured(engines: dict[str, Parts], rounds: int) -> dict[str, dict[str, float]]:
    """Median milliseconds by engine and part, engines in turns."""
    times = {name: {part: [] for part in PARTS} for name in engines}
    for number in range(rounds + 1):
        for part in PARTS:
            for name, parts in engines.items():
                start = time.perf_counter()
                parts[part]()
                if number:  # the first round warms up
                    times[name][part].append(1000 * (time.perf_counter() - start))
    return {name: {part: median(values) for part, values in parts.items()} for name, parts in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variant", default="mit_b0", choices=VARIANTS)
    parser.add_argument("--size", type=pixels, default=(480, 640), help="HxW in pixels")
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    keep_memory()
    network = build_network(NetworkConfig(variant=arguments.variant)).eval()
    rgb, thermal = torch.rand(1, 3, *arguments.size), torch.rand(1, 1, *arguments.size)
    with torch.inference_mode():
        plain, inputs = plain_parts(network, rgb, thermal)
        engines = {"eager": plain}
        for name, operators in (("torch-plain", Operators()), ("C++", NativeOperators(network.config))):
            engines[name] = rewritten_parts(RewrittenMRFS(network, operators), inputs, rgb, thermal)
        counts = {name: {p: multiply_accumulates(engines[name][p]) for p in PARTS} for name in ("eager", "torch-plain")}
        times = measured(engines, arguments.rounds)
    print("| part | GMAC | rewritten | predicted | eager ms | torch-plain ms | gain | C++ operators ms | gain |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for part in (*PARTS, "sum"):
        names = PARTS if part == "sum" else [part]
        before, after = (sum(counts[name][p] for p in names) for name in ("eager", "torch-plain"))
        eager, torch_plain, native = (sum(times[name][p] for p in names) for name in engines)
        print(
            f"| {part} | {before:.2f} | {after:.2f} | {before / after:.1f}x | {eager:.1f} | {torch_plain:.1f} | "
            f"{eager / torch_plain:.1f}x | {native:.1f} | {eager / native:.1f}x |"
        )


if __name__ == "__main__":
    main()
