"""The whole way once, with real parts: bag -> player -> ROS 2 -> node -> ROS 2 -> recorder -> bag -> pictures.

``python samples/demo.py`` starts a player, the node and a recorder as three processes that share nothing but the
middleware, then reads the recorded bag back, checks that every pair was answered under its own stamp, and writes one
picture a frame. Exit code 1 when a frame is missing.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
from make_bag import SAMPLES, make_bag
from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, get_typestore

from mrfs_ros.camera.image_io import write_png
from mrfs_ros.draw import side_by_side
from mrfs_ros.errors import MrfsError
from mrfs_ros.ros.dds import profile_variable
from mrfs_ros.ros.domain import own_domain

INPUTS = ("/rgb/image", "/thermal/image")
OUTPUTS = ("/mrfs/fused", "/mrfs/segmentation", "/mrfs/overlay")
PROFILE = SAMPLES.parent / "config" / "fastdds.xml"
PARAMETERS = SAMPLES.parent / "config" / "mrfs.yaml"


class DemoError(Exception):
    """The demo did not show what it should; the text says what is missing."""


def environment() -> dict[str, str]:
    """This process's environment with discovery kept on this machine, in a domain of its own, and the DDS profile.

    The domain is this process's until it ends; one that is set is taken as it is.
    """
    return {
        **os.environ,
        "ROS_DOMAIN_ID": os.environ.get("ROS_DOMAIN_ID") or str(own_domain()[0]),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        profile_variable(): str(PROFILE),
        "PYTHONUNBUFFERED": "1",
    }


def run_processes(source: Path, recorded: Path, logs: Path, frames: int, node_parameters: dict[str, str]) -> None:
    """Play ``source`` through the node and record inputs and outputs to ``recorded``; DemoError if a process fails."""
    env = environment()
    parameters = [word for name, value in node_parameters.items() for word in ("-p", f"{name}:={value}")]
    commands = {
        "node": ["mrfs_ros.ros.node_program", "--ros-args", "--params-file", str(PARAMETERS), *parameters],
        "record": ["mrfs_ros.ros.record", str(recorded), *INPUTS, *OUTPUTS, "--count", str(frames)],
        "play": ["mrfs_ros.ros.play", str(source), "--wait-for-subscribers", "2", "--answers", "/mrfs/fused"],
    }
    processes: dict[str, subprocess.Popen] = {}
    try:
        for name in ("node", "play", "record"):
            with (logs / f"{name}.log").open("w") as log:
                processes[name] = subprocess.Popen(
                    [sys.executable, "-m", *commands[name]], env=env, stdout=log, stderr=subprocess.STDOUT
                )
        if (code := _end_of(processes["play"], processes["node"])) != 0:
            raise DemoError(f"the player ended with exit code {code}")
        _end(processes["record"], wait_s=20)  # it ends by itself when it has everything
        if (code := _end(processes["node"], wait_s=0)) != 0:
            raise DemoError(f"the node ended with exit code {code} on SIGINT")
    finally:
        for process in processes.values():
            _end(process, wait_s=0)


def _end_of(process: subprocess.Popen, node: subprocess.Popen) -> int:
    """Exit code of ``process``, which is at an end too when the node dies."""
    while (code := process.poll()) is None:
        if node.poll() is not None:
            raise DemoError(f"the node ended early with exit code {node.returncode}")
        time.sleep(0.1)
    return code


def _end(process: subprocess.Popen, wait_s: float) -> int:
    """Exit code of ``process``, which is asked to end after ``wait_s`` seconds and made to after ten more."""
    for patience_s, push in ((wait_s, process.send_signal), (10, lambda _: process.kill()), (None, None)):
        try:
            return process.wait(patience_s)
        except subprocess.TimeoutExpired:
            push(signal.SIGINT)
    raise AssertionError("a killed process ends")


def read_back(recorded: Path) -> dict[str, dict[int, tuple[int, np.ndarray]]]:
    """Per topic: stamp [ns] to (time of receipt [ns], image (H, W, 3) or (H, W) uint8)."""
    store = get_typestore(Stores.LATEST)
    images: dict[str, dict[int, tuple[int, np.ndarray]]] = defaultdict(dict)
    with Reader(recorded) as reader:
        for connection, received_ns, raw in reader.messages():
            message = store.deserialize_cdr(raw, connection.msgtype)
            stamp_ns = message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
            shape = (
                (message.height, message.width, 3) if message.encoding == "rgb8" else (message.height, message.width)
            )
            images[connection.topic][stamp_ns] = received_ns, message.data.reshape(shape)
    return images


def check(images: dict, pairs: list[tuple[str, int, int]]) -> list[float]:
    """Latency [ms] of each pair: receipt of the fused image after that of the pair's later input. DemoError if any
    output is missing or carries another stamp than its pair's rgb image."""
    stamps = {rgb_ns for _, rgb_ns, _ in pairs}
    for topic in OUTPUTS:
        got = set(images[topic])
        if got != stamps:
            raise DemoError(
                f"{topic}: {len(got & stamps)} of {len(stamps)} frames came, {len(got - stamps)} with foreign stamps"
            )
    rgb, thermal, fused = images[INPUTS[0]], images[INPUTS[1]], images[OUTPUTS[0]]
    return [(fused[r][0] - max(rgb[r][0], thermal[t][0])) / 1e6 for _, r, t in pairs]


def write_pictures(images: dict, pairs: list[tuple[str, int, int]], folder: Path) -> None:
    """One PNG a pair: rgb | thermal | fused | overlay."""
    for name, rgb_ns, thermal_ns in pairs:
        stamps = dict(zip((INPUTS[0], INPUTS[1], OUTPUTS[0], OUTPUTS[2]), (rgb_ns, thermal_ns, rgb_ns, rgb_ns)))
        panels = {topic: images[topic][stamp][1] for topic, stamp in stamps.items()}
        write_png(folder / f"{name}.png", side_by_side(panels))


def main() -> int:
    """Run the demo; print its figures."""
    parser = argparse.ArgumentParser(description="Play the sample bag through the node and look at the results.")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("out"),
        help="folder for bags, pictures, logs (default: out); what an earlier demo left in it is replaced",
    )
    parser.add_argument("--frames", type=int, choices=range(1, 13), metavar="1-12", help="pairs to play (default: all)")
    parser.add_argument("--weights", default="", help="weights file; default: the model that comes along")
    arguments = parser.parse_args()
    out, weights = arguments.out, arguments.weights
    for old in ("sample_bag", "recorded_bag", "pictures", "logs"):
        shutil.rmtree(out / old, ignore_errors=True)
    try:
        for new in ("pictures", "logs"):
            (out / new).mkdir(parents=True)
    except OSError as error:
        parser.error(f"--out {out}: cannot be made ({error.strerror})")
    pairs = make_bag(out / "sample_bag", arguments.frames)
    print(
        f"demo: {len(pairs)} RGB + thermal pairs go one by one from a player through the node to a recorder ...",
        flush=True,
    )
    # Reliable, because a best-effort subscription misses what comes before both sides have found each other.
    node_parameters = {
        "input_qos": "reliable",
        "warmup_height": "512",
        "missing_timeout_s": "60.0",
        **({"weights": weights} if weights else {}),
    }
    try:
        run_processes(out / "sample_bag", out / "recorded_bag", out / "logs", len(pairs), node_parameters)
        images = read_back(out / "recorded_bag")
        latencies = sorted(check(images, pairs))
    except (DemoError, MrfsError) as error:
        print(f"demo: error: {error}", file=sys.stderr)
        for log in sorted((out / "logs").iterdir()):
            last = log.read_text().strip().splitlines()[-1:] or ["(empty)"]
            print(f"demo: the end of {log}: {last[0]}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("demo: interrupted", file=sys.stderr)
        return 130
    write_pictures(images, pairs, out / "pictures")
    p50, p95 = (np.quantile(latencies, q) for q in (0.5, 0.95))
    print(
        f"demo: pairs in {len(pairs)}, fused {len(images[OUTPUTS[0]])}, masks {len(images[OUTPUTS[1]])}, overlays "
        f"{len(images[OUTPUTS[2]])}; latency p50 {p50:.0f} ms, p95 {p95:.0f} ms"
    )
    print(f"demo: look at {out / 'pictures'}; the bag with inputs and outputs is {out / 'recorded_bag'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
