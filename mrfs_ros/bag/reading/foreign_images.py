"""Topics of images in types that cannot be read: named with their type, and with what makes readable ones of them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from mrfs_ros.bag.reading.bag_reader import Topic
from mrfs_ros.bag.reading.codec import COMPRESSED, IMAGE

_IMAGES = re.compile(r"image|video|ffmpeg|h26[45]|packet|frame", re.IGNORECASE)
_NO_IMAGES = re.compile(r"marker|annotation|framegraph|frametransform|imagemarker", re.IGNORECASE)
_MOST_LISTED = 12


def is_foreign(kind: str) -> bool:
    """Whether a message type looks like images, and is none that can be read."""
    name = re.split(r"[/.]", kind)[-1]
    package = re.split(r"[/.]", kind)[0]
    looks = _IMAGES.search(name) or re.search(r"image_transport|video|ffmpeg", package)
    return kind not in (IMAGE, COMPRESSED) and bool(looks) and not _NO_IMAGES.search(name)


def way_to_read(topic: str, kind: str) -> str:
    """What to do with images of this type on this topic."""
    for transport in ("ffmpeg", "theora"):
        if transport in kind.lower():
            return _republished(transport, topic)
    if "foxglove" in kind:
        return (
            "foxglove's own schemas are not ROS's: record sensor_msgs/msg/Image or CompressedImage (JPEG, PNG) beside "
            "it, or convert the bag to these"
        )
    return "convert it to sensor_msgs/msg/Image or CompressedImage (JPEG, PNG) on the robot, or in the bag"


def foreign_listed(topics: Mapping[str, Topic]) -> str:
    """A sentence on the topics of images that cannot be read; empty if there are none."""
    found = {name: topic for name, topic in sorted(topics.items()) if is_foreign(topic.channel.kind)}
    if not found:
        return ""
    names = ", ".join(f"{name} ({topic.channel.kind}, {topic.count})" for name, topic in found.items())
    ways = dict.fromkeys(way_to_read(name, topic.channel.kind) for name, topic in found.items())
    return f"topics of images in types that cannot be read: {names}: {'; '.join(ways)}"


def others_listed(topics: Mapping[str, Topic]) -> str:
    """What a bag holds that has no images."""
    if not topics:
        return "the bag has no topic of images at all, nor any other"
    names = [f"{name} ({topic.channel.kind or 'no type'}, {topic.count})" for name, topic in sorted(topics.items())]
    more = f" and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else ""
    return f"the bag has no topic of images at all, but {', '.join(names[:_MOST_LISTED])}{more}"


def _republished(transport: str, topic: str) -> str:
    base = topic.rpartition("/")[0] or "/camera"
    return (
        f"play the bag, decode it by ros2 run image_transport republish --ros-args -p in_transport:={transport} "
        f"-p out_transport:=raw -r in/{transport}:={topic} -r out:={base}, and record {base}"
    )
