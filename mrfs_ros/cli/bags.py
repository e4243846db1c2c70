"""``mrfs bags``: many recorded bags, one after another or over a Ray cluster, and one table of how they ended."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import redirect_stdout
from pathlib import Path

from mrfs_ros.bag.settings import BagSettings
from mrfs_ros.cli.bag import add_run_options, settings_from
from mrfs_ros.cli.options import RESULTS, count, field_option, new_parser

EXAMPLES = """examples:
  mrfs bags recordings/* --out results
  mrfs bags bags.txt --out results --video --csv --report
  mrfs bags 's3://fleet/2024-*/*.mcap' --out s3://fleet/fused --ray auto

A list (.txt) has a bag or glob on each line, relative to the list; # begins a comment. Each bag gets a folder in
--out, named as the bag (with folders above it where names repeat), with done.json once its results are whole.
The same command again leaves out what is done, does anew what has changed since, and goes on with the rest; with other
settings, choose another --out. --no-rosbag leaves out the fused bag.
Paths are read and written in place, so that on a cluster all machines must see them; what URLs name (file:// too)
is copied to --scratch of the machine that works on it. Machines of a cluster need the same mrfs_ros and weights.
Prints the table that --out gets as summary.md, with the bags of earlier commands too. Exit code 3 if a bag named this
time failed or gave only a part.
"""


def add_parser(commands: argparse._SubParsersAction) -> argparse.ArgumentParser:
    """Add this command's parser and return it."""
    command = new_parser(
        commands,
        "bags",
        summary="run many recorded bags, also over a Ray cluster",
        description="Fuse and segment the pairs of many bags: on this machine, or spread over a Ray cluster.",
        examples=EXAMPLES,
    )
    command.add_argument("bags", nargs="+", metavar="LIST_OR_GLOB", help="bags, globs, or .txt lists; paths or URLs")
    command.add_argument(
        "--out", required=True, dest="folder", metavar="FOLDER", help="for the results: path or URL, made if missing"
    )
    results = command.add_argument_group("results of each bag")
    for kind in RESULTS:
        results.add_argument(
            f"--{_switch(kind)}",
            dest=f"make_{kind}",
            action=argparse.BooleanOptionalAction,
            default=kind == "out",
            help=field_option(BagSettings, kind)["help"],
        )
    spread = command.add_argument_group("spreading the work")
    spread.add_argument("--ray", default="", metavar="ADDRESS", help="auto, local, host:port or ray://host:port")
    spread.add_argument("--cores-per-engine", type=count, default=2, metavar="N", help="where no GPUs are (default: 2)")
    spread.add_argument(
        "--retries", type=int, default=2, metavar="N", help="for a bag whose worker died or copying failed (default: 2)"
    )
    spread.add_argument(
        "--scratch", default="", metavar="FOLDER", help="local, for copies (default: in the user's cache folder)"
    )
    add_run_options(command)
    return command


def _switch(kind: str) -> str:
    """The option of a result: the bag that is made is in the folder --out, so that its own has another name."""
    return "rosbag" if kind == "out" else kind


def run(arguments: argparse.Namespace) -> int:
    """Run the bags; 0 if all gave everything, else 3."""
    from mrfs_ros.fleet.run import FleetSettings, place_of, run_fleet
    from mrfs_ros.fleet.summary_table import table

    settings = FleetSettings(
        bags=tuple(arguments.bags),
        out=arguments.folder,
        results=tuple(kind for kind in RESULTS if getattr(arguments, f"make_{kind}")),
        run=settings_from(arguments),
        ray=arguments.ray,
        cores=arguments.cores_per_engine,
        retries=arguments.retries,
        scratch=arguments.scratch,
    )
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):  # stdout is for the table: Ray prints to it
        outcomes = run_fleet(settings, lambda line: print(line, file=sys.stderr, flush=True))
    print(table(place_of(settings)), end="")
    return 0 if all(outcome.whole for outcome in outcomes) else 3
