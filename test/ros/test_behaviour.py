"""What else the node promises: enable, age limit, compressed input, camera info, diagnostics, readiness, sim time."""

from __future__ import annotations

import time

import cv2
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from harness import RELIABLE, NodeProcess, numbered_pair, pixels_of, stamp_of
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, CompressedImage
from std_srvs.srv import SetBool

S, MS = 10**9, 10**6


def test_enable_switches_inference_off_and_on(tmp_path, cameras):
    world = cameras()
    with NodeProcess(tmp_path, stub=[]) as node:
        node.ready()
        world.matched()
        answer = world.ask(SetBool, "enable", SetBool.Request(data=False))
        assert (answer.success, answer.message) == (True, "inference is off; images are counted and dropped")
        world.send(S, *numbered_pair(1))
        world.spin_until(lambda: world.value("mrfs: inputs", "rgb received") == "1")
        assert "switched off" in world.diagnostics["mrfs: inference"].message
        assert world.answers["fused"] == {}
        assert world.ask(SetBool, "enable", SetBool.Request(data=True)).success
        world.send(2 * S, *numbered_pair(2))
        world.await_answer(2 * S)
        assert list(world.answers["fused"]) == [2 * S]


def test_pairs_beyond_max_age_are_dropped(tmp_path, cameras):
    world = cameras()
    with NodeProcess(tmp_path, stub=[], max_age_s=1.0) as node:
        node.ready()
        world.matched()
        world.send(time.time_ns() - 5 * S, *numbered_pair(1))
        node.wait_for("frame skipped (too_old, 1 so far): the pair is 5.")
        now = time.time_ns()
        world.send(now, *numbered_pair(2))
        world.await_answer(now)
        assert list(world.answers["fused"]) == [now]


def test_compressed_input(tmp_path, cameras):
    """JPEG rgb beside raw thermal; what OpenCV makes of the JPEG is what the engine gets."""
    world = cameras()
    out = world.create_publisher(CompressedImage, "rgb/compressed", RELIABLE)
    remap = ["-r", "rgb/image:=rgb/compressed"]
    rgb, thermal = numbered_pair(3)
    content = cv2.imencode(".jpg", rgb[:, :, ::-1])[1]
    with NodeProcess(tmp_path, stub=[], ros=remap, rgb_transport="compressed") as node:
        node.ready()
        world.matched(out, world.thermal_out)
        for number, data in enumerate((content.tobytes(), b"no jpeg", content.tobytes())):
            message = CompressedImage(format="jpeg", data=data)
            message.header.stamp.sec = number
            out.publish(message)
            world.send(number * S, None, thermal)
            if number == 1:
                node.wait_for("frame skipped (rgb_damaged, 1 so far): compressed rgb image (jpeg): is no image")
            else:
                world.await_answer(number * S)
    expected = cv2.imdecode(content, cv2.IMREAD_COLOR)[:, :, ::-1]
    assert (pixels_of(world.answers["fused"][2 * S]) == expected).all()
    assert sorted(world.answers["fused"]) == [0, 2 * S]


def test_camera_info_comes_out_beside_the_images(tmp_path, cameras):
    world = cameras()
    infos: list[CameraInfo] = []
    world.create_subscription(CameraInfo, "mrfs/camera_info", infos.append, RELIABLE)
    out = world.create_publisher(CameraInfo, "rgb/camera_info", RELIABLE)
    with NodeProcess(tmp_path, stub=[]) as node:
        node.ready()
        world.matched()
        world.send(S, *numbered_pair(1))
        world.await_answer(S)
        world.spin_for(0.3)
        assert infos == []  # none came in, none is invented
        info = CameraInfo(height=480, width=640, k=[640.0, 0.0, 320.0, 0.0, 480.0, 240.0, 0.0, 0.0, 1.0])
        world.matched(out)
        out.publish(info)
        world.spin_for(0.5)
        world.send(2 * S, *numbered_pair(2))
        world.spin_until(lambda: infos)
    assert stamp_of(infos[0]) == 2 * S
    assert infos[0].header.frame_id == "rgb_frame"
    assert infos[0].k.tolist() == [64.0, 0.0, 32.0, 0.0, 48.0, 24.0, 0.0, 0.0, 1.0]


def test_diagnostics_are_complete_and_change_with_the_state(tmp_path, cameras):
    world = cameras()
    with NodeProcess(tmp_path, stub=[], expected_rate_hz=20.0, missing_timeout_s=0.5) as node:
        node.ready()
        world.matched()
        world.spin_until(lambda: len(world.diagnostics) == 5)
        world.spin_until(lambda: world.diagnostics["mrfs: inputs"].level == DiagnosticStatus.ERROR)
        begin, begin_s = time.time_ns(), time.monotonic()
        for number in range(60):
            world.send(begin + number * 50 * MS, *numbered_pair(number % 3))
            world.spin_for(begin_s + (number + 1) * 0.05 - time.monotonic())  # 20 Hz, however long sending takes
        levels = {name: status.level for name, status in world.diagnostics.items()}
        names = {"mrfs: inputs", "mrfs: sync", "mrfs: inference", "mrfs: device", "/mrfs/fused"}
        assert levels == dict.fromkeys(names, DiagnosticStatus.OK)
        assert float(world.value("mrfs: inputs", "rgb rate [Hz]")) == pytest.approx(20, rel=0.15)
        assert float(world.value("/mrfs/fused", "frame_rate_node")) == pytest.approx(20, rel=0.15)
        assert float(world.value("/mrfs/fused", "frame_rate_msg")) == pytest.approx(20, rel=0.15)
        assert float(world.value("/mrfs/fused", "expected_frequency")) == 20
        assert float(world.value("/mrfs/fused", "tolerance")) == 2
        assert 0 < float(world.value("/mrfs/fused", "current_delay_from_realtime_ms")) < 500
        assert 0 < float(world.value("mrfs: inference", "latency p50 [ms]")) < 200
        assert "person" in world.value("mrfs: inference", "classes")
        last = time.monotonic()
        world.spin_until(lambda: world.diagnostics["mrfs: inputs"].level == DiagnosticStatus.ERROR)
        assert time.monotonic() - last < 0.95  # on the change, not on the next full second
        world.spin_until(lambda: world.diagnostics["/mrfs/fused"].level == DiagnosticStatus.WARN, timeout_s=8)


def test_no_subscription_exists_before_the_warm_up_is_done(tmp_path, cameras):
    """Ready means ready: cameras see a subscriber only when the first frame would be fast."""
    world = cameras()
    seen_early = []
    with NodeProcess(tmp_path, warmup_height=480, warmup_width=640) as node:
        while ": ready in " not in node.log():
            seen_early.append(world.rgb_out.get_subscription_count() and ": ready in " not in node.log())
            world.spin_for(0.02)
        world.spin_until(world.rgb_out.get_subscription_count)
    assert len(seen_early) > 5
    assert sum(map(bool, seen_early)) <= 1 + len(seen_early) / 20  # the line is written a moment after the subscription
    assert node.log().count(": ready in ") == node.log().count("parameters: autostart=") == 1


def test_simulated_time_rules_ages_and_rates(tmp_path, cameras):
    """A clock at a tenth of the pace: 20 images a second are 200 Hz to it."""
    world = cameras()
    clock = world.create_publisher(Clock, "/clock", RELIABLE)
    with NodeProcess(tmp_path, stub=[], use_sim_time=True, max_age_s=0.5) as node:
        node.ready()
        world.matched()
        for number in range(60):
            now = 1000 * S + number * 5 * MS
            message = Clock()
            message.clock.sec, message.clock.nanosec = divmod(now, S)
            clock.publish(message)
            world.send(now, *numbered_pair(1), gap_ns=0)
            world.spin_for(0.05)
        assert len(world.answers["fused"]) >= 57
        world.spin_until(lambda: float(world.value("mrfs: inputs", "rgb rate [Hz]") or 0) > 0)
        assert float(world.value("mrfs: inputs", "rgb rate [Hz]")) == pytest.approx(200, rel=0.1)


def test_slop_too_small_is_explained(tmp_path, cameras):
    world = cameras()
    with NodeProcess(tmp_path, stub=[], slop_s=0.01, sync_warning_s=1.0) as node:
        node.ready()
        world.matched()
        for number in range(30):
            world.send(number * 50 * MS, *numbered_pair(1), gap_ns=20 * MS)
            world.spin_for(0.05)
        node.wait_for(
            "The nearest stamps are 0.0200 s apart, slop_s is 0.01: set slop_s above 0.0200, or "
            "thermal_time_offset_s: -0.0200 if the gap is constant"
        )
        assert "/rgb/image: " in node.log()
