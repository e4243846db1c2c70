"""What several commands read off the command line: image sizes, lists, folders for results."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from mrfs_ros.config import NodeConfig
from mrfs_ros.errors import ConfigError


def pixels(text: str) -> tuple[int, int]:
    """``480x640`` to (480, 640), height and width in pixels; an argument error for anything else."""
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if not match or min(size := (int(match[1]), int(match[2]))) < 32:
        raise argparse.ArgumentTypeError(f"expected HEIGHTxWIDTH from 32x32 up, such as 480x640, got {text!r}")
    return size


def entries(text: str) -> list[str]:
    """``a,b`` to its entries; an argument error if there is none, or an empty one."""
    parts = [part.strip() for part in text.split(",")]
    if not all(parts):
        raise argparse.ArgumentTypeError(f"expected entries with commas between them, got {text!r}")
    return parts


def count(text: str) -> int:
    """A whole number from 1 up; an argument error for anything else."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 up, got {text!r}")
    return int(text)


def add_encoder_side(command: argparse._ActionsContainer, default: str | None = "weights") -> None:
    """Add --encoder-side, whose text ``load_engine`` checks."""
    command.add_argument(
        "--encoder-side",
        default=default,
        metavar="N",
        help="short side [pixels] at which the encoders see a pair, 0 = its own (default: as the weights file says)",
    )


def node_settings(params_file: Path | None) -> NodeConfig:
    """The node's parameters of a params file, its defaults without one; a warning tells of sections not taken."""
    if params_file is None:
        return NodeConfig()
    from mrfs_ros.bag.params_file import read_parameters, unused_sections

    config = read_parameters(params_file)
    if unused := unused_sections(params_file):
        print(f"mrfs: warning: {unused}", file=sys.stderr)
    return config


def made_folder(path: Path) -> Path:
    """The folder, made if missing; ConfigError if it cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be made ({error.strerror}): choose another folder") from error
    return path
