"""Options of the command line, each declared once, with texts, choices and defaults of the settings' dataclasses."""

from __future__ import annotations

import argparse
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

from mrfs_ros.bag.settings import BagSettings
from mrfs_ros.config import NodeConfig
from mrfs_ros.data.dataset_config import DatasetConfig


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


def field_option(kind: type, name: str, metavar: str | None = None) -> dict[str, Any]:
    """Arguments of ``add_argument`` for a field of a dataclass of settings, which is where its value goes."""
    spec = kind.__dataclass_fields__[name]
    text = spec.metadata["text"].replace("%", "%%")
    option = {"dest": name, "default": spec.default, "help": text}
    if spec.default is False:
        return option | {"action": "store_true"}
    if spec.default != "":
        option["help"] = f"{text.removesuffix('.')} (default: {spec.default})."
    types = {int: count if spec.metadata["low"] else int, float: float}
    option["type"] = types.get(type(spec.default), str)
    if spec.metadata["choices"]:
        return option | {"choices": spec.metadata["choices"]}
    return option | {"metavar": metavar}


RESULTS = {
    "out": "BAG", "video": "MP4", "frames": "FOLDER", "pairs": "FOLDER", "csv": "CSV",
    "objects": "CSV|JSON", "report": "HTML",
    "rerun": "RRD|live",
}  # fmt: skip
"""Results of a bag, fields of ``BagSettings``, with what an option for one takes."""

_FIELDS = {
    NodeConfig: {
        "weights": "FILE", "classes": "NAME", "label_groups": "YAML", "device": "DEVICE", "backend": "",
        "precision": "", "encoder_side": "N", "slop_s": "S", "calibration": "YAML", "max_image_pixels": "N",
    },
    BagSettings: {
        **{name: metavar for name, metavar in RESULTS.items() if name != "out"},
        "rgb_topic": "TOPIC", "thermal_topic": "TOPIC", "start_s": "S", "end_s": "S", "stamp": "", "every": "N",
        "batch": "N", "workers": "N", "overlay": "", "compressed": "", "storage": "", "metrics": "",
    },
    DatasetConfig: {"root": "DIR", "rgb_name": "PATTERN", "thermal_name": "PATTERN", "label_name": "PATTERN"},
}  # fmt: skip


def option_name(field: str) -> str:
    """The option of a field: ``--thermal-topic`` of thermal_topic, ``--start`` of start_s."""
    return "--" + field.removesuffix("_s").replace("_", "-")


OPTIONS: dict[str, dict[str, Any]] = {
    **{
        option_name(name): field_option(kind, name, metavar)
        for kind, names in _FIELDS.items()
        for name, metavar in names.items()
    },
    "--rgb": {"type": Path, "help": "Colour image, or folder of them."},
    "--thermal": {"type": Path, "help": "8-bit thermal image, or folder of them; pairs by name."},
    "--layout": {
        "default": "folder",
        "help": "How --root is arranged (default: folder = rgb/, thermal/, label/).",
    },
    "--split": {"default": "", "help": "Sub-folder or list of the dataset (default: test; of layout folder: all)."},
    "--params-file": {"type": Path, "metavar": "YAML", "help": "The node's parameters, as on the robot."},
    "--set": {
        "action": "append",
        "default": [],
        "metavar": "NAME=VALUE",
        "help": "A setting in place of the file's; repeatable.",
    },
    "--sheet": {"type": count, "metavar": "N", "help": "Frames on the sheet of pictures (default: %(default)s)."},
}


def add_options(command: argparse._ActionsContainer, *names: str, **changes: Any) -> None:
    """Add options of ``OPTIONS`` to a command or a group of its options.

    Args:
        command: parser or group.
        names: such as "--weights".
        changes: arguments of ``add_argument`` that are this command's own, such as ``required``.
    """
    for name in names:
        command.add_argument(name, **(OPTIONS[name] | changes))


def add_network_options(command: argparse._ActionsContainer) -> None:
    """Add what every command that runs a network takes."""
    add_options(command, "--weights", "--classes", "--device", "--encoder-side")


def given(kind: type, arguments: argparse.Namespace) -> dict[str, Any]:
    """Values by the names of the fields of ``kind`` that the command line has and that are not None."""
    names = [spec.name for spec in fields(kind)]
    return {name: value for name in names if (value := getattr(arguments, name, None)) is not None}


def new_parser(
    commands: argparse._SubParsersAction, name: str, *, summary: str, description: str, examples: str
) -> argparse.ArgumentParser:
    """The parser of a command, ``summary`` for the list of all, ``examples`` at the end of its own help."""
    return commands.add_parser(
        name,
        help=summary,
        description=description,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
