"""Latency and rate of the node over real DDS between two processes: without its network, or with it.

``python benchmarks/ros_transport.py`` plays 480x640 pairs at 30 Hz from one process to the node (with a stub engine)
in another and prints pairs answered, latency and CPU share, with and without the shipped Fast DDS profile, for both
QoS of the inputs, and then the highest rate that the path sustains. Latency is from the moment before the rgb image
is published to the receipt of both outputs, in one process; the node's own share, callback to publication with the
engine's copies, is the latency that its diagnostics report. ``--device cuda`` (or cpu) measures the node with the
shipped model on that device at 30 Hz, shipped profile, in the stub's place: with ``--encoder-sides 0,240`` at each.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "test"), str(ROOT / "test" / "ros")]
MS = 10**6
COMPILED_S = 480  # the CUDA engine compiles its kernels before the node is ready


def measure(qos_name: str, rate_hz: float, seconds: float, device: str, side: str) -> dict[str, float]:
    """Run the node and the cameras in the environment as it is; return the figures.

    ``device``: empty = stub engine. ``side``: the network's encoder side.
    """

    import rclpy
    from harness import BEST_EFFORT, RELIABLE, Cameras, NodeProcess, numbered_pair

    rclpy.init(args=[])
    pair = numbered_pair(1, 480, 640)
    sent: dict[int, float] = {}
    qos = {"sensor_data": BEST_EFFORT, "reliable": RELIABLE}[qos_name]
    engine = {"stub": None, "device": device, "encoder_side": side} if device else {"stub": []}
    with tempfile.TemporaryDirectory() as folder, NodeProcess(Path(folder), input_qos=qos_name, **engine) as node:
        node.wait_for(": ready in ", COMPILED_S)
        world = Cameras(qos=qos)
        world.matched()
        begin, cpu_begin = time.monotonic(), _cpu_s(node.process.pid)
        for number in range(int(rate_hz * seconds)):
            world.spin_for(max(begin + number / rate_hz - time.monotonic(), 0))
            sent[number * MS * 10] = time.monotonic()
            world.send(number * MS * 10, *pair)
        elapsed = time.monotonic() - begin
        cpu = (_cpu_s(node.process.pid) - cpu_begin) / elapsed
        world.spin_for(1.5)
        arrivals: dict[int, list[float]] = {}
        for name in ("fused", "segmentation"):
            for stamp, when in world.received[name]:
                arrivals.setdefault(stamp, []).append(when)
        latencies = [1000 * (max(when) - sent[stamp]) for stamp, when in arrivals.items() if len(when) == 2]
        inside = [float(world.value("mrfs: inference", f"latency {q} [ms]") or "nan") for q in ("p50", "p95")]
        world.destroy_node()
    rclpy.shutdown()
    quantiles = np.quantile(latencies, (0.5, 0.95, 0.99)) if latencies else [float("nan")] * 3
    names = ("sent", "answered", "pairs/s", "p50", "p95", "p99", "node p50", "node p95", "cpu %")
    return dict(zip(names, (len(sent), len(latencies), len(latencies) / elapsed, *quantiles, *inside, 100 * cpu)))


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> int:
    """Print the table; with --one, measure in this process and print one row."""
    parser = argparse.ArgumentParser(description="Benchmark of the ROS path without the network, or with it.")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of each run (default: 20)")
    parser.add_argument("--device", default="", help="cuda, cpu: with the shipped model there (default: a stub engine)")
    parser.add_argument("--encoder-sides", default="weights", metavar="N", help="of that model, such as 0,240,168")
    parser.add_argument("--one", nargs=2, metavar=("QOS", "RATE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        qos, rate = arguments.one
        figures = measure(qos, float(rate), arguments.seconds, arguments.device, arguments.encoder_sides)
        print(" | ".join(f"{v:.0f}" if n in ("sent", "answered", "cpu %") else f"{v:.1f}" for n, v in figures.items()))
        return 0
    engine = f"shipped model on {arguments.device}" if arguments.device else "stub engine"
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, 480x640, {engine}")
    print(
        "| DDS profile | input QoS | encoder side | rate Hz | sent | answered | pairs/s | p50 ms | p95 ms | p99 ms | "
        "node p50 ms | node p95 ms | node CPU % |"
    )
    print("|" + " --- |" * 13)
    sides = arguments.encoder_sides.split(",") if arguments.device else ["-"]
    for shipped in (True,) if arguments.device else (True, False):
        for qos in ("sensor_data", "reliable"):
            rates = (30, 200) if shipped and not arguments.device else (30,)
            for side, rate in product(sides, rates):
                row = _one(shipped, qos, rate, arguments.seconds, arguments.device, side)
                print(f"| {'shipped' if shipped else 'default'} | {qos} | {side} | {rate} | {row} |", flush=True)
    return 0


def _one(shipped: bool, qos: str, rate: int, seconds: float, device: str, side: str) -> str:
    """One row, measured in a process with the wanted DDS profile."""
    from mrfs_ros.ros.dds import profile_variable
    from mrfs_ros.ros.domain import own_domain

    env = {k: v for k, v in os.environ.items() if k != profile_variable()}
    env["ROS_DOMAIN_ID"] = env.get("ROS_DOMAIN_ID") or str(own_domain()[0])
    env["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    if shipped:
        env[profile_variable()] = str(ROOT / "config" / "fastdds.xml")
    command = [sys.executable, __file__, "--one", qos, str(rate), "--seconds", str(seconds), "--device", device]
    command += ["--encoder-sides", side]
    return subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
