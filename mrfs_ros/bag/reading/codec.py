"""Serialized messages of bags to objects and back, for the types that MRFS reads and writes."""

from __future__ import annotations

from typing import Any

import numpy as np

from mrfs_ros.bag.reading.salvage import Channel, Record
from mrfs_ros.errors import ConfigError, needs_package

IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"

_RULE = "=" * 80 + "\n"
_IDL = f"{_RULE}IDL: "


class Codec:
    """Knows the types of today's ROS 2, and those of ROS 1 that ``store_of`` was asked for."""

    def __init__(self) -> None:
        with needs_package("reading bags", "rosbags", "bags"):
            from rosbags.typesys import Stores, get_typestore
        self.store = get_typestore(Stores.LATEST)
        types = self.store.types
        self._time = types["builtin_interfaces/msg/Time"]
        self._header = types["std_msgs/msg/Header"]
        self._image = types[IMAGE]
        self._compressed = types[COMPRESSED]

    def store_of(self, channel: Channel) -> Any:
        """What knows the type of ``channel`` as its bag means it; ConfigError if neither bag nor ROS 2 knows it."""
        from rosbags.typesys import Stores, TypesysError, get_typestore

        known = self.store.fielddefs
        try:
            if channel.definition and not channel.ros1:  # which may be of another year than ours
                own = get_typestore(Stores.EMPTY)
                own.register(_types(channel))
                return own
            if channel.kind not in known:
                types = _types(channel) if channel.definition else {}
                self.store.register({name: fields for name, fields in types.items() if name not in known})
        except (TypesysError, ValueError) as error:
            raise ConfigError(f"{channel.topic}: the bag's definition of {channel.kind} is damaged: {error}") from error
        if channel.kind not in self.store.fielddefs:
            raise ConfigError(f"{channel.topic}: the bag does not say what a {channel.kind} is, so it cannot be copied")
        return self.store

    def cdr(self, record: Record) -> bytes | memoryview:
        """The message in ROS 2's serialization, whatever the bag holds."""
        if not record.channel.ros1:
            return record.raw
        return self.store.ros1_to_cdr(record.raw, record.channel.kind)

    def message(self, record: Record) -> Any:
        """The deserialized message, with the field names of ROS 2; arrays are read-only views."""
        return self.store.deserialize_cdr(self.cdr(record), record.channel.kind)

    def image(self, pixels: np.ndarray, encoding: str, stamp_ns: int, frame_id: str) -> memoryview:
        """A serialized sensor_msgs/Image of (H, W) or (H, W, C) ``pixels``, little-endian."""
        message = self._image(
            header=self.header(stamp_ns, frame_id),
            height=pixels.shape[0],
            width=pixels.shape[1],
            encoding=encoding,
            is_bigendian=0,
            step=pixels.nbytes // len(pixels),
            data=np.ascontiguousarray(pixels).view(np.uint8).reshape(-1),
        )
        return self.store.serialize_cdr(message, IMAGE)

    def compressed(self, content: bytes, kind: str, stamp_ns: int, frame_id: str) -> memoryview:
        """A serialized sensor_msgs/CompressedImage of an encoded image; ``kind``: jpeg or png."""
        data = np.frombuffer(content, np.uint8)
        message = self._compressed(header=self.header(stamp_ns, frame_id), format=kind, data=data)
        return self.store.serialize_cdr(message, COMPRESSED)

    def header(self, stamp_ns: int, frame_id: str) -> Any:
        """A std_msgs/Header."""
        return self._header(stamp=self._time(sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9), frame_id=frame_id)


def _types(channel: Channel) -> dict[str, Any]:
    """The types that a definition holds, in either of its languages."""
    from rosbags.typesys import get_types_from_idl, get_types_from_msg

    if not channel.definition.startswith(_IDL):
        return get_types_from_msg(channel.definition, channel.kind)
    types: dict[str, Any] = {}
    for part in channel.definition.split(_RULE)[1:]:
        types.update(get_types_from_idl(part.partition("\n")[2]))
    return types
