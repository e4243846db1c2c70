"""``mrfs bench``: the backends against each other on this machine; ``backend: auto`` remembers the result."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from mrfs_ros.cli.options import add_options, count, entries, new_parser, pixels
from mrfs_ros.config import BACKENDS
from mrfs_ros.errors import ConfigError, MrfsError
from mrfs_ros.files import made_folder

EXAMPLES = """examples:
  mrfs bench
  mrfs bench --weights models/mfnet.pth --sizes 512x640 --out out/bench
  mrfs bench --backends torch --encoder-sides 0,360,240,168
  mrfs bench --untrained mit_b0,mit_b2,mit_b4 --sizes 240x320,480x640,720x1280 --rounds 5 --alone

Prints a table in Markdown; --out writes bench.md and bench.json. Backends that are not installed are named under it.
What was measured for the first size, batch 1, is remembered for backend: auto, if torch was among it.
"""


def add_parser(commands: argparse._SubParsersAction) -> argparse.ArgumentParser:
    """Add this command's parser and return it."""
    command = new_parser(
        commands,
        "bench",
        summary="measure the backends on this machine",
        description="Measure time, correctness and memory of the backends against the paper's graph, in turns.",
        examples=EXAMPLES,
    )
    what = command.add_mutually_exclusive_group()
    add_options(what, "--weights")
    what.add_argument(
        "--untrained", type=entries, default=[], metavar="VARIANTS", help="random weights: mit_b0,mit_b4, ..."
    )
    command.add_argument("--backends", type=entries, default=list(BACKENDS[1:]), help="default: all")
    command.add_argument("--sizes", type=_sizes, default=[(480, 640)], help="HxW in pixels, default: 480x640")
    command.add_argument("--batches", type=_counts, default=[1], help="pairs at once, default: 1")
    command.add_argument(
        "--encoder-sides",
        type=entries,
        default=["weights"],
        metavar="N",
        help="short sides [pixels] at which encoders see a pair, such as 0,240 (default: as the weights file says)",
    )
    add_options(command, "--device", "--precision")
    command.add_argument("--rounds", type=count, default=15, help="frames of each backend (default: 15)")
    command.add_argument(
        "--alone", action="store_true", help="measure memory and first frame, each backend in a process of its own"
    )
    command.add_argument("--out", type=Path, help="folder for bench.md and bench.json")
    return command


def run(arguments: argparse.Namespace) -> int:
    """Measure every case, print the table."""
    if unknown := set(arguments.backends) - set(BACKENDS[1:]):
        raise ConfigError(f"--backends {', '.join(sorted(unknown))}: expected some of {', '.join(BACKENDS[1:])}")
    from mrfs_ros.bench.bench_report import Report
    from mrfs_ros.bench.measure import Case
    from mrfs_ros.engine.allocator import keep_memory
    from mrfs_ros.engine.encoder_side import asked_side
    from mrfs_ros.engine.load import UNTRAINED, check_precision, load_model, resolve_device

    device = resolve_device(arguments.device)
    check_precision(arguments.precision, device)
    if arguments.out:
        made_folder(arguments.out)
    if device == "cpu":
        keep_memory()
    for asked in arguments.encoder_sides:
        asked_side(asked, 0)  # an error now, not after minutes
    report = Report(device, arguments.rounds)
    for weights in [f"{UNTRAINED}:{variant}" for variant in arguments.untrained] or [arguments.weights]:
        model = load_model(weights)
        for size in arguments.sizes:
            for batch in arguments.batches:
                for asked in arguments.encoder_sides:
                    side = asked_side(asked, model.encoder_side.pixels)
                    seen = side.size(size)
                    case = Case(weights, model.network.config.variant, size, batch, str(min(seen) if seen else 0))
                    _measure(case, replace(model, encoder_side=side), device, arguments, report)
    print(report.markdown(), end="")
    _remember(report)
    return 0


def _measure(case, model, device: str, arguments: argparse.Namespace, report) -> None:
    """Measure one case and put it into ``report``."""
    from tqdm import tqdm

    from mrfs_ros.bench.measure import measure

    frames = arguments.rounds * len({"eager", *arguments.backends})
    with tqdm(total=frames, unit="frame", desc=str(case), leave=False) as bar:
        timings = measure(case, model, device, arguments.backends, arguments.rounds, arguments.precision, bar.update)
    report.timings.append((case, timings))
    if arguments.alone:
        report.alone.append((case, _alone(case, device, timings, arguments.precision)))
    if arguments.out:
        report.write(arguments.out)  # after every case: a long run that is interrupted leaves what it has


def _alone(case, device: str, timings, precision: str) -> list:
    from mrfs_ros.bench.alone import run_alone

    names = [timing.backend for timing in timings if not timing.problem]
    results = [run_alone(case, device, name, precision) for name in names]
    if device == "cpu":
        results += [run_alone(case, device, name, keep=False) for name in ("eager", "torch") if name in names]
    return results


def _remember(report) -> None:
    """Record what auto shall go by: the first case of each variant, batch 1, right results only."""
    from datetime import date

    from mrfs_ros.engine.choose import ORDER, is_right
    from mrfs_ros.engine.speeds import Speeds, record_speeds

    done = set()
    for case, timings in report.timings:
        right = [t for t in timings if not t.problem and is_right(t.fused_error, t.label_agreement)]
        if case.batch > 1 or case.variant in done or ORDER[0] not in {t.backend for t in timings}:
            continue
        done.add(case.variant)
        milliseconds = {t.backend: round(t.median_ms, 3) for t in right}
        try:
            speeds = Speeds(milliseconds, f"{case.size[0]}x{case.size[1]}", date.today().isoformat())
            record_speeds(case.variant, report.device, speeds)
        except MrfsError as error:
            print(f"mrfs: warning: {error}; backend: auto will not know of this", file=sys.stderr)


def _sizes(text: str) -> list[tuple[int, int]]:
    return [pixels(entry) for entry in entries(text)]


def _counts(text: str) -> list[int]:
    return [count(entry) for entry in entries(text)]
