"""The program ``mrfs_node``: from the first import to a clean end on SIGINT, SIGTERM or its parent's death."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import fields

import rclpy
from rclpy.clock import Clock, ClockType
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor

from mrfs_ros.config import NodeConfig
from mrfs_ros.errors import MrfsError
from mrfs_ros.ros.node import MrfsNode

PARENT_CHECK_S = 0.5
EXAMPLES = """  mrfs_node --ros-args --params-file config/mrfs.yaml
  mrfs_node --ros-args -p weights:=models/weights.safetensors -r rgb/image:=/camera/color/image_raw
"""


def main(make_node: Callable[[], MrfsNode] = MrfsNode) -> int:
    """Run the node until it is told to end; return the process's exit code (2 when it cannot start)."""
    parent = os.getppid()
    _read_arguments()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)  # ends a start-up too; rclpy's handlers come on top for the time of spinning
    node = None
    try:
        rclpy.init()
        node = make_node()
        if node.get_parameter("exit_with_parent").value:
            node.create_timer(PARENT_CHECK_S, lambda: _end_with(parent), clock=Clock(clock_type=ClockType.STEADY_TIME))
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        executor.spin()
    except (SystemExit, KeyboardInterrupt, ExternalShutdownException):
        pass
    except MrfsError as error:
        print(f"mrfs_node: error: {error}", file=sys.stderr)
        return 2
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)  # a second signal must not disturb the end
        finished = node is None or node.close()
        if node is not None:
            node.destroy_node()  # and with it the participant, which would leave its shared memory behind
        rclpy.try_shutdown()
        if not finished:
            # A frame is in the engine's C++ code and cannot be interrupted; ending Python under it could crash.
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(0)
    return 0


def _read_arguments() -> None:
    """Answer --help; everything else is for rclpy, which reads --ros-args by itself."""
    parameters = "\n".join(f"  {spec.name:22} {spec.metadata['text']}" for spec in fields(NodeConfig))
    argparse.ArgumentParser(
        prog="mrfs_node",
        description="ROS 2 node: pairs of rgb/image and thermal/image in, ~/fused, ~/segmentation and ~/overlay out.",
        epilog=f"examples:\n{EXAMPLES}\nparameters:\n{parameters}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="mrfs_node [--help] [--ros-args ...]",
    ).parse_known_args()


def _stop(number: int, frame: object) -> None:
    raise SystemExit(0)


def _end_with(parent: int) -> None:
    if os.getppid() != parent:
        raise SystemExit(0)


if __name__ == "__main__":
    sys.exit(main())
