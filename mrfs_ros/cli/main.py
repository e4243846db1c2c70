"""The program ``mrfs``: finds the command, runs it, turns every error of ours into one line and exit code 2."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable, Sequence

from mrfs_ros import __version__
from mrfs_ros.cli import (
    ablate,
    bag,
    bags,
    bench,
    calibrate,
    evaluate,
    export,
    features,
    fuse,
    generalize,
    info,
    preview,
    ros_commands,
    train,
)
from mrfs_ros.errors import MrfsError

# In the order of --help.
COMMANDS = (fuse, bag, bags, calibrate, info, preview, train, evaluate, generalize, features, ablate, export, bench)
EXAMPLES = """examples:
  mrfs fuse --rgb street.jpg --thermal street_ir.jpg --out out
  mrfs fuse --rgb samples/rgb --thermal samples/thermal --out out
  mrfs bag drive --out drive_mrfs --video drive.mp4
  mrfs bags 'recordings/*' --out results --ray local
  mrfs calibrate --bag drive --out calib.yaml
  mrfs train config/train_mfnet.yaml --out runs/mfnet
  mrfs info models/mrfs_b0_street.safetensors
  mrfs bench
"""


def parser() -> argparse.ArgumentParser:
    """The whole command line's parser; every command's heavy imports wait until it runs."""
    top = argparse.ArgumentParser(
        prog="mrfs",
        description="Fuse RGB-thermal pairs and segment them with the MRFS network (CVPR 2024).",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"mrfs_ros {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add_parser(commands).set_defaults(run=command.run)
    ros_commands.add_parsers(commands)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``mrfs`` with ``arguments`` (default: the process's); return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    with warnings.catch_warnings():
        warnings.showwarning = _show(warnings.showwarning)
        return _run(words)


def _run(words: list[str]) -> int:
    try:
        if words and words[0] in ros_commands.COMMANDS:
            ros_commands.hand_on(words[0], words[1:])
        parsed = parser().parse_args(words)
        return parsed.run(parsed)
    except MrfsError as error:
        print(f"mrfs: error: {error}", file=sys.stderr)
        return 2
    except OSError as error:  # a full disk, a folder that is closed to us
        print(f"mrfs: error: {_of_files(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("mrfs: interrupted", file=sys.stderr)
        return 130


def _show(others: Callable) -> Callable:
    """What Python calls with a warning: those about image files are one line, ``others`` shows the rest."""

    def show(message, category, *where) -> None:
        if category.__name__ == "ImageWarning":  # by name: the class comes with NumPy and OpenCV
            from tqdm import tqdm

            tqdm.write(f"mrfs: warning: {message}", file=sys.stderr)  # not into the middle of a progress bar
        else:
            others(message, category, *where)

    return show


def _of_files(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}: expected files and folders that can be read and written, with free space"


if __name__ == "__main__":
    sys.exit(main())
