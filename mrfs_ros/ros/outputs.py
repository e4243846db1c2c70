"""The node's publishers: everything that is made of a pair, camera info and class names."""

from __future__ import annotations

from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2
from std_msgs.msg import Header

from mrfs_ros.config import CONFIDENT_OUTPUTS
from mrfs_ros.engine.protocol import EngineInfo
from mrfs_ros.pair_outputs import COMPRESSED, IMAGES, NO_DEGREES, OBJECTS, TEMPERATURES, PairOutputs, output_message
from mrfs_ros.ros.image_messages import scaled_camera_info
from mrfs_ros.ros.qos import latched, profile, publisher
from mrfs_ros.ros.ros_messages import RosMessages, vision_msgs

ALWAYS = ("segmentation", "fused")  # published whoever listens: late subscribers may ask for the last by their QoS


class Outputs:
    """Publishers of ``OUTPUTS``, each served while it has subscribers, all messages of a pair under one header.

    ``confident``: whether the engine gives confidence; without it, what needs that is not published.
    """

    def __init__(self, node: Node, qos: str, info: EngineInfo, *, confident: bool):
        kinds = {**dict.fromkeys(IMAGES, Image), **dict.fromkeys(COMPRESSED, CompressedImage)}
        kinds[TEMPERATURES] = PointCloud2
        if vision_msgs():
            kinds[OBJECTS] = vision_msgs().Detection2DArray
        if not confident:
            kinds = {name: kind for name, kind in kinds.items() if name not in CONFIDENT_OUTPUTS}
            node.get_logger().info(
                "the engine gives no confidence: no " + ", ".join(f"~/{name}" for name in CONFIDENT_OUTPUTS)
            )
        self._log, self._silent = node.get_logger(), set()  # outputs whose silence was told
        order = sorted(kinds, key=lambda name: name == "fused")  # last: when it comes all is there
        self._publishers = {name: publisher(node, kinds[name], f"~/{name}", profile(qos, 1)) for name in order}
        # One topic serves all images: by image_transport's convention it lies beside them.
        self._camera_info = publisher(node, CameraInfo, "~/camera_info", profile(qos, 1))
        self._labels = LabelInfoPublisher(node, info)

    @property
    def fused_topic(self) -> str:
        """The fused image's full topic name."""
        return self._publishers["fused"].topic_name

    def listened(self) -> bool:
        """Does anybody subscribe to something that is made of a pair?"""
        return any(out.get_subscription_count() for out in (*self._publishers.values(), self._camera_info))

    def want_confidence(self) -> bool:
        """Does somebody listen to what needs the result's confidence?"""
        return any(self._listened(name) for name in CONFIDENT_OUTPUTS if name in self._publishers)

    def publish(self, made: PairOutputs, header: Header, camera_info: CameraInfo | None) -> None:
        """Publish what somebody listens to; ``camera_info``: of the camera whose pixel grid the result is on."""
        height, width = made.result.labels.shape
        if camera_info is not None:
            self._camera_info.publish(scaled_camera_info(camera_info, height, width, header))
        messages = RosMessages(header)
        for name, out in self._publishers.items():
            if name in CONFIDENT_OUTPUTS and made.result.confidence is None:
                continue  # who listens now did not when the pair was processed
            if name not in ALWAYS and not self._listened(name):
                continue
            if (message := output_message(name, made, messages)) is not None:
                out.publish(message)
            elif name not in self._silent:
                self._silent.add(name)
                self._log.info(f"~/{name} stays silent: {NO_DEGREES.format(made.config.thermal_unit)}")

    def tell_classes(self, least: float) -> None:
        """Publish the class names, latched, with the confidence below which the mask has none."""
        self._labels.publish(least)

    def _listened(self, name: str) -> bool:
        return bool(self._publishers[name].get_subscription_count())


class LabelInfoPublisher:
    """Class names, latched, on ``~/label_info`` where vision_msgs is installed."""

    def __init__(self, node: Node, info: EngineInfo):
        self._clock, self._names = node.get_clock(), info.classes.names
        if vision_msgs() is None:
            node.get_logger().info(
                "no ~/label_info and ~/objects (class names are in /diagnostics): they need vision_msgs, "
                "apt install ros-$ROS_DISTRO-vision-msgs"
            )
            return
        self._publisher = publisher(node, vision_msgs().LabelInfo, "~/label_info", latched())

    def publish(self, threshold: float) -> None:
        """Publish the names; ``threshold``: the least confidence that the mask takes, 0 to 1."""
        if vision_msgs() is None:
            return
        classes = [vision_msgs().VisionClass(class_id=i, class_name=name) for i, name in enumerate(self._names)]
        message = vision_msgs().LabelInfo(class_map=classes, threshold=threshold)
        message.header.stamp = self._clock.now().to_msg()
        self._publisher.publish(message)
