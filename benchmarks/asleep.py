"""CPU share of the node with nobody subscribed: 480x640 rgb8 + mono16 at 30 Hz, the shipped model and DDS profile.

``python benchmarks/asleep.py --seconds 20`` prints CPU time by elapsed time (/proc/PID/stat, all threads of the node),
without cameras and with them.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "test"), str(ROOT / "test" / "ros")]
RATE_HZ, HEIGHT, WIDTH = 30, 480, 640
SETTLE_S = 2.0


def cpu_s(pid: int) -> float:
    """User and system time of a process [s]."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(seconds: float) -> tuple[float, float, int]:
    """CPU shares [%] without images and with them, and pairs that were worked on (there must be none)."""
    import rclpy
    from harness import BEST_EFFORT, Cameras, NodeProcess, image, numbered_pair

    rclpy.init(args=[])
    rgb, _ = numbered_pair(1, HEIGHT, WIDTH)
    counts = np.random.default_rng(0).integers(0, 256, (HEIGHT, 2 * WIDTH), np.uint8)
    messages = image(rgb, "rgb8", 0), image(counts, "mono16", 0, width=WIDTH)
    with tempfile.TemporaryDirectory() as folder, NodeProcess(Path(folder)) as node:
        node.wait_for(": ready in ", 480)
        world = Cameras(qos=BEST_EFFORT, always=())
        world.matched()

        def play(first: int, length_s: float) -> float:
            begin, begin_cpu = time.monotonic(), cpu_s(node.process.pid)
            for number in range(int(length_s * RATE_HZ)):
                world.spin_for(begin + number / RATE_HZ - time.monotonic())
                for message, out in zip(messages, (world.rgb_out, world.thermal_out)):
                    stamp = divmod((first + number) * 10**9 // RATE_HZ, 10**9)
                    message.header.stamp.sec, message.header.stamp.nanosec = stamp
                    out.publish(message)
            return 100 * (cpu_s(node.process.pid) - begin_cpu) / (time.monotonic() - begin)

        begin, begin_cpu = time.monotonic(), cpu_s(node.process.pid)
        world.spin_for(seconds)
        silent = 100 * (cpu_s(node.process.pid) - begin_cpu) / (time.monotonic() - begin)
        play(0, SETTLE_S)
        share = play(int(SETTLE_S * RATE_HZ), seconds)
        world.spin_for(1.5)
        worked_on = int(world.value("mrfs: inference", "published"))
        world.destroy_node()
    rclpy.shutdown()
    return silent, share, worked_on


def main() -> int:
    """Print the figures."""
    from mrfs_ros.ros.dds import profile_variable
    from mrfs_ros.ros.domain import own_domain

    parser = argparse.ArgumentParser(description="CPU share of the node with nobody subscribed.")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of each run (default: 20)")
    seconds = parser.parse_args().seconds
    os.environ.setdefault(profile_variable(), str(ROOT / "config" / "fastdds.xml"))
    os.environ.setdefault("ROS_DOMAIN_ID", str(own_domain()[0]))
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {HEIGHT}x{WIDTH}")
    silent, share, worked_on = measure(seconds)
    print(
        f"CPU share without images {silent:.1f} %, with {RATE_HZ} pairs/s {share:.1f} %; pairs worked on: {worked_on}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
