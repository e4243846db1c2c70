"""The node's publishers: fused image, mask, overlay, alignment, camera info and class names."""

from __future__ import annotations

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from mrfs_ros.draw import alignment, overlay
from mrfs_ros.engine.protocol import UNTRAINED_NOTICE, EngineInfo
from mrfs_ros.preprocess import PairImages
from mrfs_ros.ros.image_messages import image_message, scaled_camera_info
from mrfs_ros.ros.qos import latched, profile, publisher
from mrfs_ros.types import ClassSet, FusionResult


class Outputs:
    """Publishes one ``FusionResult`` as all topics that go with it, under one header."""

    def __init__(self, node: Node, qos: str, info: EngineInfo):
        self._classes = info.classes
        self._notice = UNTRAINED_NOTICE if info.untrained else ""
        self._fused, self._segmentation, self._overlay, self._alignment = (
            publisher(node, Image, f"~/{name}", profile(qos, 1))
            for name in ("fused", "segmentation", "overlay", "alignment")
        )
        # One topic serves all three images: by image_transport's convention it lies beside them.
        self._camera_info = publisher(node, CameraInfo, "~/camera_info", profile(qos, 1))
        self._label_info = _publish_label_info(node, info.classes)

    @property
    def fused_topic(self) -> str:
        """The fused image's full topic name."""
        return self._fused.topic_name

    def listened(self) -> bool:
        """Does anybody subscribe to something that is made of a pair?"""
        made = self._fused, self._segmentation, self._overlay, self._alignment, self._camera_info
        return any(publisher.get_subscription_count() for publisher in made)

    def publish(
        self,
        result: FusionResult,
        images: PairImages,
        header: Header,
        camera_info: CameraInfo | None,
        opacity: float,
    ) -> None:
        """Publish mask, camera info and, for whom subscribes, overlay and alignment; fused last: all is there then."""
        height, width = result.labels.shape
        if camera_info is not None:
            self._camera_info.publish(scaled_camera_info(camera_info, height, width, header))
        self._segmentation.publish(image_message(result.labels, "mono8", header))
        if self._overlay.get_subscription_count():
            picture: np.ndarray = overlay(
                result.fused, result.labels, self._classes, opacity=opacity, notice=self._notice
            )
            self._overlay.publish(image_message(picture, "rgb8", header))
        if self._alignment.get_subscription_count():
            picture = alignment(images.rgb, images.thermal, images.valid)
            self._alignment.publish(image_message(picture, "rgb8", header))
        self._fused.publish(image_message(result.fused, "rgb8", header))


def _publish_label_info(node: Node, classes: ClassSet):
    """Publish the class names once, latched, where vision_msgs is installed; the publisher must be kept."""
    try:
        from vision_msgs.msg import LabelInfo, VisionClass
    except ImportError:
        node.get_logger().info(
            "no ~/label_info (class names are in /diagnostics): it needs vision_msgs, "
            "apt install ros-$ROS_DISTRO-vision-msgs"
        )
        return None
    message = LabelInfo(class_map=[VisionClass(class_id=i, class_name=name) for i, name in enumerate(classes.names)])
    message.header.stamp = node.get_clock().now().to_msg()
    labels = publisher(node, LabelInfo, "~/label_info", latched())
    labels.publish(message)
    return labels
