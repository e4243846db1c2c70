"""Topic names by image_transport's conventions: base topics, transports, the camera_info beside them."""

from __future__ import annotations

TRANSPORTS = ("compressed", "compressedDepth", "theora", "zstd", "ffmpeg", "avif", "draco", "foxglove")


def base_topic(topic: str) -> str:
    """The raw images' topic of ``topic``: ``/camera/image_raw`` of ``/camera/image_raw/compressed``."""
    base, _, transport = topic.rpartition("/")
    return base if base and transport in TRANSPORTS else topic


def camera_info_topic(topic: str) -> str:
    """The topic of the camera_info that goes with the images on ``topic``, whatever their transport."""
    return base_topic(topic).rpartition("/")[0] + "/camera_info"
