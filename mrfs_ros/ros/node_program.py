"""The program ``mrfs_node``: from the first import to a clean end on SIGINT, SIGTERM or its parent's death."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import textwrap
import traceback
from collections.abc import Callable
from dataclasses import Field, fields

from mrfs_ros.config import NodeConfig
from mrfs_ros.errors import MrfsError
from mrfs_ros.ros.stop import Stop

PARENT_CHECK_S = 0.5
WARN_EVERY_S = 5.0
EXAMPLES = """  mrfs_node --ros-args --params-file config/mrfs.yaml
  mrfs_node --ros-args -p weights:=models/weights.safetensors -r rgb/image:=/camera/color/image_raw
"""


def main(make_node: Callable | None = None) -> int:
    """Run the node until it is told to end.

    ``make_node`` makes another ``MrfsNode`` than the default one, with an engine of its own for example.
    Returns the process's exit code: 0 after SIGINT, SIGTERM or the parent's death, 2 when it cannot start,
    1 after an error that is ours, at the start; later ones are logged.
    """
    parent, stop = os.getppid(), Stop()  # from the first moment on: importing takes seconds, loading may too
    node, code = None, 0
    try:
        _read_arguments()
        node = _start(make_node)
        _spin(node, parent, stop)
    except (SystemExit, KeyboardInterrupt) as end:  # the second by an engine's own handlers
        code = end.code if isinstance(end, SystemExit) and isinstance(end.code, int) else 0
    except Exception as error:
        code = 0 if stop.asked else _failure(error)  # native code may answer the exception with one of its own
    finally:
        stop.ignore_more()
        _finish(node, code)
    return code


def _start(make_node: Callable | None):
    from mrfs_ros.ros import (
        rclpy_init,  # here, because torch and ROS take seconds to import and signals must end that too
    )
    from mrfs_ros.ros.node import MrfsNode

    try:
        rclpy_init.init()
    except Exception as error:  # of several types, none of them public: unknown --ros-args, missing files, bad YAML
        raise MrfsError(f"ROS 2 refuses the arguments: {' '.join(str(error).split())}") from error
    return (make_node or MrfsNode)()


def _spin(node, parent: int, stop: Stop) -> None:
    from rclpy.clock import Clock, ClockType
    from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor

    if node.get_parameter("exit_with_parent").value:
        node.create_timer(PARENT_CHECK_S, lambda: _end_with(parent), clock=Clock(clock_type=ClockType.STEADY_TIME))
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    stop.patient = True
    node.interruptible = stop.impatient  # loading weights takes long
    with contextlib.suppress(ExternalShutdownException):  # somebody's engine called rclpy.shutdown
        while not stop.asked:
            try:
                executor.spin_once()  # the node's timers end it, twice a second at least
            except ExternalShutdownException:
                raise
            except Exception as error:  # of a callback, and our fault: a robot goes on without what it was for
                _tell(node, error)


def _tell(node, error: Exception) -> None:
    text = "".join(traceback.format_exception(error))
    node.get_logger().error(
        f"a callback failed; the node goes on. Please report this:\n{text}", throttle_duration_sec=WARN_EVERY_S
    )


def _finish(node, code: int) -> None:
    """Take down what stands."""
    finished = node is None or node.close()
    if node is not None:
        node.destroy_node()  # and with it the participant, which would leave its shared memory behind
    if (rclpy := sys.modules.get("rclpy")) is not None:
        rclpy.try_shutdown()
    if not finished:
        # A frame is in the engine's C++ code and cannot be interrupted; ending Python under it could crash.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _read_arguments() -> None:
    """Answer --help, refuse what is no ROS argument; rclpy reads --ros-args by itself."""
    parameters = "\n".join(_described(spec) for spec in fields(NodeConfig))
    parser = argparse.ArgumentParser(
        prog="mrfs_node",
        description="ROS 2 node: pairs of rgb/image and thermal/image in, ~/fused, ~/segmentation and ~/overlay out.",
        epilog=f"examples:\n{EXAMPLES}\nparameters (-p NAME:=VALUE after --ros-args, or in a YAML file):\n{parameters}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="mrfs_node [--help] [--ros-args ...]",
    )
    words = sys.argv[1:]
    begin = words.index("--ros-args") if "--ros-args" in words else len(words)
    parser.parse_args(words[:begin])


def _described(spec: Field) -> str:
    choices = f" One of: {', '.join(spec.metadata['choices'])}." if spec.metadata["choices"] else ""
    text = f"{spec.metadata['text']}{choices} Default: {spec.default!r}."
    return textwrap.fill(text, 110, initial_indent=f"  {spec.name:22} ", subsequent_indent=25 * " ")


def _failure(error: Exception) -> int:
    """Say what went wrong; return the exit code."""
    if isinstance(error, MrfsError):
        print(f"mrfs_node: error: {error}", file=sys.stderr)
        return 2
    traceback.print_exception(error)
    return 1


def _end_with(parent: int) -> None:
    if os.getppid() != parent:
        raise SystemExit(0)


if __name__ == "__main__":
    sys.exit(main())
