"""The active node's subscriptions, from activate to deactivate: images become pairs, camera_info is kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from rclpy.node import Node
from rclpy.qos import ReliabilityPolicy, qos_policy_name_from_kind
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

try:
    from rclpy.event_handler import SubscriptionEventCallbacks
except ImportError:  # ROS 2 Humble
    from rclpy.qos_event import SubscriptionEventCallbacks

from mrfs_ros.camera.messages import stamp_ns
from mrfs_ros.config import NodeConfig
from mrfs_ros.errors import ImageError
from mrfs_ros.pairing.pair_source import PairSource
from mrfs_ros.pairing.rate_limit import RateLimit
from mrfs_ros.ros.graph import publishers_of
from mrfs_ros.ros.message_filters_pairing import pairing_kind
from mrfs_ros.ros.node_parameters import unknown_qos_overrides
from mrfs_ros.ros.pipeline import Pipeline
from mrfs_ros.ros.qos import profile, subscription
from mrfs_ros.ros.rest import SILENCE_S, PausableGroup, Rest
from mrfs_ros.ros.topics import camera_info_topic
from mrfs_ros.ros.watchdog import TRANSPORT_TYPES, InputReport
from mrfs_ros.types import CAMERAS, RGB, THERMAL

IMAGE_TYPES = {"raw": Image, "compressed": CompressedImage}
TOPICS = ("rgb/image", "thermal/image")


class Inputs:
    """Subscribes on ``node`` and gives ``pipeline`` the pairs that come while ``enabled()`` and somebody listens.

    Else it is at rest: images are counted a few at a time and not decoded, which is a small part of the cost. Raises
    ConfigError for qos_overrides that cannot be; what it had opened until then is closed.
    """

    def __init__(self, node: Node, pipeline: Pipeline, enabled: Callable[[], bool]):
        self._node, self._pipeline, self._enabled = node, pipeline, enabled
        self._config = config = pipeline.config
        say = node.get_logger().warning
        self.source = PairSource(_pairing_of(config), start_s=time.monotonic(), say=say)
        self._limit = RateLimit()
        self.last_pair_s = time.monotonic()
        self.refused = ""  # why images could not be used since the last pair
        self.apply(config)
        self._opened: list[Subscription] = []
        self._group = PausableGroup(node.default_callback_group)
        self._rest: Rest | None = None
        self._rested_s: list[float | None] = [None, None]  # when an image came during a rest, of each camera
        try:
            self._open()
        except BaseException:
            self.close()
            raise
        self._rest = self._rested()
        if len({end.topic_name for end in self._images}) == 1:
            say(
                f"rgb and thermal images are both taken from {self._images[RGB].topic_name}: each is paired with "
                "itself; remap rgb/image or thermal/image to the other camera's topic"
            )
        if lost := unknown_qos_overrides(node):
            say(f"qos_overrides of topics or policies that this node does not have: {lost}")

    def apply(self, config: NodeConfig) -> None:
        """Go on with other settings."""
        old, self._config = self._config, config
        if (old.slop_s, old.sync_queue_size) != (config.slop_s, config.sync_queue_size):
            self.source.restart(_pairing_of(config))
        self.source.thermal_offset_ns = round(config.thermal_time_offset_s * 1e9)
        self.source.on_missing = config.on_missing
        self.source.missing_timeout_s = config.missing_timeout_s

    def close(self) -> None:
        """Unsubscribe."""
        if self._rest is not None:
            self._rest.stop()
        for end in self._opened:
            self._node.destroy_subscription(end)
        self._opened = []

    @property
    def summary(self) -> str:
        """The topics, for people."""
        return (
            f"listening on {' and '.join(end.topic_name for end in self._images)}, "
            f"for camera_info on {self.camera_info_topic}"
        )

    # Subscriptions ----------------------------------------------------------------------------------------------

    def _open(self) -> None:
        config = self._config
        transports = config.rgb_transport, config.thermal_transport
        self._types = [IMAGE_TYPES[transport] for transport in transports]
        self.qos = [profile(config.input_qos, config.qos_depth) for _ in CAMERAS]
        self._images = [
            self._subscribe(
                self._types[camera],
                TOPICS[camera],
                partial(self._on_image, camera),
                self.qos[camera],
                event_callbacks=SubscriptionEventCallbacks(incompatible_qos=partial(self._on_incompatible, camera)),
            )
            for camera in (RGB, THERMAL)
        ]
        topics = [self._camera_info_topic(camera) for camera in (RGB, THERMAL)]
        self.camera_info_topic = topics[RGB]
        for camera, topic in enumerate(topics):
            if topic not in topics[:camera]:  # where images of both lie side by side, it is rgb's
                keep = partial(self._pipeline.camera_info.__setitem__, camera)
                self._subscribe(CameraInfo, topic, keep, profile("sensor_data", 1))

    def _rested(self) -> Rest:
        rest = Rest(
            self._node,
            self._group,
            counted=[(end, qos.depth) for end, qos in zip(self._images, self.qos)],
            kept=self._opened[len(self._images) :],
            on_count=self._on_rest_count,
            is_over=lambda: not self.at_rest,
        )
        rest.start()
        return rest

    def _subscribe(self, *arguments: object, **more: object) -> Subscription:
        self._opened.append(subscription(self._node, *arguments, callback_group=self._group, **more))
        return self._opened[-1]

    def _camera_info_topic(self, camera: int) -> str:
        """The full name, also where namespace and remapping change it."""
        name = f"{CAMERAS[camera]}/camera_info"
        topic = self._node.resolve_topic_name(name)
        if topic == self._node.resolve_topic_name(name, only_expand=True):  # not remapped: beside the images
            return camera_info_topic(self._images[camera].topic_name)
        return topic

    # Images -----------------------------------------------------------------------------------------------------

    @property
    def at_rest(self) -> bool:
        """Is there nothing to do with images but to count them?"""
        return not self._enabled() or self._pipeline.asleep

    def _on_image(self, camera: int, message: Image | CompressedImage) -> None:
        now_s = time.monotonic()
        self._pipeline.statistics.inputs[camera].note(self._pipeline.now_ns())
        self.source.heard(camera, now_s)
        if self.at_rest:
            self._go_to_rest(now_s)
            return
        # Bad images end here: one that reached the worker's mailbox could push a good pair out of it.
        try:
            self._pipeline.preprocessor.check_message(camera, message)
            self._on_good_image(camera, message, now_s)
        except ImageError as error:
            self.refused = str(error)
            self._pipeline.skip(error.reason, str(error))

    def _go_to_rest(self, now_s: float) -> None:
        if all(self.source.silence_s(camera, now_s) < SILENCE_S for camera in (RGB, THERMAL)):
            self._rest.begin()

    def watch(self) -> None:
        """Notice cameras that fell silent or came back; to be called from time to time."""
        for camera, at_s in enumerate(self._rested_s):
            if at_s is not None:
                self.source.note_heard(camera, at_s)
        self.source.watch(time.monotonic())

    def _on_rest_count(self, camera: int, count: int) -> None:
        self._rested_s[camera] = time.monotonic()
        self._pipeline.statistics.inputs[camera].note_several(count, self._pipeline.now_ns())

    def _on_good_image(self, camera: int, message: Image | CompressedImage, now_s: float) -> None:
        pair = self.source.add(camera, stamp_ns(message), message, now_s)
        if pair is None:
            return
        self._pipeline.preprocessor.check(*pair)
        self.last_pair_s, self.refused = now_s, ""
        self._pipeline.statistics.pairs.note(self._pipeline.now_ns())
        first = next(message for message in pair if message is not None)
        if self._limit.passes(stamp_ns(first), self._config.max_rate_hz):
            self._pipeline.put(*pair, now_s)
        else:
            self._pipeline.statistics.drop("max_rate_hz")

    # What is known of them --------------------------------------------------------------------------------------

    def _on_incompatible(self, camera: int, event) -> None:
        policy = qos_policy_name_from_kind(event.last_policy_kind)
        overridden = self._asks_reliable(camera) != (self._config.input_qos == "reliable")
        asks = "qos_overrides" if overridden else f"input_qos: {self._config.input_qos}"
        way = "change qos_overrides" if overridden else "set input_qos: sensor_data"
        remedy = f"{way}, or make" if policy == "RELIABILITY" else "make"
        self._node.get_logger().error(
            f"{self._images[camera].topic_name}: a publisher offers another {policy} than "
            f"{asks} asks for, so none of its images arrive; {remedy} the camera driver's QoS match"
        )

    def report(self, camera: int) -> InputReport:
        """What is known of one input now."""
        topic = self._images[camera].topic_name
        meter = self._pipeline.statistics.inputs[camera]
        silent = self.silent(camera)
        transport = self._config.rgb_transport if camera == RGB else self._config.thermal_transport
        kind = TRANSPORT_TYPES[transport]
        there = publishers_of(self._node, topic, kind, {end.topic_name for end in self._images})
        return InputReport(
            name=CAMERAS[camera],
            topic=topic,
            received=meter.count,
            rate_hz=0.0 if silent else meter.rate_hz(),
            silent=silent,
            publishers=there.reliability,
            asks_reliable=self._asks_reliable(camera),
            alternatives=there.alternatives,
            kind=kind,
            others=there.others,
        )

    def silent(self, camera: int) -> bool:
        """Has no image come for ``sync_warning_s``?"""
        return self.source.silence_s(camera, time.monotonic()) > self._config.sync_warning_s

    def _asks_reliable(self, camera: int) -> bool:
        return self.qos[camera].reliability == ReliabilityPolicy.RELIABLE

    def camera_info_report(self) -> str:
        """Where camera_info is looked for, and whether it comes."""
        topic = self.camera_info_topic
        if self._pipeline.camera_info[RGB] is not None:
            return f"from {topic}"
        return f"none came on {topic}" + ("" if self._node.count_publishers(topic) else ", which nobody publishes")


def _pairing_of(config: NodeConfig) -> partial:
    return partial(pairing_kind(), slop_s=config.slop_s, queue_size=config.sync_queue_size)
