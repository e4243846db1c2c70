"""``mrfs bag``: a recorded bag through the network, without ROS."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from mrfs_ros.bag.settings import HEADER, STAMPS, STORAGES, BagSettings
from mrfs_ros.cli.arguments import add_encoder_side, count, entries, node_settings
from mrfs_ros.config import BACKENDS, PRECISIONS, check_settings

EXAMPLES = """examples:
  mrfs bag drive --out drive_mrfs                                   # /mrfs/fused and /mrfs/segmentation in a new bag
  mrfs bag drive --out drive_mrfs --copy /rgb/image,/tf --compressed
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


def add_parser(commands: argparse._SubParsersAction) -> argparse.ArgumentParser:
    """Add this command's parser and return it."""
    command = commands.add_parser(
        "bag",
        help="run a recorded bag through the network",
        description="Run a recorded bag through the network: what the node does live, offline and without ROS.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument(
        "bag", nargs="+", help="rosbag2 folder, .mcap, .db3, or ROS 1 .bag; several are read as one (one a camera)"
    )
    results = command.add_argument_group("results (at least one)")
    results.add_argument("--out", default="", metavar="BAG", help="rosbag2 with the node's output topics")
    results.add_argument("--video", default="", metavar="MP4", help="rgb, thermal, fused and overlay as a video")
    results.add_argument("--frames", default="", metavar="FOLDER", help="fused, labels and overlay as PNG files")
    results.add_argument("--pairs", default="", metavar="FOLDER", help="rgb and thermal, 8-bit, aligned, to train on")
    results.add_argument("--csv", default="", metavar="CSV", help="a line a pair: stamps, gap, class shares, metrics")
    results.add_argument("--report", default="", metavar="HTML", help="a page to look at: filmstrip and charts")
    results.add_argument("--rerun", default="", metavar="RRD|live", help="Rerun recording, or a viewer that runs here")
    add_run_options(command)
    return command


def add_run_options(command: argparse.ArgumentParser) -> None:
    """The options of one run that do not name a bag or a result."""
    read = command.add_argument_group("what is read")
    read.add_argument("--rgb-topic", default="", metavar="TOPIC", help="default: found by type and name")
    read.add_argument("--thermal-topic", default="", metavar="TOPIC", help="default: found by type and name")
    read.add_argument("--start", type=float, default=0.0, metavar="S", help="begin S seconds into the bag")
    read.add_argument("--end", type=float, default=0.0, metavar="S", help="end S seconds into the bag")
    read.add_argument(
        "--stamp", default=HEADER, choices=STAMPS, help="what pairs images: their stamps, or when they were recorded"
    )
    read.add_argument("--every", type=count, default=1, metavar="N", help="take every N-th pair")
    read.add_argument("--params-file", type=Path, metavar="YAML", help="the node's parameters, as on the robot")
    read.add_argument("--slop", type=float, metavar="S", help="stamps of a pair differ by less than this (slop_s)")
    read.add_argument("--calibration", metavar="YAML", help="brings thermal onto the rgb image (mrfs calibrate)")
    made = command.add_argument_group("what the results hold")
    made.add_argument("--overlay", action="store_true", help="/mrfs/overlay too")
    made.add_argument("--compressed", action="store_true", help="JPEG (fused, overlay) and PNG (segmentation)")
    made.add_argument("--copy", type=entries, default=[], metavar="TOPICS", help="copy topics: /a,/b or all")
    made.add_argument("--storage", default="mcap", choices=STORAGES, help="default: mcap")
    made.add_argument(
        "--metrics", default="basic", choices=("basic", "all"), help="of --csv and --report; all takes its time"
    )
    how = command.add_argument_group("how it runs")
    how.add_argument("--batch", type=count, default=1, metavar="N", help="pairs at once (GPUs gain by it)")
    how.add_argument("--workers", type=count, default=2, metavar="N", help="threads that decode and encode")
    how.add_argument("--weights", help="weights file; default: the model that comes along")
    how.add_argument("--classes", help="class set by name (MFNet, MSRS, FMB, PST900)")
    how.add_argument("--device", help="auto, cpu, cuda, cuda:N (default: auto)")
    how.add_argument("--backend", choices=BACKENDS, help="what runs the network (default: auto)")
    how.add_argument("--precision", choices=PRECISIONS, help="of backend torch on CUDA (default: auto)")
    add_encoder_side(how, default=None)


def settings_from(arguments: argparse.Namespace) -> BagSettings:
    """The settings that ``add_run_options`` asked for; ConfigError for values that cannot be."""
    node = node_settings(arguments.params_file)
    names = ("weights", "classes", "device", "backend", "precision", "encoder_side", "calibration")
    given = {name: value for name in names if (value := getattr(arguments, name)) is not None}
    if arguments.slop is not None:
        given["slop_s"] = arguments.slop
    node = replace(node, **given)
    check_settings(node)
    return BagSettings(
        rgb_topic=arguments.rgb_topic,
        thermal_topic=arguments.thermal_topic,
        start_s=arguments.start,
        end_s=arguments.end,
        stamp=arguments.stamp,
        every=arguments.every,
        batch=arguments.batch,
        workers=arguments.workers,
        overlay=arguments.overlay,
        compressed=arguments.compressed,
        copy=tuple(arguments.copy),
        storage=arguments.storage,
        metrics=arguments.metrics,
        node=node,
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the bag, print what came of it; exit code 0, or 3 when something is missing."""
    results = {name: getattr(arguments, name) for name in ("out", "video", "frames", "pairs", "csv", "report", "rerun")}
    settings = replace(settings_from(arguments), source=arguments.bag[0], more=tuple(arguments.bag[1:]), **results)

    from mrfs_ros.bag.run_configuration import check_targets

    check_targets(settings)  # before the engine takes its time

    from tqdm import tqdm

    from mrfs_ros.bag.job import loaded_engine, run_bag

    engine = loaded_engine(settings)
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
