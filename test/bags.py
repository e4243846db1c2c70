"""Small bags of numbered pairs, of every kind that can be written: each image shows which pair it is of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from rosbags.rosbag1 import Writer as Writer1
from rosbags.rosbag2 import CompressionFormat, CompressionMode, Reader, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from mrfs_ros.camera.encoded import encode_jpeg, encode_png

STORE = get_typestore(Stores.LATEST)
IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
START_NS = 1_700_000_000 * 10**9
PERIOD_NS, LAG_NS = 100_000_000, 4_000_000
TOPICS = ("/rgb/image", "/thermal/image")


def numbered(i: int, height: int = 48, width: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """Pair ``i``: rgb (H, W, 3) and thermal (H, W), uint8, unlike any other of the first 250."""
    ramp = np.arange(height * width, dtype=np.uint32).reshape(height, width)
    rgb = np.stack([(ramp + i) % 251, (ramp * 3 + i) % 253, np.full_like(ramp, i % 256)], axis=2)
    return rgb.astype(np.uint8), ((ramp * 7 + 5 * i) % 256).astype(np.uint8)


def flat(i: int, height: int = 48, width: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """Pair ``i`` in one grey, 6 i of 255, which a lossy video keeps."""
    return np.full((height, width, 3), 6 * i, np.uint8), np.full((height, width), 6 * i, np.uint8)


def message(pixels: np.ndarray, stamp_ns: int, frame_id: str, coding: str = "raw", store=STORE):
    """(type, message) of an image; ``coding``: raw, png or jpeg."""
    types = store.types
    extra = {"seq": 0} if "seq" in types["std_msgs/msg/Header"].__dataclass_fields__ else {}
    stamp = types["builtin_interfaces/msg/Time"](sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
    header = types["std_msgs/msg/Header"](stamp=stamp, frame_id=frame_id, **extra)
    if coding != "raw":
        content = encode_png(pixels) if coding == "png" else encode_jpeg(pixels)
        data = np.frombuffer(content, np.uint8)
        return COMPRESSED, types[COMPRESSED](header=header, format=coding, data=data)
    grey = pixels.ndim == 2
    fields = {"height": pixels.shape[0], "width": pixels.shape[1], "encoding": "mono8" if grey else "rgb8"}
    step = pixels.shape[1] * (1 if grey else 3)
    return IMAGE, types[IMAGE](
        header=header, **fields, is_bigendian=0, step=step, data=np.ascontiguousarray(pixels).reshape(-1)
    )


def pairs(
    count: int, *, first: int = 0, topics=TOPICS, size=(48, 64), coding: str = "raw", store=STORE, look=numbered
) -> Iterator[tuple[str, int, str, object]]:
    """(topic, time of recording [ns], type, message) of ``count`` pairs at 10 Hz, thermal 4 ms after rgb."""
    for i in range(first, first + count):
        for topic, lag, pixels in zip(topics, (0, LAG_NS), look(i, *size)):
            stamp_ns = START_NS + i * PERIOD_NS + lag
            yield topic, stamp_ns, *message(pixels, stamp_ns, f"{topic.split('/')[1]}_frame", coding, store)


def write_bag(
    path: Path, messages: Iterable[tuple[str, int, str, object]], *, storage: str = "mcap", compression: str = "none"
) -> Path:
    """A rosbag2 folder; ``compression``: none, file, message, or storage (chunks of mcap)."""
    writer = Writer(path, version=8, storage_plugin=StoragePlugin[storage.upper()])
    writer.set_compression(CompressionMode[compression.upper()], CompressionFormat.ZSTD)
    with writer:
        connections = {}
        for topic, log_ns, kind, content in messages:
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=STORE)
            writer.write(connections[topic], log_ns, STORE.serialize_cdr(content, kind))
    return path


def write_ros1_bag(path: Path, count: int, compression: str = "none") -> Path:
    """A ROS 1 .bag of pairs."""
    store = get_typestore(Stores.ROS1_NOETIC)
    writer = Writer1(path)
    if compression != "none":
        writer.set_compression(Writer1.CompressionFormat[compression.upper()])
    with writer:
        connections = {}
        for topic, log_ns, kind, content in pairs(count, store=store):
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=store)
            writer.write(connections[topic], log_ns, store.serialize_ros1(content, kind))
    return path


def read_bag(path: Path) -> dict[str, list[tuple[int, bytes]]]:
    """Per topic: (time of recording [ns], serialized message) in order."""
    content: dict[str, list[tuple[int, bytes]]] = {}
    with Reader(path) as reader:
        for connection, log_ns, raw in reader.messages():
            content.setdefault(connection.topic, []).append((log_ns, bytes(raw)))
    return content


def images(messages: list[tuple[int, bytes]]) -> dict[int, np.ndarray]:
    """Stamp [ns] to pixels of serialized sensor_msgs/Image messages."""
    found = {}
    for _, raw in messages:
        image = STORE.deserialize_cdr(raw, IMAGE)
        shape = (image.height, image.width, 3) if image.encoding == "rgb8" else (image.height, image.width)
        found[image.header.stamp.sec * 10**9 + image.header.stamp.nanosec] = image.data.reshape(shape)
    return found
