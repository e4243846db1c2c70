"""Sleep while nobody listens, and max_rate_hz, over real DDS: what is worked on, what is counted, what is said."""

from __future__ import annotations

import threading
import time

import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from harness import RELIABLE, numbered_pair, pixels_of
from sensor_msgs.msg import CameraInfo, Image
from stub_engine import StubEngine

from mrfs_ros.ros.engine_startup import WARM_UP_FRAMES

S, MS = 10**9, 10**6
ASLEEP = "asleep: no subscriber on any output"
OUTPUTS = ("fused", "segmentation", "segmentation_color", "overlay", "alignment", "thermal")


@pytest.fixture
def asleep(cameras, live_node):
    """A node that nobody listens to, its engine, and cameras that it hears."""

    def make(**parameters):
        engine = StubEngine(warm_up=WARM_UP_FRAMES)
        live, world = live_node(engine=engine, **parameters), cameras(always=())
        world.matched()
        return live, engine, world

    return make


def send(world, first: int, count: int, period_s: float = 0.05) -> None:
    """``count`` pairs, at 20 Hz by clock and stamps."""
    begin_s = time.monotonic()
    for number in range(count):
        world.spin_for(begin_s + number * period_s - time.monotonic())
        world.send(S + (first + number) * int(period_s * S), *numbered_pair(number))


def counts(live) -> list[int]:
    return [meter.count for meter in live.node.pipeline.statistics.inputs]


def test_nobody_listens_no_inference_but_counts_rates_and_a_word(asleep):
    live, engine, world = asleep(expected_rate_hz=20.0, input_qos="reliable", qos_depth=100)
    send(world, 0, 60)
    world.spin_until(lambda: counts(live) == [60, 60])
    rate = float(world.value("mrfs: inputs", "rgb rate [Hz]"))
    assert engine.calls == 0 and live.node.inputs._group.paused
    assert rate == pytest.approx(20, rel=0.3)
    assert [world.diagnostics[name].message for name in ("mrfs: inference", "mrfs: sync", "/mrfs/fused")] == 3 * [
        ASLEEP
    ]
    assert world.diagnostics["/mrfs/fused"].level == world.diagnostics["mrfs: sync"].level == DiagnosticStatus.OK


def test_the_first_pair_after_a_subscription_is_answered_and_the_last_is_followed_by_sleep(asleep):
    live, engine, world = asleep()
    for round_number in range(3):
        send(world, 100 * round_number, 10)
        world.spin_until(lambda: live.node.inputs._group.paused)
        world.spin_for(0.5)  # until none of them waits
        assert engine.calls == round_number
        listener = world.listen("fused")
        world.spin_until(lambda: live.node.pipeline.listened)
        stamp = (100 * round_number + 50) * S
        rgb, thermal = numbered_pair(7)
        world.send(stamp, rgb, thermal)
        world.spin_until(lambda s=stamp: s in world.answers["fused"], timeout_s=5)
        assert (pixels_of(world.answers["fused"][stamp]) == rgb).all()
        world.destroy_subscription(listener)
        world.spin_until(lambda: live.node.pipeline.asleep)
    assert engine.calls == len(world.answers["fused"]) == 3


@pytest.mark.parametrize("output", [*OUTPUTS, "debug/features", "camera_info"])
def test_every_output_wakes_it(asleep, output):
    live, engine, world = asleep()
    send(world, 0, 10)
    assert engine.calls == 0
    world.create_subscription(CameraInfo if output == "camera_info" else Image, f"mrfs/{output}", print, RELIABLE)
    world.spin_until(lambda: not live.node.pipeline.asleep)
    send(world, 100, 1)
    world.spin_until(lambda: engine.calls)


def test_without_lazy_it_works_for_nobody(asleep):
    live, engine, world = asleep(lazy=False)
    send(world, 0, 3, 0.2)
    world.spin_until(lambda: engine.calls == 3)
    assert live.set(lazy=True).successful
    send(world, 100, 3)
    world.spin_until(lambda: counts(live) == [6, 6])
    assert engine.calls == 3 and live.node.pipeline.asleep
    assert live.set(lazy=False).successful
    send(world, 200, 1)
    world.spin_until(lambda: engine.calls == 4)


def test_a_camera_that_falls_silent_is_noticed_in_its_sleep(asleep):
    live, _, world = asleep(missing_timeout_s=0.5, sync_warning_s=1.0)
    send(world, 0, 20)
    world.spin_until(lambda: live.node.inputs._group.paused)
    for number in range(60):
        world.send((10 + number) * S, numbered_pair(1)[0], None)
        world.spin_for(0.05)
    assert live.node.inputs.source.missing() == ["thermal"]
    assert "no image from thermal" in world.diagnostics["mrfs: inputs"].message
    assert "/thermal/image fell silent: look at the thermal camera" in live.node._reporter.no_pairs
    send(world, 2000, 20)
    world.spin_until(lambda: live.node.inputs.source.missing() == [] and not live.node._reporter.no_pairs)
    assert counts(live) == [pytest.approx(100, rel=0.1), pytest.approx(40, rel=0.1)]  # best effort, on a busy machine


def test_camera_info_of_the_sleep_goes_with_the_first_pair(asleep):
    live, _, world = asleep()
    out, infos = world.create_publisher(CameraInfo, "rgb/camera_info", RELIABLE), []
    world.matched(out)
    send(world, 0, 10)
    world.spin_until(lambda: live.node.inputs._group.paused)
    for number in range(10):
        out.publish(CameraInfo(height=48, width=64, k=[64.0, 0.0, 32.0, 0.0, 48.0, 24.0, 0.0, 0.0, 1.0]))
        send(world, 100 + number, 1)
        world.spin_for(0.05)
    assert live.node.pipeline.camera_info[0] is not None
    world.create_subscription(CameraInfo, "mrfs/camera_info", infos.append, RELIABLE)
    world.spin_until(lambda: not live.node.pipeline.asleep)
    send(world, 1000, 1)
    world.spin_until(lambda: infos)
    assert infos[0].k[0] == 64.0


def test_switched_off_it_rests_and_goes_on(asleep):
    live, engine, world = asleep(lazy=False)
    live.node.enabled = False
    send(world, 0, 10)
    world.spin_until(lambda: counts(live) == [10, 10] and live.node.inputs._group.paused)
    live.node.enabled = True
    send(world, 1000, 1)
    world.spin_until(lambda: engine.calls == 1)


def test_deactivate_and_end_while_it_rests(asleep):
    live, _, world = asleep()
    for round_number in range(2):
        send(world, 100 * round_number, 10)
        world.spin_until(lambda: live.node.inputs._group.paused)
        future = live._executor.create_task(live.node.trigger_deactivate)
        world.spin_until(future.done)
        future = live._executor.create_task(live.node.trigger_activate)
        world.spin_until(future.done)
        world.matched()
    assert sum("mrfs rest" in thread.name for thread in threading.enumerate()) == 1


def test_max_rate_leaves_pairs_out_by_their_stamps_and_can_be_changed(cameras, live_node):
    live, world = live_node(max_rate_hz=2.0), cameras()
    world.matched()
    stamps = [S + number * 100 * MS for number in range(21)]

    def played() -> list[int]:
        world.answers["fused"].clear()
        for stamp in stamps:
            world.send(stamp, *numbered_pair(1))
            world.spin_for(0.15)
        world.spin_for(0.3)
        return sorted(world.answers["fused"])

    assert played() == stamps[::5]
    assert live.node.pipeline.statistics.drops() == {"max_rate_hz": 16}
    world.spin_until(lambda: world.value("mrfs: inputs", "dropped max_rate_hz") == "16")
    assert world.diagnostics["mrfs: inputs"].level == DiagnosticStatus.OK
    assert played() == stamps[::5]  # the same stamps again: time that jumps back does not block
    assert live.set(max_rate_hz=0.0).successful
    assert played() == stamps
