"""Everything that the node publishes of a pair, over real DDS, beside what ``mrfs bag`` writes of the same pair."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from bags import PERIOD_NS, START_NS, numbered, read_bag, write_bag
from bags import message as bag_message
from harness import RELIABLE, LiveNode, image
from rclpy.node import Node
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CompressedImage, Image, PointCloud2
from stub_engine import StubEngine

from mrfs_ros.bag.job import run_bag
from mrfs_ros.bag.reading.codec import Codec
from mrfs_ros.bag.settings import BagSettings
from mrfs_ros.bag.writing.bag_messages import register_vision_msgs
from mrfs_ros.bag.writing.result_bag import type_of
from mrfs_ros.config import OUTPUTS, NodeConfig
from mrfs_ros.errors import ConfigError
from mrfs_ros.pair_outputs import COMPRESSED, IMAGES, OBJECTS, TEMPERATURES
from mrfs_ros.ros import outputs
from mrfs_ros.ros.ros_messages import vision_msgs

PARAMETERS = {"thermal_unit": "centikelvin", "thermal_window": "percentile", "min_confidence": 0.3}
KINDS = {**dict.fromkeys(IMAGES, Image), **dict.fromkeys(COMPRESSED, CompressedImage), TEMPERATURES: PointCloud2}
if vision_msgs():
    KINDS[OBJECTS] = vision_msgs().Detection2DArray
NAMESPACE = "/outputs_test"


class World(Node):
    """A camera of each kind in a namespace of its own, and a listener; ``got``: messages by output."""

    def __init__(self):
        super().__init__("world", namespace=NAMESPACE)
        self.out = [self.create_publisher(Image, f"{name}/image", RELIABLE) for name in ("rgb", "thermal")]
        self.got: dict[str, list] = {}

    def listen(self, *names: str) -> None:
        for name in names:
            self.got[name] = []
            self.create_subscription(KINDS[name], f"mrfs/{name}", partial(self._keep, name), RELIABLE)

    def _keep(self, name: str, message: object) -> None:
        self.got[name].append(message)

    def send(self, number: int) -> None:
        rgb, thermal = pair(number)
        stamp = START_NS + number * PERIOD_NS
        self.out[0].publish(image(rgb, "rgb8", stamp, "rgb_frame"))
        self.out[1].publish(image(thermal, "mono16", stamp, "thermal_frame"))


def pair(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Colours, and 16-bit centikelvin of the numbered pair, so that objects of some classes are large enough."""
    rgb, _ = numbered(number)
    rows, columns = np.mgrid[:48, :64]
    return rgb, (29000 + 60 * (columns // 8 + 2 * (rows // 16)) + number).astype(np.uint16)


def spin_until(world: World, condition, seconds: float = 20.0) -> None:
    import time

    import rclpy

    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, {name: len(messages) for name, messages in world.got.items()}
        rclpy.spin_once(world, timeout_sec=0.05)


@pytest.fixture
def world(ros):
    node = World()
    yield node
    node.destroy_node()


@pytest.fixture
def live(world):
    node = LiveNode(more={"namespace": NAMESPACE}, **PARAMETERS)
    spin_until(world, lambda: all(out.get_subscription_count() for out in world.out))
    yield node
    node.end()


def heard(world: World, live: LiveNode, *names: str) -> None:
    """Let ``world`` listen to outputs, and the node know it."""
    world.listen(*names)
    topics = [f"{NAMESPACE}/mrfs/{name}" for name in names]
    spin_until(world, lambda: all(live.node.count_subscribers(topic) for topic in topics))
    spin_until(world, lambda: all(live.node.pipeline.outputs._listened(name) for name in names))


def written(tmp_path: Path) -> dict[str, bytes]:
    """What ``mrfs bag`` makes of pair 0: serialized messages by output."""
    rgb, thermal = pair(0)
    messages = []
    for topic, pixels in (("/rgb/image", rgb), ("/thermal/image", thermal)):
        kind, message = bag_message(pixels.view(np.uint8), START_NS, f"{topic.split('/')[1]}_frame")
        if topic == "/thermal/image":
            message = type(message)(**{**vars(message), "encoding": "mono16", "width": 64})
        messages.append((topic, START_NS, kind, message))
    write_bag(tmp_path / "drive", messages)
    settings = BagSettings(
        source=str(tmp_path / "drive"), out=str(tmp_path / "out"), outputs=OUTPUTS, node=NodeConfig(**PARAMETERS)
    )
    assert run_bag(settings, StubEngine()).answered == 1
    return {topic.removeprefix("/mrfs/"): raw for topic, [(_, raw)] in read_bag(tmp_path / "out").items()}


def test_live_and_bag_give_the_same_bytes(world, live, tmp_path):
    expected = written(tmp_path)
    assert set(expected) == set(OUTPUTS)
    heard(world, live, *KINDS)
    world.send(0)
    spin_until(world, lambda: all(world.got[name] for name in KINDS))
    codec = Codec()
    register_vision_msgs(codec)
    for name in KINDS:
        # Bytes that fill up to a field's alignment are whatever was in memory there: here they become zeros.
        raw, kind = bytes(serialize_message(world.got[name][0])), type_of(name)
        assert codec.store.serialize_cdr(codec.store.deserialize_cdr(raw, kind), kind) == expected[name], name
    assert world.got["thermal"][0].encoding == "32FC1"
    celsius = np.frombuffer(world.got["thermal"][0].data, np.float32).reshape(48, 64)
    assert np.abs(celsius - (pair(0)[1] * 0.01 - 273.15)).max() < 0.01
    labels = np.frombuffer(world.got["segmentation"][0].data, np.uint8)
    confidence = np.frombuffer(world.got["confidence"][0].data, np.uint8)
    assert ((labels == 255) == (confidence < 0.3 * 255)).all() and 0 < (labels == 255).mean() < 1
    assert world.got[TEMPERATURES][0].width > 0


def test_an_output_without_degrees_is_told_once(world, live, capfd):
    assert live.set(thermal_unit="counts").successful
    heard(world, live, "thermal", "overlay")
    for number in range(2):
        world.send(number)
        spin_until(world, lambda n=number: len(world.got["overlay"]) > n)
    assert not world.got["thermal"]
    told = capfd.readouterr().err.count(
        "~/thermal stays silent: thermal values are no temperatures (thermal_unit: counts"
    )
    assert told == 1


def test_only_what_is_listened_to_is_made(world, live, monkeypatch):
    made = []
    real = outputs.output_message

    def noted(name, *arguments):
        made.append(name)
        return real(name, *arguments)

    monkeypatch.setattr(outputs, "output_message", noted)
    heard(world, live, "segmentation_color")
    world.send(0)
    spin_until(world, lambda: world.got["segmentation_color"])
    assert sorted(made) == ["fused", "segmentation", "segmentation_color"]
    heard(world, live, "confidence", "fused/compressed")
    made.clear()
    world.send(1)
    spin_until(world, lambda: all(world.got[name] for name in ("confidence", "fused/compressed")))
    assert sorted(made) == ["confidence", "fused", "fused/compressed", "segmentation", "segmentation_color"]


def test_an_engine_without_confidence(world, ros):
    class Plain(StubEngine):
        gives_confidence = False

    plain = LiveNode(engine=Plain(), more={"namespace": NAMESPACE})
    try:

        def topics() -> set[str]:
            return {name for name, _ in plain.node.get_publisher_names_and_types_by_node("mrfs", NAMESPACE)}

        spin_until(world, lambda: f"{NAMESPACE}/mrfs/camera_info" in topics())  # the last that is opened
        assert f"{NAMESPACE}/mrfs/overlay" in topics() and f"{NAMESPACE}/mrfs/confidence" not in topics()
        answer = plain.set(min_confidence=0.5)
        assert not answer.successful and "stub (stub weights) gives none" in answer.reason
        assert plain.set(min_confidence=0.0).successful
    finally:
        plain.end()


def test_objects_of_a_class_that_is_none_are_refused_at_the_start_and_later(live):
    text = "object_classes: 'cars' is no class of MFNet: did you mean car, car_stop?"
    answer = live.set(object_classes="cars")
    assert not answer.successful and answer.reason == text
    assert live.set(object_classes="person, car").successful
    with pytest.raises(ConfigError, match=re.escape(text)):
        LiveNode(engine=StubEngine(), more={"namespace": "/refused"}, object_classes="cars")


@pytest.mark.skipif(vision_msgs() is None, reason="needs vision_msgs: apt install ros-$ROS_DISTRO-vision-msgs")
def test_class_names_carry_the_least_confidence(world, live):
    from mrfs_ros.ros.qos import latched

    got = []
    world.create_subscription(vision_msgs().LabelInfo, "mrfs/label_info", got.append, latched())
    spin_until(world, lambda: got)
    assert got[-1].threshold == pytest.approx(0.3)
    assert live.set(min_confidence=0.7).successful
    spin_until(world, lambda: got[-1].threshold == pytest.approx(0.7))
    assert [entry.class_name for entry in got[-1].class_map] == list(StubEngine().info.classes.names)
