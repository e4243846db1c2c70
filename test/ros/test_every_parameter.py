"""Every field of ``NodeConfig`` changes something that can be observed of the running node; a new field fails here."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from dataclasses import fields, replace
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from harness import RELIABLE, Cameras, LiveNode, image, numbered_pair, pixels_of
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import CompressedImage, Image, PointCloud2
from stub_engine import StubEngine

from mrfs_ros import engine as engines
from mrfs_ros.config import NodeConfig
from mrfs_ros.preprocess import Preprocessor
from mrfs_ros.ros import node_program
from mrfs_ros.ros.engine_startup import loaded
from mrfs_ros.ros.feature_publisher import FeatureSheets
from mrfs_ros.ros.node import MrfsNode

S, MS = 10**9, 10**6
COUNTS = np.add.outer(np.arange(96) * 40, np.arange(128) * 25).astype(np.uint16) + 7000
STEREO = """kind: stereo
plane_distance_m: 10.0
thermal: {size: [96, 128], distortion_model: plumb_bob, K: [[90, 0, 63.5], [0, 90, 47.5], [0, 0, 1]], D: []}
rgb: {size: [96, 128], distortion_model: plumb_bob, K: [[110, 0, 63.5], [0, 110, 47.5], [0, 0, 1]], D: []}
R: [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
t: [0.5, 0.0, 0.0]
"""


class Bench:
    """A node in a namespace of its own, with cameras that it hears; ``config`` is what is under test."""

    numbers = count()

    def __init__(self, config: NodeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        self.config, self.tmp_path, self.monkeypatch = config, tmp_path, monkeypatch
        self.namespace = f"/bench{next(self.numbers)}"
        self._made = ExitStack()

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *error: object) -> None:
        self._made.close()

    def node(self, *names: str, engine: StubEngine | None = None, **parameters: Any) -> MrfsNode:
        """The live node, parameters called ``names`` as in ``config``."""
        parameters |= {name: getattr(self.config, name) for name in names}
        live = LiveNode(engine=engine, more={"namespace": self.namespace}, **parameters)
        self._made.callback(live.end)
        return live.node

    def listener(self) -> Node:
        """A node that publishes nothing: a topic takes one type of messages only."""
        node = Node("listener", namespace=self.namespace)
        self._made.callback(node.destroy_node)
        return node

    def cameras(self, *outputs: str) -> Cameras:
        world = Cameras(namespace=self.namespace, outputs=outputs)
        self._made.callback(world.destroy_node)
        return world


def wait_until(condition: Callable[[], object], timeout_s: float = 20.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def engine_request(bench: Bench) -> Any:
    asked = []
    bench.monkeypatch.setattr(engines, "load_engine", lambda *a, **k: asked.append((a, sorted(k.items()))))
    loaded(bench.config)
    return asked


def warm_up_size(bench: Bench) -> Any:
    sizes = set()

    class Sized(StubEngine):
        def __call__(self, rgb, thermal):
            sizes.add(thermal.shape)
            return super().__call__(rgb, thermal)

    bench.node("warmup_height", "warmup_width", engine=Sized())
    return sizes


def chosen_rate(bench: Bench) -> Any:
    from mrfs_ros.ros import pipeline

    rates = []
    bench.monkeypatch.setattr(pipeline, "choose_encoder_side", lambda *arguments: rates.append(arguments[-1]))
    bench.node("target_rate_hz", encoder_side="auto")
    return rates


def inputs(bench: Bench, *names: str) -> list:
    bench.node(*names)
    world, topics = bench.listener(), [f"{bench.namespace}/{name}/image" for name in ("rgb", "thermal")]
    wait_until(lambda: all(world.get_subscriptions_info_by_topic(topic) for topic in topics))
    return [world.get_subscriptions_info_by_topic(topic)[0] for topic in topics]


def input_types(bench: Bench) -> Any:
    return [end.topic_type for end in inputs(bench, "rgb_transport", "thermal_transport")]


def input_reliability(bench: Bench) -> Any:
    return [end.qos_profile.reliability for end in inputs(bench, "input_qos")]


def input_depth(bench: Bench) -> Any:
    return [qos.depth for qos in bench.node("qos_depth").inputs.qos]


def output_reliability(bench: Bench) -> Any:
    bench.node("output_qos")
    world = bench.cameras()
    names = ("fused", "segmentation", "overlay", "alignment", "camera_info", "debug/features")
    topics = [f"{bench.namespace}/mrfs/{name}" for name in names]
    world.spin_until(lambda: all(world.get_publishers_info_by_topic(topic) for topic in topics))
    (kind,) = {world.get_publishers_info_by_topic(topic)[0].qos_profile.reliability for topic in topics}
    return kind


def too_large(bench: Bench) -> Any:
    content = cv2.imencode(".png", np.zeros((40, 40), np.uint8))[1].tobytes()
    node, world = bench.node("max_image_pixels", thermal_transport="compressed"), bench.listener()
    out = world.create_publisher(CompressedImage, "thermal/image", RELIABLE)
    wait_until(out.get_subscription_count)
    time.sleep(0.5)
    world.create_subscription(Image, "mrfs/fused", print, 1)
    wait_until(lambda: not node.pipeline.asleep)
    out.publish(CompressedImage(format="png", data=content))
    wait_until(lambda: node.pipeline.statistics.inputs[1].count)
    time.sleep(0.1)
    return node.pipeline.statistics.drops()


def pairs_by(bench: Bench, *names: str, gaps_ms: tuple[int, ...] = (100,)) -> Any:
    """The stamps that are answered, rgb at 0, 1, ... s and thermal so many ms later."""
    bench.node(*names)
    world = bench.cameras().matched()
    for number, gap_ms in enumerate(gaps_ms):
        world.send(number * S, *numbered_pair(number), gap_ns=gap_ms * MS)
        world.spin_for(0.4)
    return sorted(world.answers["fused"])


def queue(bench: Bench) -> Any:
    """Is a thermal image that came five images ago still there for its rgb image?"""
    bench.node("sync_queue_size")
    world = bench.cameras().matched()
    for number in range(5):
        world.send(number * S, None, numbered_pair(0)[1], gap_ns=0)
        world.spin_for(0.05)
    world.send(0, numbered_pair(0)[0], None)
    world.spin_for(0.4)
    return sorted(world.answers["fused"])


def greys(bench: Bench) -> Any:
    """Thermal counts as the node's preprocessing shows them, in a scene that grows warmer."""
    given = {name: value for name, value in vars(bench.config).items() if name.startswith("thermal_")}
    preprocessor = Preprocessor(NodeConfig(**given), print)
    node = bench.node(*given)
    shown = []
    for number in range(24):
        message = image(COUNTS + np.uint16(50 * number), "mono16", number * S // 2)
        shown.append(node.pipeline.preprocessor.grey(message))
        assert (shown[-1] == preprocessor.grey(message)).all()  # the node's is the one of its parameters
    return [grey.tobytes() for grey in shown]


def thermal_on_rgb(bench: Bench) -> Any:
    path = bench.tmp_path / "calib.yaml"
    path.write_text(STEREO)
    bench.node("plane_distance_m", calibration=bench.config.calibration and str(path))
    world = bench.cameras().matched()
    world.send(S, *numbered_pair(1, 96, 128))
    world.await_answer(S)
    return pixels_of(world.answers["segmentation"][S]).tobytes()


def started(bench: Bench) -> Any:
    return bench.node("autostart").state


def awake(bench: Bench) -> Any:
    """Pairs worked on though nobody listens."""
    engine = StubEngine()
    node = bench.node("lazy", engine=engine)
    world, warm = Cameras(namespace=bench.namespace, always=()), engine.calls
    try:
        world.matched().send(S, *numbered_pair(1))
        wait_until(lambda: node.pipeline.statistics.inputs[1].count)
        time.sleep(0.3)
    finally:
        world.destroy_node()
    return engine.calls - warm


def rate_limited(bench: Bench) -> Any:
    return pairs_by(bench, "max_rate_hz", gaps_ms=(3, 3, 3))


def aged(bench: Bench) -> Any:
    bench.node("max_age_s")
    world = bench.cameras().matched()
    world.send(time.time_ns() - 5 * S, *numbered_pair(1))
    world.spin_for(0.4)
    return len(world.answers["fused"])


def stamped(bench: Bench) -> Any:
    return pairs_by(bench, "reference_camera", gaps_ms=(3,))


def alone(bench: Bench) -> Any:
    """Answers with one camera alone, that is with each of them after the other fell silent."""
    node, world = bench.node("on_missing", missing_timeout_s=0.1), bench.cameras().matched()
    rgb, thermal = numbered_pair(1)
    found = []
    for number, pair in enumerate(((rgb, None), (None, thermal)), start=1):
        world.spin_until(lambda: len(node.inputs.source.missing()) == 2)
        world.send(number * S, *pair, gap_ns=0)
        world.spin_for(0.4)
        found.append(number * S in world.answers["fused"])
    return found


def missing_after(bench: Bench) -> Any:
    node = bench.node("missing_timeout_s")
    time.sleep(1.5)
    return node.inputs.source.missing()


def warned_after(bench: Bench) -> Any:
    node = bench.node("sync_warning_s")
    time.sleep(3.5)  # it looks once a second, and asleep it waits for the cameras' silence first
    return bool(node._reporter.no_pairs)


def expected(bench: Bench) -> Any:
    bench.node("expected_rate_hz")
    world, name = bench.cameras(), f"{bench.namespace}/mrfs/fused"
    world.spin_until(lambda: name in world.diagnostics)
    return world.diagnostics[name].level, world.value(name, "expected_frequency")


def overlaid(bench: Bench) -> Any:
    bench.node("overlay_opacity")
    world = bench.cameras("overlay").matched()
    world.send(S, *numbered_pair(1))
    world.await_answer(S)
    return pixels_of(world.answers["overlay"][S]).tobytes()


def masked(bench: Bench) -> Any:
    bench.node("min_confidence")
    world = bench.cameras().matched()
    world.send(S, *numbered_pair(1))
    world.await_answer(S)
    return pixels_of(world.answers["segmentation"][S]).tobytes()


def published(bench: Bench, kind: type, output: str, *names: str) -> Any:
    """The first message of an output, of a pair whose 8 bits are degrees."""
    bench.node(*names, thermal_unit="scaled")
    world, got = bench.cameras().matched(), []
    world.create_subscription(kind, f"mrfs/{output}", got.append, RELIABLE)
    for number in count():
        world.send(number * S, *numbered_pair(1))
        world.spin_for(0.2)
        if got or number == 50:
            return got[0].data.tobytes()


def rested(bench: Bench) -> Any:
    """Does a second sheet come soon after the first?"""
    sheet = np.zeros((8, 8, 3), np.uint8)
    bench.monkeypatch.setattr(FeatureSheets, "_opened", lambda self: lambda images: sheet)
    bench.node("features_rest_s")
    world = bench.cameras("debug/features").matched()
    for number in range(1, 6):
        world.send(number * S, *numbered_pair(1))
        world.await_answer(S) if number == 1 else world.spin_for(0.3)
    return len(world.answers["debug/features"]) > 1


def orphaned(bench: Bench) -> Any:
    """Does the program end where its parent is another one than at its start?"""
    bench.monkeypatch.setattr(node_program, "PARENT_CHECK_S", 0.1)
    node = MrfsNode(
        StubEngine(), parameter_overrides=[Parameter("exit_with_parent", value=bench.config.exit_with_parent)]
    )
    stop = SimpleNamespace(asked=False, patient=False, impatient=nullcontext)
    later = threading.Timer(1.5, lambda: setattr(stop, "asked", True))
    later.start()
    try:
        node_program._spin(node, -1, stop)
    except SystemExit:
        return True
    finally:
        later.cancel()
        node.close()
        node.destroy_node()
    return False


OBJECTS = "object_temperatures", "object_classes", "min_object_area"
FIXED = {"thermal_window": "fixed", "thermal_low": 7000.0, "thermal_high": 10000.0}
SCALED = {**FIXED, "thermal_unit": "scaled"}
# Field: what it changes, the settings beside it, and its other value.
OBSERVED: dict[str, tuple[Callable[[Bench], Any], dict[str, Any], Any]] = {
    "weights": (engine_request, {}, "untrained"),
    "classes": (engine_request, {}, "FMB"),
    "label_groups": (engine_request, {}, "groups.yaml"),
    "device": (engine_request, {}, "cpu"),
    "backend": (engine_request, {}, "eager"),
    "precision": (engine_request, {}, "fp32"),
    "encoder_side": (engine_request, {}, "240"),
    "temporal_smoothing": (engine_request, {}, 0.5),
    "target_rate_hz": (chosen_rate, {"target_rate_hz": 5.0}, 7.0),
    "warmup_height": (warm_up_size, {}, 64),
    "warmup_width": (warm_up_size, {}, 64),
    "rgb_transport": (input_types, {}, "compressed"),
    "thermal_transport": (input_types, {}, "compressed"),
    "input_qos": (input_reliability, {}, "reliable"),
    "qos_depth": (input_depth, {}, 7),
    "output_qos": (output_reliability, {}, "sensor_data"),
    "max_image_pixels": (too_large, {}, 1024),
    "slop_s": (lambda bench: pairs_by(bench, "slop_s"), {}, 0.2),
    "sync_queue_size": (queue, {}, 2),
    "thermal_time_offset_s": (lambda bench: pairs_by(bench, "thermal_time_offset_s"), {}, -0.1),
    "thermal_window": (greys, {}, "plateau"),
    "thermal_unit": (greys, {**FIXED, "thermal_low": 0.0, "thermal_high": 60.0}, "centikelvin"),
    "thermal_scale": (greys, SCALED, 0.9),
    "thermal_offset": (greys, SCALED, -500.0),
    "thermal_low": (greys, FIXED, 8000.0),
    "thermal_high": (greys, FIXED, 9000.0),
    "thermal_percentile": (greys, {}, 10.0),
    "thermal_plateau": (greys, {"thermal_window": "plateau"}, 0.002),
    "thermal_rate": (greys, {}, 1.0),
    "thermal_invert": (greys, {}, True),
    "calibration": (thermal_on_rgb, {}, "stereo"),
    "plane_distance_m": (thermal_on_rgb, {"calibration": "stereo"}, 3.0),
    "autostart": (started, {}, False),
    "lazy": (awake, {}, False),
    "max_rate_hz": (rate_limited, {}, 0.5),
    "max_age_s": (aged, {}, 1.0),
    "reference_camera": (stamped, {}, "thermal"),
    "on_missing": (alone, {}, "rgb_only"),
    "missing_timeout_s": (missing_after, {}, 10.0),
    "sync_warning_s": (warned_after, {"sync_warning_s": 1.0}, 60.0),
    "expected_rate_hz": (expected, {}, 20.0),
    "overlay_opacity": (overlaid, {}, 0.9),
    "min_confidence": (masked, {}, 0.5),
    "jpeg_quality": (lambda bench: published(bench, CompressedImage, "fused/compressed", "jpeg_quality"), {}, 20),
    "object_classes": (lambda bench: published(bench, PointCloud2, *OBJECTS), {"min_object_area": 1}, "car"),
    "min_object_area": (lambda bench: published(bench, PointCloud2, *OBJECTS), {}, 1),
    "features_rest_s": (rested, {"features_rest_s": 60.0}, 0.0),
    "exit_with_parent": (orphaned, {}, False),
}


@pytest.mark.parametrize("name", [spec.name for spec in fields(NodeConfig)])
def test_a_parameter_changes_what_is_observed(name, ros, tmp_path, monkeypatch):
    assert name in OBSERVED, f"a parameter that no test observes: say in OBSERVED what {name} changes"
    observe, beside, other = OBSERVED[name]
    one, seen = NodeConfig(**beside), []
    for config in (one, replace(one, **{name: other})):
        with Bench(config, tmp_path, monkeypatch) as bench:
            seen.append(observe(bench))
    assert seen[0] != seen[1]


def test_nothing_is_left_over():
    assert OBSERVED.keys() == {spec.name for spec in fields(NodeConfig)}
