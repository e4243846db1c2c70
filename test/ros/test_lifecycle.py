"""The managed node over real DDS: every transition by its service, what it does to topics, parameters and memory."""

from __future__ import annotations

import signal
import time

import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from harness import RELIABLE, LiveNode, NodeProcess, numbered_pair, pixels_of
from lifecycle import Manager
from rclpy.parameter import Parameter
from rclpy.qos import ReliabilityPolicy
from sensor_msgs.msg import Image
from std_srvs.srv import SetBool
from test_drops import HeldEngine

from mrfs_ros.ros.node import FAILURE, SUCCESS

S = 10**9
INPUTS = ("/rgb/image", "/thermal/image")


def listens(world) -> bool:
    """Does somebody subscribe to the cameras?"""
    return any(world.count_subscribers(topic) for topic in INPUTS)


def answered(world, number: int) -> None:
    """A pair is answered with the pixels of the stub engine."""
    world.matched()
    rgb, thermal = numbered_pair(number)
    world.send(number * S, rgb, thermal)
    world.await_answer(number * S)
    assert (pixels_of(world.answers["fused"][number * S]) == rgb).all()


def in_its_thread(live: LiveNode, call):
    """What ``call()`` returns in the thread that spins the node."""
    future = live._executor.create_task(call)
    deadline = time.monotonic() + 30
    while not future.done():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return future.result()


def test_every_transition_by_its_service(tmp_path, cameras):
    world = cameras()
    with NodeProcess(tmp_path, stub=[], autostart=False) as node:
        manager = Manager(world)
        assert manager.state() == "unconfigured"
        assert {"unconfigured", "inactive", "active", "finalized"} <= set(manager.states())
        assert not listens(world) and not world.count_publishers("/mrfs/fused")
        assert not manager.change("activate") and manager.state() == "unconfigured"
        assert manager.change("configure") and manager.state() == "inactive"
        world.spin_until(lambda: world.count_publishers("/mrfs/fused"))
        assert not listens(world)
        assert manager.change("activate") and manager.state() == "active"
        answered(world, 1)
        assert not manager.change("configure") and manager.state() == "active"
        assert manager.change("deactivate") and manager.state() == "inactive"
        world.spin_until(lambda: not listens(world))
        world.send(2 * S, *numbered_pair(2))
        world.spin_for(0.5)
        assert manager.change("activate")
        answered(world, 3)  # the weights were there, the pair of before is not
        assert manager.change("deactivate", "cleanup") and manager.state() == "unconfigured"
        world.spin_until(lambda: not world.count_publishers("/mrfs/fused"))
        assert manager.change("configure", "activate")
        answered(world, 4)
        assert manager.change("deactivate", "cleanup", "unconfigured shutdown") and manager.state() == "finalized"
        assert node.process.poll() is None  # as every managed node: it can be asked until somebody ends it
        assert sorted(world.answers["fused"]) == [S, 3 * S, 4 * S]
        passed = [state for state in manager.events if state in ("unconfigured", "inactive", "active", "finalized")]
        assert passed == [
            "inactive", "active", "inactive", "active", "inactive", "unconfigured", "inactive", "active", "inactive",
            "unconfigured", "finalized",
        ]  # fmt: skip
        assert node.end(signal.SIGINT)[0] == 0
        assert "Traceback" not in node.log()


@pytest.mark.parametrize("state", ["inactive", "active"])
def test_a_shutdown_from_any_state_ends_the_work(tmp_path, cameras, state):
    world = cameras()
    with NodeProcess(tmp_path, stub=[], autostart=False) as node:
        manager = Manager(world)
        assert manager.change(*["configure", "activate"][: ["inactive", "active"].index(state) + 1])
        assert manager.change(f"{state} shutdown") and manager.state() == "finalized"
        world.spin_until(lambda: not listens(world) and not world.count_publishers("/mrfs/fused"))
        assert node.end(signal.SIGTERM)[0] == 0


def test_by_default_it_starts_itself(tmp_path, cameras):
    world = cameras()
    with NodeProcess(tmp_path, stub=[]) as node:
        node.ready()
        assert Manager(world).state() == "active"
        answered(world, 1)


def test_other_weights_by_cleanup_and_configure(tmp_path, cameras, tiny_weights, small_pair):
    from mrfs_ros import load_engine

    world, other = cameras(), tmp_path / "other.safetensors"
    other.write_bytes(tiny_weights.read_bytes())
    (tmp_path / "broken.pth").write_bytes(b"no weights")
    expected = {"weights": load_engine(tiny_weights)(*small_pair), "eager": load_engine(other, backend="eager")}
    expected["eager"] = expected["eager"](*small_pair)
    size = {"warmup_height": 96, "warmup_width": 128}
    with NodeProcess(tmp_path, autostart=False, weights=str(tiny_weights), **size) as node:
        manager = Manager(world)
        assert manager.change("configure")
        refused = manager.set(weights=str(other))
        assert not refused.successful
        reason = "weights is read when the node is configured, and it is inactive: clean up, set it, configure again"
        assert refused.reason == f"parameter {reason}"
        assert manager.change("activate")
        refused = manager.set(device="cuda")
        assert "and it is active: deactivate, clean up, set it, configure again" in refused.reason
        assert manager.set(weights=str(tiny_weights)).successful  # as it is: a whole file of parameters can be loaded
        assert not manager.set(autostart=True).successful  # that was read once
        world.matched().send(S, *small_pair)
        world.await_answer(S)
        assert manager.change("deactivate", "cleanup")
        assert manager.set(weights=str(tmp_path / "broken.pth")).successful
        assert not manager.change("configure") and manager.state() == "unconfigured"
        node.wait_for("configure failed: ")
        assert manager.set(weights=str(other)).successful and manager.set(backend="eager").successful
        assert manager.change("configure", "activate")
        world.matched().send(2 * S, *small_pair)
        world.await_answer(2 * S)
        world.spin_until(lambda: world.value("mrfs: inference", "weights").endswith("other.safetensors"))
        assert world.value("mrfs: device", "backend") == "eager"
    for stamp, name in ((S, "weights"), (2 * S, "eager")):
        assert (pixels_of(world.answers["segmentation"][stamp]) == expected[name].labels).all()
        assert (pixels_of(world.answers["fused"][stamp]) == expected[name].fused).all()


@pytest.mark.slow
def test_cleanup_gives_the_memory_of_the_shipped_weights_back(tmp_path, cameras):
    world = cameras()
    with NodeProcess(tmp_path, autostart=False) as node:
        manager, megabytes = Manager(world), []
        for _ in range(3):
            assert manager.change("configure")
            configured = node.status_kb("VmRSS:") / 1024
            assert manager.change("activate", "deactivate", "cleanup")
            megabytes.append((configured, node.status_kb("VmRSS:") / 1024))
        print("RSS [MB] configured and cleaned up:", [tuple(map(round, pair)) for pair in megabytes])
        assert all(configured - cleaned > 80 for configured, cleaned in megabytes)
        assert megabytes[2][1] < megabytes[0][1] + 20


def test_a_configure_that_fails_leaves_a_node_that_can_be_mended(tmp_path, cameras):
    world = cameras()
    with NodeProcess(tmp_path, autostart=False, weights="/no/where.pth") as node:
        manager = Manager(world)
        for count in (1, 2):
            assert not manager.change("configure") and manager.state() == "unconfigured"
            node.wait_for("configure failed: no weights file at /no/where.pth")
            assert node.log().count("[ERROR]") == count  # one line each
        world.spin_until(lambda: world.diagnostics["mrfs: inference"].level == DiagnosticStatus.ERROR)
        assert "unconfigured: configure failed: no weights file at" in world.diagnostics["mrfs: inference"].message
        assert not world.count_publishers("/mrfs/fused")
        assert manager.set(weights="untrained").successful
        assert manager.set(warmup_height=96).successful and manager.set(warmup_width=128).successful
        assert manager.change("configure", "activate")
        world.spin_until(lambda: world.diagnostics["mrfs: inference"].level != DiagnosticStatus.ERROR)
        assert "Traceback" not in node.log()


def test_an_activate_that_fails_leaves_the_node_inactive(tmp_path, cameras):
    world = cameras()
    bad = ["-p", "qos_overrides./thermal/image.subscription.reliability:=sometimes"]
    with NodeProcess(tmp_path, stub=[], autostart=False, ros=bad) as node:
        manager = Manager(world)
        assert manager.change("configure")
        assert not manager.change("activate") and manager.state() == "inactive"
        node.wait_for("activate failed: qos_overrides of thermal/image: ")
        world.spin_until(lambda: not listens(world))
        assert manager.change("cleanup") and "Traceback" not in node.log()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    "transitions", [(), ("configure",), ("configure", "activate"), ("configure", "cleanup", "unconfigured shutdown")]
)
def test_signals_end_it_in_every_state(tmp_path, cameras, number, transitions):
    with NodeProcess(tmp_path, stub=[], autostart=False) as node:
        node.wait_for("unconfigured: waiting for transitions")
        assert Manager(cameras()).change(*transitions)
        code, seconds = node.end(number)
        assert (code, seconds < 5) == (0, True)
        assert "Traceback" not in node.log()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_a_configure_by_service_too(tmp_path, cameras, number):
    from lifecycle_msgs.msg import Transition
    from lifecycle_msgs.srv import ChangeState

    world = cameras()
    with NodeProcess(tmp_path, autostart=False, warmup_height=4000, warmup_width=4000) as node:
        node.wait_for("unconfigured: waiting for transitions")
        client = world.create_client(ChangeState, "mrfs/change_state")
        world.spin_until(client.service_is_ready)
        world.await_node()
        client.call_async(ChangeState.Request(transition=Transition(id=Transition.TRANSITION_CONFIGURE)))
        world.spin_for(0.2)
        node.wait_until_loaded("torch")
        code, _ = node.end(number)
        assert code == 0
        assert "configured in" not in node.log() and "Traceback" not in node.log()


def test_diagnostics_say_the_state(tmp_path, cameras):
    world = cameras()
    names = {"mrfs: inputs", "mrfs: sync", "mrfs: inference", "mrfs: device", "/mrfs/fused"}
    with NodeProcess(tmp_path, stub=[], autostart=False, expected_rate_hz=30.0, missing_timeout_s=0.2):
        manager = Manager(world)
        for transitions, state in (((), "unconfigured"), (("configure",), "inactive"), (("cleanup",), "unconfigured")):
            assert manager.change(*transitions)
            world.diagnostics.clear()
            world.spin_until(lambda: names <= world.diagnostics.keys())
            assert {status.level for status in world.diagnostics.values()} == {DiagnosticStatus.OK}
            assert world.value("mrfs: inference", "state") == world.diagnostics["/mrfs/fused"].message == state
            assert ("person" in world.value("mrfs: inference", "classes")) == (state == "inactive")
        assert manager.change("configure", "activate")
        world.spin_until(lambda: world.value("mrfs: inference", "state") == "active")
        world.spin_until(lambda: world.diagnostics["mrfs: inputs"].level == DiagnosticStatus.ERROR)  # no cameras


def test_enable_is_kept_until_it_is_active(tmp_path, cameras):
    world = cameras()
    with NodeProcess(tmp_path, stub=[], autostart=False):
        manager = Manager(world)
        answer = world.ask(SetBool, "enable", SetBool.Request(data=False))
        assert answer.message.endswith("(once the node is active; it is unconfigured)")
        assert manager.change("configure", "activate")
        world.matched().send(S, *numbered_pair(1))
        world.spin_until(lambda: world.value("mrfs: inputs", "rgb received") == "1")
        assert world.diagnostics["mrfs: inference"].message == "switched off by the enable service"
        assert world.answers["fused"] == {}


def test_fixed_parameters_of_an_unconfigured_node_are_checked(live_node, ros):
    live = live_node(autostart=False)
    assert live.set(encoder_side=240).successful and live.node._config.encoder_side == "240"
    refused = live.set(encoder_side=240.5)
    assert not refused.successful and "expected a word or whole number, got 240.5" in refused.reason
    assert "encoder_side: auto needs target_rate_hz" in live.set(encoder_side="auto").reason
    assert "expected one of auto, eager" in live.set(backend="magic").reason
    assert live.set(encoder_side="weights").successful


def test_output_qos_changes_with_a_configure(live_node, ros):
    node = live_node(autostart=False).node

    def reliability() -> ReliabilityPolicy:
        (end,) = node.get_publishers_info_by_topic("/mrfs/fused")
        return end.qos_profile.reliability

    assert node.trigger_configure() == SUCCESS
    assert reliability() == ReliabilityPolicy.RELIABLE
    assert node.trigger_cleanup() == SUCCESS
    assert node.set_parameters([Parameter("output_qos", value="sensor_data")])[0].successful
    assert node.trigger_configure() == SUCCESS
    assert reliability() == ReliabilityPolicy.BEST_EFFORT


def test_a_pair_in_the_network_is_not_published_after_deactivate(cameras, live_node):
    engine, world = HeldEngine(), cameras()
    live = live_node(engine=engine)
    engine.warm.set()
    world.matched()
    world.send(S, *numbered_pair(1))
    assert engine.begun.wait(20)
    assert in_its_thread(live, live.node.trigger_deactivate) == SUCCESS
    engine.released.set()
    world.spin_for(0.5)
    assert world.answers["fused"] == {}
    assert in_its_thread(live, live.node.trigger_activate) == SUCCESS
    world.matched()
    world.send(2 * S, *numbered_pair(2))
    world.await_answer(2 * S)
    assert sorted(world.answers["fused"]) == [2 * S]


def test_an_error_of_ours_in_a_transition_is_told_and_the_node_lives(cameras, live_node, monkeypatch, capfd):
    live, manager = live_node(autostart=False), Manager(cameras())
    monkeypatch.setattr("mrfs_ros.ros.node.Pipeline", lambda *arguments: 1 / 0)
    assert in_its_thread(live, live.node.trigger_configure) == FAILURE
    assert "configure failed: division by zero; the node is unconfigured" in capfd.readouterr().err
    monkeypatch.undo()
    assert manager.change("configure", "activate") and manager.state() == live.node.state == "active"


def test_many_cycles_leave_nothing_behind(live_node, cameras):
    live, world = live_node(), cameras()
    world.matched()

    def cycle():
        node = live.node
        return [node.trigger_deactivate(), node.trigger_cleanup(), node.trigger_configure(), node.trigger_activate()]

    counts = []
    for _ in range(4):
        assert in_its_thread(live, cycle) == 4 * [SUCCESS]
        node = live.node
        counts.append([len(list(ends)) for ends in (node.publishers, node.subscriptions, node.timers, node.waitables)])
    assert counts[0] == counts[-1]
    listener = world.create_subscription(Image, "mrfs/overlay", print, RELIABLE)
    world.destroy_subscription(listener)
    answered(world, 1)
