"""Outputs of a pair as serialized messages of a bag, byte for byte the node's."""

from __future__ import annotations

from typing import Any

import numpy as np

from mrfs_ros.bag.reading.codec import Codec
from mrfs_ros.objects import SegmentedObject
from mrfs_ros.pair_outputs import POINT_TYPES

POINT_CLOUD, DETECTIONS = "sensor_msgs/msg/PointCloud2", "vision_msgs/msg/Detection2DArray"
# The interfaces of vision_msgs 4 that are written here, by name; bags carry them, so that readers need not have it.
VISION_MSGS = {
    DETECTIONS: "std_msgs/Header header\nvision_msgs/Detection2D[] detections",
    "vision_msgs/msg/Detection2D": (
        "std_msgs/Header header\nvision_msgs/ObjectHypothesisWithPose[] results\n"
        "vision_msgs/BoundingBox2D bbox\nstring id"
    ),
    "vision_msgs/msg/ObjectHypothesisWithPose": (
        "vision_msgs/ObjectHypothesis hypothesis\ngeometry_msgs/PoseWithCovariance pose"
    ),
    "vision_msgs/msg/ObjectHypothesis": "string class_id\nfloat64 score",
    "vision_msgs/msg/BoundingBox2D": "vision_msgs/Pose2D center\nfloat64 size_x\nfloat64 size_y",
    "vision_msgs/msg/Pose2D": "vision_msgs/Point2D position\nfloat64 theta",
    "vision_msgs/msg/Point2D": "float64 x\nfloat64 y",
}


def register_vision_msgs(codec: Codec) -> None:
    """Teach ``codec`` the interfaces of vision_msgs, unless a bag that is read has brought them."""
    from rosbags.typesys import get_types_from_msg

    for name, text in VISION_MSGS.items():
        if name not in codec.store.fielddefs:
            codec.store.register(get_types_from_msg(text, name))


class BagMessages:
    """See ``mrfs_ros.pair_outputs.Messages``; serialized, all under one header.

    ``codec`` knows vision_msgs (``register_vision_msgs``) where ``detections`` is called.
    """

    def __init__(self, codec: Codec, stamp_ns: int, frame_id: str):
        self._codec, self._stamp_ns, self._frame_id = codec, stamp_ns, frame_id

    def image(self, pixels: np.ndarray, encoding: str) -> memoryview:
        return self._codec.image(pixels, encoding, self._stamp_ns, self._frame_id)

    def compressed(self, content: bytes, kind: str) -> memoryview:
        return self._codec.compressed(content, kind, self._stamp_ns, self._frame_id)

    def points(self, points: np.ndarray) -> memoryview:
        make = self._codec.store.types
        field = make["sensor_msgs/msg/PointField"]
        message = make[POINT_CLOUD](
            header=self._codec.header(self._stamp_ns, self._frame_id),
            height=1,
            width=len(points),
            fields=[
                field(name, place, POINT_TYPES[kind.str], 1) for name, (kind, place) in points.dtype.fields.items()
            ],
            is_bigendian=False,
            point_step=points.itemsize,
            row_step=points.nbytes,
            data=points.view(np.uint8).reshape(-1),
            is_dense=False,
        )
        return self._codec.store.serialize_cdr(message, POINT_CLOUD)

    def detections(self, objects: list[SegmentedObject]) -> memoryview:
        header = self._codec.header(self._stamp_ns, self._frame_id)
        found = [self._detection(one, header) for one in objects]
        message = self._codec.store.types[DETECTIONS](header=header, detections=found)
        return self._codec.store.serialize_cdr(message, DETECTIONS)

    def _detection(self, found: SegmentedObject, header: Any) -> Any:
        make = self._codec.store.types
        point = make["geometry_msgs/msg/Point"](0.0, 0.0, 0.0)
        pose = make["geometry_msgs/msg/Pose"](point, make["geometry_msgs/msg/Quaternion"](0.0, 0.0, 0.0, 1.0))
        nowhere = make["geometry_msgs/msg/PoseWithCovariance"](pose, np.zeros(36))  # an image says nothing of it
        hypothesis = make["vision_msgs/msg/ObjectHypothesis"](found.class_name, found.score)
        result = make["vision_msgs/msg/ObjectHypothesisWithPose"](hypothesis, nowhere)
        center = make["vision_msgs/msg/Pose2D"](make["vision_msgs/msg/Point2D"](*found.center), 0.0)
        box = make["vision_msgs/msg/BoundingBox2D"](center, float(found.width), float(found.height))
        return make["vision_msgs/msg/Detection2D"](header, [result], box, "")
