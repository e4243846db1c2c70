"""What a bag costs beside the network: ``python benchmarks/bags.py [overhead|stub|memory ...]``.

overhead: ``mrfs bag`` with the shipped network against the same engine on the same arrays, in turns (480x640, raw).
stub: reading, pairing, encoding and writing alone, an engine that does nothing in the middle (480x640, raw).
memory: resident memory along a bag of 10,000 small pairs, the stub engine in the middle.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from tqdm import tqdm

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "test"))  # the maker of numbered bags, the stub engine
from bags import numbered, pairs, write_bag  # noqa: E402
from stub_engine import StubEngine  # noqa: E402

from mrfs_ros.bag.job import Progress, run_bag  # noqa: E402
from mrfs_ros.bag.settings import BagSettings  # noqa: E402
from mrfs_ros.camera.image_io import read_rgb, read_thermal  # noqa: E402

SIZE = (480, 640)


def sample(i: int, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """One of the twelve sample pairs, cut to size."""
    names = sorted(path.name for path in (ROOT / "samples/rgb").iterdir())
    name = names[i % len(names)]
    rgb, thermal = read_rgb(ROOT / "samples/rgb" / name), read_thermal(ROOT / "samples/thermal" / name)
    return rgb[:height, :width], thermal[:height, :width]


def timed(bag: Path, out: Path, engine, **settings) -> tuple[float, int]:
    """(seconds, pairs) of a run whose result is thrown away."""
    shutil.rmtree(out, ignore_errors=True)
    begin = time.perf_counter()
    summary = run_bag(BagSettings(source=str(bag), out=str(out), **settings), engine)
    return time.perf_counter() - begin, summary.answered


def overhead(folder: Path, rounds: int) -> None:
    from mrfs_ros import load_engine

    count = 24
    arrays = [sample(i, *SIZE) for i in range(count)]
    bag = write_bag(folder / "bag", pairs(count, size=SIZE, look=sample))
    engine = load_engine()
    for rgb, thermal in arrays[:4]:
        engine(rgb, thermal)
    ratios, alone, whole = [], [], []
    for _ in tqdm(range(rounds), unit="round"):
        begin = time.perf_counter()
        for rgb, thermal in arrays:
            engine(rgb, thermal)
        alone.append((time.perf_counter() - begin) / count)
        whole.append(timed(bag, folder / "out", engine)[0] / count)
        ratios.append(whole[-1] / alone[-1])
    print(f"engine: {engine.info}")
    print(
        f"overhead: inference alone {1000 * statistics.median(alone):.1f} ms a pair, mrfs bag "
        f"{1000 * statistics.median(whole):.1f} ms; ratio {statistics.median(ratios):.3f} "
        f"(median of {rounds} rounds of {count} pairs; {min(ratios):.3f} to {max(ratios):.3f})"
    )


def stub(folder: Path, rounds: int) -> None:
    count = 400
    bag = write_bag(folder / "bag", pairs(count, size=SIZE))
    rates = []
    for _ in tqdm(range(rounds), unit="round"):
        seconds, answered = timed(bag, folder / "out", StubEngine())
        rates.append(answered / seconds)
    print(
        f"stub engine: {statistics.median(rates):.0f} pairs/s (median of {rounds} rounds of {count} pairs of "
        f"{SIZE[0]}x{SIZE[1]}; {min(rates):.0f} to {max(rates):.0f})"
    )


def resident_mib() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


def memory(folder: Path, count: int) -> None:
    size = (96, 128)
    bag = write_bag(folder / "bag", pairs(count, size=size, look=numbered))
    along: list[tuple[int, float]] = []

    def note(progress: Progress) -> None:
        if progress.done % (count // 10) == 0:
            along.append((progress.done, resident_mib()))

    targets = {"csv": str(folder / "out.csv"), "out": str(folder / "out")}
    run_bag(BagSettings(source=str(bag), **targets), StubEngine(), on_progress=note)
    print(f"memory over {count} pairs of {size[0]}x{size[1]}:")
    print("  " + ", ".join(f"{done}: {mib:.0f} MiB" for done, mib in along))


def main() -> None:
    parser = argparse.ArgumentParser(description="What a bag costs beside the network.")
    parser.add_argument("what", nargs="*", default=["overhead", "stub", "memory"])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--pairs", type=int, default=10_000, help="of memory")
    arguments = parser.parse_args()
    for what in arguments.what:
        with tempfile.TemporaryDirectory() as folder:
            if what == "memory":
                memory(Path(folder), arguments.pairs)
            else:
                {"overhead": overhead, "stub": stub}[what](Path(folder), arguments.rounds)


if __name__ == "__main__":
    main()
