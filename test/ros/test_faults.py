"""What happens to robots: garbage, loops, lost cameras, slow and failing engines, signals; two processes, real DDS."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from harness import BEST_EFFORT, HERE, NodeProcess, image, numbered_pair, pixels_of
from make_bag import make_bag

S, MS = 10**9, 10**6
GROWTH_KB = 6_000  # what the C library's heap may gain while frames pass


def garbage(number: int, stamp: int) -> tuple[str, object, str]:
    """(camera, message, the reason that it is counted under) of the ``number``-th kind of bad image."""
    rgb, thermal = numbered_pair(number)
    nan = np.full(thermal.shape, np.nan, np.float32)
    kinds = [
        ("rgb", image(thermal, "16SC1", stamp), "rgb_encoding"),
        ("rgb", image(rgb, "nonsense", stamp), "rgb_encoding"),
        ("rgb", image(rgb, "nv42", stamp), "rgb_encoding"),
        ("thermal", image(thermal, "16UC1", stamp, is_bigendian=1), "step"),
        ("thermal", image(nan, "32FC2", stamp), "thermal_encoding"),
        ("rgb", image(rgb, "rgb8", stamp, height=0), "zero_size"),
        ("thermal", image(thermal, "mono8", stamp, width=0), "zero_size"),
        ("rgb", image(rgb, "rgb8", stamp, height=rgb.shape[0] + 1), "data_size"),
        ("thermal", image(thermal, "mono8", stamp, height=thermal.shape[0] - 1), "data_size"),
        ("thermal", image(thermal, "mono8", stamp, height=2**31, width=2**31, step=2**31), "data_size"),
        ("rgb", image(rgb, "rgb8", stamp, step=1), "step"),
    ]
    return kinds[number % len(kinds)]


def padded(pixels: np.ndarray, padding: int) -> np.ndarray:
    """Rows with ``padding`` bytes behind each, as cameras send them."""
    rows = pixels.reshape(pixels.shape[0], -1)
    return np.hstack((rows, np.full((rows.shape[0], padding), 0xEE, np.uint8)))


def good_pair(number: int, stamp: int):
    """The two messages of a good pair, its size and layout changing with ``number``, and its rgb pixels."""
    height, width = [(48, 64), (480, 640), (32, 33), (240, 320)][number % 4]
    rgb, thermal = numbered_pair(number, height, width)
    if number % 3 == 0:
        return image(rgb[:, :, ::-1], "bgr8", stamp), image(thermal, "8UC1", stamp), rgb
    if number % 3 == 1:
        wide_rgb, wide_thermal = padded(rgb, 7), padded(thermal, 5)
        return (
            image(wide_rgb, "rgb8", stamp, width=width),
            image(wide_thermal, "mono8", stamp, width=width),
            rgb,
        )
    return image(rgb, "rgb8", stamp), image(thermal, "mono8", stamp, is_bigendian=1), rgb


def test_two_thousand_mixed_messages(tmp_path, cameras):
    """Garbage between good pairs of changing size: every good pair is answered, every bad image counted."""
    world = cameras()
    expected: dict[str, int] = {}
    with NodeProcess(tmp_path, stub=[], input_qos="reliable", qos_depth=50) as node:
        node.ready()
        world.matched()
        sent = number = 0
        while sent < 2000:
            stamp = number * S
            for kind in range(8):
                camera, message, reason = garbage(8 * number + kind, stamp + kind * MS)
                (world.rgb_out if camera == "rgb" else world.thermal_out).publish(message)
                expected[reason] = expected.get(reason, 0) + 1
            rgb_message, thermal_message, rgb = good_pair(number, stamp + 500 * MS)
            world.rgb_out.publish(rgb_message)
            world.thermal_out.publish(thermal_message)
            sent += 10
            world.await_answer(stamp + 500 * MS)
            assert (pixels_of(world.answers["fused"].pop(stamp + 500 * MS)) == rgb).all()
            number += 1
        for reason, count in expected.items():
            world.spin_until(lambda r=reason, c=count: world.value("mrfs: inputs", f"dropped {r}") == str(c))
        assert world.answers["fused"] == {}
        assert node.process.poll() is None


def test_4k_frames_among_480p(tmp_path, cameras):
    world = cameras()
    with NodeProcess(tmp_path, stub=[], input_qos="reliable") as node:
        node.ready()
        world.matched()
        for number, size in enumerate([(480, 640), (2160, 3840), (480, 640)]):
            rgb, thermal = numbered_pair(number, *size)
            world.send(number * S, rgb, thermal)
            world.await_answer(number * S)
            assert (pixels_of(world.answers["fused"][number * S]) == rgb).all()
        world.send(5 * S, numbered_pair(5, 480, 640)[0], numbered_pair(5, 2160, 3840)[1])
        node.wait_for("frame skipped (size_mismatch, 1 so far): rgb is 480x640 (HxW) but thermal is 2160x3840")
        begin_s = time.monotonic()
        for number in range(6, 10):  # told at most every five seconds
            world.send(number * S, numbered_pair(number)[0], numbered_pair(number, 36, 64)[1])
            world.spin_for(0.1)
        world.send(10 * S, *numbered_pair(10, 480, 640))
        world.await_answer(10 * S)
        assert node.log().count("frame skipped (size_mismatch, ") <= 1 + (time.monotonic() - begin_s) / 5


@pytest.mark.parametrize("clock", [False, True], ids=["system time", "use_sim_time"])
def test_a_bag_looped_five_times(tmp_path, cameras, clock):
    pairs = make_bag(tmp_path / "bag")
    world = cameras()
    with NodeProcess(tmp_path, stub=[], use_sim_time=clock, input_qos="reliable") as node:
        node.ready()
        world.matched()
        command = [str(tmp_path / "bag"), "--loop=5", "--wait-for-subscribers=1", "--answers=/mrfs/fused"]
        player = subprocess.Popen(
            [sys.executable, "-m", "mrfs_ros.ros.play", *command, *(["--clock"] if clock else [])]
        )
        try:
            world.spin_until(lambda: player.poll() is not None, timeout_s=60)
        finally:
            player.kill()
            player.wait()
        world.spin_for(1.0)
        assert player.returncode == 0
        stamps = [stamp for stamp, _ in world.received["fused"]]
        assert stamps == 5 * [rgb for _, rgb, _ in pairs]
        assert node.log().count("time jumped back by 1.10 s") == 4


@pytest.mark.parametrize("mode, stops", [("drop", "thermal"), ("rgb_only", "thermal"), ("thermal_only", "rgb")])
def test_a_camera_stops_for_three_seconds_and_returns(tmp_path, cameras, mode, stops):
    world = cameras()
    with NodeProcess(tmp_path, stub=[], on_missing=mode, missing_timeout_s=0.5) as node:
        node.ready()
        world.matched()

        def run(seconds: float, first: int, missing: str = "") -> list[int]:
            """Send at 20 Hz, pairs more slowly on a busy machine; return the stamps that were answered meanwhile."""
            before = len(world.received["fused"])
            for number in range(first, first + int(seconds * 20)):
                rgb, thermal = numbered_pair(number)
                world.send(
                    number * 50 * MS,
                    None if missing == "rgb" else rgb,
                    None if missing == "thermal" else thermal,
                    gap_ns=0,
                )
                begin = time.monotonic()
                world.spin_for(0.05)
                while not missing and number * 50 * MS not in world.answers["fused"] and time.monotonic() < begin + 0.4:
                    world.spin_for(0.02)  # else the next pair replaces one that waits for its turn
            return [stamp for stamp, _ in world.received["fused"][before:]]

        assert len(run(0.6, first=0)) >= 11
        alone = run(3, first=100, missing=stops)
        assert world.diagnostics["mrfs: inputs"].level == DiagnosticStatus.ERROR
        assert stops in world.diagnostics["mrfs: inputs"].message
        node.wait_for(f"{stops} camera lost: no image for 0.")
        if mode == "drop":
            assert alone == []
        else:
            assert len(alone) >= 0.8 * 50  # 2.5 of the 3 s at 20 Hz
            answer = world.answers["fused"][alone[-1]], world.answers["segmentation"][alone[-1]]
            assert {m.header.frame_id for m in answer} == {"rgb_frame" if stops == "thermal" else "thermal_frame"}
            black = answer[1] if stops == "thermal" else answer[0]
            assert not pixels_of(black).any()
        back = run(0.8, first=200)
        assert len(back) >= 14
        assert all(world.answers["fused"][stamp].header.frame_id == "rgb_frame" for stamp in back[-10:])
        world.spin_until(lambda: world.diagnostics["mrfs: inputs"].level == DiagnosticStatus.OK)
        node.wait_for(f"{stops} camera is there")
        assert len(set(alone + back)) == len(alone + back)  # nothing is answered twice


def test_rates_of_9_and_30_hz_with_jitter_and_a_constant_offset(tmp_path, cameras):
    """Thermal stamps are 50 ms late and jitter by 15 ms; with the offset set, every thermal image finds its rgb."""
    world = cameras()
    rng = np.random.default_rng(0)
    seconds = 3
    events = [(i / 30, "rgb", i) for i in range(30 * seconds)]
    events += [(i / 9 + 0.01, "thermal", i) for i in range(9 * seconds)]
    with NodeProcess(tmp_path, stub=[], thermal_time_offset_s=-0.05, slop_s=0.04) as node:
        node.ready()
        world.matched()
        begin = time.monotonic()
        for at, camera, number in sorted(events):
            world.spin_for(max(begin + at - time.monotonic(), 0))
            pixels = np.full((48, 64), number, np.uint8)
            if camera == "rgb":
                world.send(round(at * S), np.repeat(pixels[:, :, None], 3, axis=2), None)
            else:
                late = at + 0.05 + rng.uniform(-0.015, 0.015)
                world.send(round(late * S), None, pixels, gap_ns=0)
        world.spin_for(0.5)
        assert len(world.answers["fused"]) >= 9 * seconds - 2
        for stamp, message in world.answers["fused"].items():
            assert abs(stamp / S - pixels_of(message)[0, 0, 0] / 30) < 1e-6


def test_a_slow_engine_under_30_hz(tmp_path, cameras):
    """200 ms a frame: the newest pair wins, latency stays below three frames, memory stays flat, drops are counted."""
    world = cameras()
    sent: dict[int, float] = {}
    with NodeProcess(tmp_path, stub=["--delay", "0.2"]) as node:
        node.ready()
        world.matched()
        pair = numbered_pair(1, 480, 640)
        memory = []
        for number in range(30 * 6):
            sent[number * 33 * MS] = time.monotonic()
            world.send(number * 33 * MS, *pair)
            world.spin_for(1 / 30)
            if number in (60, 179):
                memory.append(node.status_kb("VmRSS"))
        world.spin_for(0.6)
        latencies = [when - sent[stamp] for stamp, when in world.received["fused"]]
        assert len(latencies) >= 0.8 * 6 / 0.2
        assert np.quantile(latencies, 0.95) < 0.55  # with one pair more that waits it would be 0.6
        stamps = [stamp for stamp, _ in world.received["fused"]]
        assert stamps == sorted(stamps)
        assert memory[1] < memory[0] + GROWTH_KB
        world.spin_for(1.1)
        dropped = int(world.value("mrfs: inputs", "dropped replaced_by_newer"))
        assert dropped + len(stamps) == 30 * 6


@pytest.mark.parametrize("flag, reason", [([], "engine_error"), (["--out-of-memory"], "out_of_memory")])
def test_an_engine_that_fails_on_every_fifth_frame(tmp_path, cameras, flag, reason):
    world = cameras()
    with NodeProcess(tmp_path, stub=["--fail-every", "5", *flag]) as node:
        node.ready()
        world.matched()
        for number in range(1, 21):
            world.send(number * S, *numbered_pair(number))
            if number % 5:
                world.await_answer(number * S)
            else:
                count = str(number // 5)
                world.spin_until(lambda c=count: world.value("mrfs: inputs", f"dropped {reason}") == c)
                assert world.diagnostics["mrfs: inference"].level == DiagnosticStatus.ERROR
                assert "a frame failed" in world.diagnostics["mrfs: inference"].message
        assert len(world.answers["fused"]) == 16
        assert f"frame skipped ({reason}, 1 so far): the engine failed: " in node.log()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_in_the_middle_of_a_frame(tmp_path, cameras, number):
    world = cameras()
    with NodeProcess(tmp_path, stub=["--delay", "30"]) as node:
        node.ready()
        world.matched()
        world.send(S, *numbered_pair(1))
        world.spin_for(0.5)
        code, seconds = node.end(number)
        assert (code, seconds < 2) == (0, True)
        assert "Traceback" not in node.log()


PR_SET_CHILD_SUBREAPER = 36


def test_death_of_its_parent(tmp_path):
    """The parent is killed as ros2 launch can be; the orphan comes to us, so that its end can be seen."""
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    log = tmp_path / "log"
    middle = (
        "import subprocess, sys, time\n"
        f"node = subprocess.Popen([sys.executable, {str(HERE / 'stub_node.py')!r}], stderr=open({str(log)!r}, 'w'))\n"
        "print(node.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    try:
        with subprocess.Popen([sys.executable, "-c", middle], stdout=subprocess.PIPE, text=True) as parent:
            node = int(parent.stdout.readline())
            deadline = time.monotonic() + 60
            while "ready in" not in (log.read_text() if log.exists() else "") and time.monotonic() < deadline:
                time.sleep(0.05)
            parent.kill()
        begin = time.monotonic()
        while (ended := os.waitpid(node, os.WNOHANG)) == (0, 0) and time.monotonic() < begin + 10:
            time.sleep(0.02)
        assert ended == (node, 0)
        assert time.monotonic() - begin < 2
    finally:
        libc.prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def test_publishers_that_restart_with_other_qos(tmp_path, cameras):
    first = cameras()
    with NodeProcess(tmp_path, stub=[]) as node:
        node.ready()
        first.matched().send(S, *numbered_pair(1))
        first.await_answer(S)
        first.destroy_publisher(first.rgb_out)
        first.destroy_publisher(first.thermal_out)
        second = cameras(qos=BEST_EFFORT)
        second.matched().send(2 * S, *numbered_pair(2))
        second.await_answer(2 * S)


def test_a_publisher_that_cannot_be_heard_is_an_error_with_the_remedy(tmp_path, cameras):
    world = cameras(qos=BEST_EFFORT)
    with NodeProcess(tmp_path, stub=[], input_qos="reliable", sync_warning_s=1.0) as node:
        node.wait_for("/rgb/image: a publisher offers another RELIABILITY than input_qos: reliable asks for")
        assert "set input_qos: sensor_data" in node.log()
        node.wait_for("/rgb/image is offered BEST_EFFORT but input_qos asks for RELIABLE: set input_qos: sensor_data")
        world.spin_until(lambda: world.diagnostics.get("mrfs: sync"))
        world.spin_until(lambda: "set input_qos: sensor_data" in world.diagnostics["mrfs: sync"].message)
        assert world.diagnostics["mrfs: sync"].level == DiagnosticStatus.WARN


@pytest.mark.soak
def test_soak_of_20_000_frames(tmp_path, cameras):
    """At full speed, pair after pair: no memory, no file descriptors, no pair get lost."""
    world = cameras()
    pair = numbered_pair(1, 120, 160)
    with NodeProcess(tmp_path, stub=[]) as node:
        node.ready()
        world.matched()
        marks = []
        for number in range(20_000):
            world.send(number * 10 * MS, *pair)
            world.await_answer(number * 10 * MS)
            for name in ("fused", "segmentation"):
                world.answers[name].clear()
                world.received[name].clear()
            if number in (1_000, 19_999):
                marks.append((node.status_kb("VmRSS"), node.open_files()))
        (memory_before, files_before), (memory, files) = marks
        print(f"RSS {memory_before} -> {memory} kB, files {files_before} -> {files}")
        assert memory < memory_before + GROWTH_KB
        assert files == files_before


@pytest.mark.soak
def test_no_pair_is_lost_at_30_hz_and_480p(tmp_path, cameras):
    """A minute of two real cameras' load, best effort in, through the shipped DDS profile."""
    world = cameras(qos=BEST_EFFORT)
    pair = numbered_pair(1, 480, 640)
    with NodeProcess(tmp_path, stub=[]) as node:
        node.ready()
        world.matched()
        for number in range(1800):
            sent = time.monotonic()
            world.send(number * 33 * MS, *pair)
            world.spin_for(sent + 1 / 30 - time.monotonic())  # a camera that a stall delayed does not catch up
        world.spin_for(2.0)  # until the last second's diagnostics
        left_out = world.value("mrfs: inputs", "dropped replaced_by_newer") or 0
        print(f"replaced by newer: {left_out}")  # what a machine that stalls for longer than a frame costs
        assert len(world.answers["fused"]) == len(world.answers["segmentation"]) == 1800


def test_an_error_of_ours_in_a_callback_is_logged_and_the_node_goes_on(ros, capfd):
    """A timer that fails each time: the loop of the program spins on, and ends when it is asked to."""
    from types import SimpleNamespace

    from stub_engine import StubEngine

    from mrfs_ros.ros import node_program
    from mrfs_ros.ros.node import MrfsNode

    node, calls = MrfsNode(StubEngine()), []
    stop = SimpleNamespace(asked=False, patient=False, impatient=None)

    def fail() -> None:
        calls.append(1)
        stop.asked = len(calls) == 5
        raise ZeroDivisionError("of the test")

    node.create_timer(0.05, fail)
    try:
        node_program._spin(node, os.getppid(), stop)
    finally:
        node.close()
        node.destroy_node()
    assert len(calls) == 5
    log = capfd.readouterr().err
    assert log.count("a callback failed; the node goes on") == 1 and "ZeroDivisionError: of the test" in log
