"""Outputs of a pair as messages of ROS 2."""

from __future__ import annotations

import array
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from sensor_msgs.msg import CompressedImage, Image, PointCloud2, PointField
from std_msgs.msg import Header

from mrfs_ros.objects import SegmentedObject
from mrfs_ros.pair_outputs import POINT_TYPES
from mrfs_ros.ros.image_messages import bytes_of, image_message


@cache
def vision_msgs() -> Any | None:
    """The messages of that package; None where it is not installed, as ROS 2's wheels have none."""
    try:
        import vision_msgs.msg
    except ImportError:
        return None
    return vision_msgs.msg


class RosMessages:
    """See ``mrfs_ros.pair_outputs.Messages``; all under ``header``."""

    def __init__(self, header: Header):
        self._header = header

    def image(self, pixels: np.ndarray, encoding: str) -> Image:
        return image_message(pixels, encoding, self._header)

    def compressed(self, content: bytes, kind: str) -> CompressedImage:
        return CompressedImage(header=self._header, format=kind, data=array.array("B", content))

    def points(self, points: np.ndarray) -> PointCloud2:
        fields = [
            PointField(name=name, offset=offset, datatype=POINT_TYPES[kind.str], count=1)
            for name, (kind, offset) in points.dtype.fields.items()
        ]
        message = PointCloud2(header=self._header, height=1, width=len(points), fields=fields, is_dense=False)
        message.point_step, message.row_step = points.itemsize, points.nbytes
        message.data = bytes_of(points)
        return message

    def detections(self, objects: Sequence[SegmentedObject]) -> Any:
        """A vision_msgs/Detection2DArray; only where that package is."""
        return vision_msgs().Detection2DArray(header=self._header, detections=[self._detection(one) for one in objects])

    def _detection(self, found: SegmentedObject) -> Any:
        detection = vision_msgs().Detection2D(header=self._header)
        result = vision_msgs().ObjectHypothesisWithPose()
        result.hypothesis.class_id, result.hypothesis.score = found.class_name, found.score
        detection.results = [result]
        detection.bbox.center.position.x, detection.bbox.center.position.y = found.center
        detection.bbox.size_x, detection.bbox.size_y = float(found.width), float(found.height)
        return detection
