"""``mrfs bag``: a recorded bag through the network, without ROS."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

from mrfs_ros.bag.settings import BagSettings
from mrfs_ros.cli.options import RESULTS, add_network_options, add_options, entries, field_option, given, new_parser
from mrfs_ros.cli.params_file import node_config
from mrfs_ros.config import OUTPUTS

EXAMPLES = """examples:
  mrfs bag drive --out drive_mrfs                                   # /mrfs/fused and /mrfs/segmentation in a new bag
  mrfs bag drive --out drive_mrfs --copy /rgb/image,/tf --compressed
  mrfs bag drive --out drive_mrfs --outputs confidence,objects,thermal --objects drive_objects.csv
  mrfs bag drive.bag --video drive.mp4 --csv drive.csv --start 60 --end 90
  mrfs bag drive.mcap --report drive.html --every 5
  mrfs bag drive --pairs my_frames --every 30       # to label and train on (docs/training.md)
  mrfs bag drive_rgb drive_thermal --out drive_mrfs # each camera in a bag of its own
  mrfs bag drive --out drive_mrfs --stamp recorded  # the cameras' clocks differ

Reads rosbag2 (mcap, sqlite3, compressed, split, bare files) and ROS 1 bags. Pairs, images and answers are the node's:
--params-file takes its YAML. Killed or interrupted, the same command goes on where it was. Exit code 3 when part of the
bag could not be read, paired or answered (what could is there), 2 for other errors.
"""
_KEPT_EVENTS = 20
_OF_THE_NODE = (
    "weights", "classes", "label_groups", "device", "backend", "precision", "encoder_side", "slop_s", "calibration",
)  # fmt: skip


def add_parser(commands: argparse._SubParsersAction) -> argparse.ArgumentParser:
    """Add this command's parser and return it."""
    command = new_parser(
        commands,
        "bag",
        summary="run a recorded bag through the network",
        description="Run a recorded bag through the network: what the node does live, offline and without ROS.",
        examples=EXAMPLES,
    )
    command.add_argument(
        "bag", nargs="+", help="rosbag2 folder, .mcap, .db3, or ROS 1 .bag; several are read as one (one a camera)"
    )
    results = command.add_argument_group("results (at least one)")
    results.add_argument("--out", **field_option(BagSettings, "out", RESULTS["out"]))
    add_options(results, *(f"--{name}" for name in RESULTS if name != "out"))
    add_run_options(command)
    return command


def add_run_options(command: argparse.ArgumentParser) -> None:
    """The options of one run that do not name a bag or a result."""
    read = command.add_argument_group("what is read")
    add_options(read, "--rgb-topic", "--thermal-topic", "--start", "--end", "--stamp", "--every", "--params-file")
    add_options(read, "--slop", "--calibration")
    made = command.add_argument_group("what the results hold")
    add_options(made, "--label-groups", "--overlay", "--compressed", "--storage", "--metrics")
    made.add_argument(
        "--outputs",
        type=lambda text: tuple(entries(text)),
        metavar="NAMES",
        help=f"More outputs of the node in the bag, with commas: {', '.join(OUTPUTS)}.",
    )
    made.add_argument(
        "--copy", type=lambda text: tuple(entries(text)), metavar="TOPICS", help="Copy topics: /a,/b or all."
    )
    how = command.add_argument_group("how it runs")
    add_network_options(how)
    add_options(how, "--backend", "--precision", "--batch", "--workers")
    # Those of the node: without an option they are as in the params file.
    command.set_defaults(**dict.fromkeys(_OF_THE_NODE))


def settings_from(arguments: argparse.Namespace) -> BagSettings:
    """The settings that ``add_run_options`` asked for; ConfigError for values that cannot be."""
    return BagSettings(**given(BagSettings, arguments), node=node_config(arguments))


def run(arguments: argparse.Namespace) -> int:
    """Run the bag, print what came of it; exit code 0, or 3 when something is missing."""
    settings = replace(settings_from(arguments), source=arguments.bag[0], more=tuple(arguments.bag[1:]))

    from mrfs_ros.bag.run_configuration import check_targets

    check_targets(settings)  # before the engine takes its time

    from tqdm import tqdm

    from mrfs_ros.bag.job import run_bag
    from mrfs_ros.engine.configured_engine import configured_engine

    engine = configured_engine(settings.node)
    print(f"engine: {engine.info}")
    with tqdm(unit="pair", dynamic_ncols=True, disable=None) as bar:  # none in logs

        def show(progress) -> None:
            bar.total = progress.expected
            if bar.n == 0 and progress.resumed_at:  # the rate is this run's
                bar.initial = bar.n = progress.resumed_at
            bar.update(progress.done - bar.n)

        summary = run_bag(settings, engine, on_progress=show, say=_Limited())
    rate = (summary.pairs - summary.resumed_at) / summary.seconds
    skipped = "".join(f", {n} skipped ({reason})" for reason, n in sorted(summary.skipped.items()))
    print(f"{summary.answered} of {summary.pairs} pairs answered{skipped}: {rate:.1f} a second")
    if any(summary.unpaired):
        print("without a partner: {} rgb, {} thermal images".format(*summary.unpaired))
    for result in summary.results:
        print(f"made {result}")
    if summary.damage:
        print("part of the bag could not be read, see above", file=sys.stderr)
    if summary.pairing_loss:
        print("part of the images could not be paired, see above", file=sys.stderr)
    return summary.exit_code


class _Limited:
    """Prints the first lines; a bag can hold thousands of events."""

    def __init__(self) -> None:
        self._left = _KEPT_EVENTS

    def __call__(self, line: str) -> None:
        from tqdm import tqdm

        self._left -= 1
        if self._left >= 0:
            tqdm.write(f"mrfs: {line}", file=sys.stderr)
        elif self._left == -1:
            tqdm.write("mrfs: more of this kind is not shown", file=sys.stderr)
