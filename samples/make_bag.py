"""Makes a rosbag2 (mcap) of the sample pairs: ``python samples/make_bag.py BAG``.

Topics: /rgb/image (rgb8) and /thermal/image (mono8) at 10 Hz, stamps a few milliseconds apart as real cameras have.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from mrfs_ros.camera.image_io import read_rgb, read_thermal

SAMPLES = Path(__file__).resolve().parent
START_NS = 1_700_000_000 * 10**9  # any fixed time: the frames' own is not known
PERIOD_NS = 100_000_000
LAGS_MS = (3, 6, 4, 8, 5, 2)  # thermal after rgb, in turn
QOS = Qos(
    QosHistory.KEEP_LAST,
    10,
    QosReliability.RELIABLE,
    QosDurability.VOLATILE,
    QosTime(0, 0),
    QosTime(0, 0),
    QosLiveliness.AUTOMATIC,
    QosTime(0, 0),
    False,
)


def make_bag(bag: Path, frames: int | None = None) -> list[tuple[str, int, int]]:
    """Write the first ``frames`` pairs (default: all); return each one's (name, rgb stamp [ns], thermal stamp [ns])."""
    store = get_typestore(Stores.ROS2_JAZZY)
    names = sorted(path.stem for path in (SAMPLES / "rgb").glob("*.jpg"))[:frames]
    written = []
    with Writer(bag, version=8, storage_plugin=StoragePlugin.MCAP) as writer:
        rgb, thermal = (
            writer.add_connection(topic, "sensor_msgs/msg/Image", typestore=store, offered_qos_profiles=[QOS])
            for topic in ("/rgb/image", "/thermal/image")
        )
        for i, name in enumerate(names):
            rgb_ns = START_NS + i * PERIOD_NS
            thermal_ns = rgb_ns + LAGS_MS[i % len(LAGS_MS)] * 10**6
            for connection, stamp_ns, pixels, encoding in (
                (rgb, rgb_ns, read_rgb(SAMPLES / "rgb" / f"{name}.jpg"), "rgb8"),
                (thermal, thermal_ns, read_thermal(SAMPLES / "thermal" / f"{name}.jpg"), "mono8"),
            ):
                message = _image(store, stamp_ns, f"{connection.topic.split('/')[1]}_optical_frame", pixels, encoding)
                writer.write(connection, stamp_ns, store.serialize_cdr(message, connection.msgtype))
            written.append((name, rgb_ns, thermal_ns))
    return written


def _image(store, stamp_ns: int, frame: str, pixels: np.ndarray, encoding: str):
    types = store.types
    stamp = types["builtin_interfaces/msg/Time"](sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
    header = types["std_msgs/msg/Header"](stamp=stamp, frame_id=frame)
    step = pixels.shape[1] * (pixels.shape[2] if pixels.ndim == 3 else 1)
    return types["sensor_msgs/msg/Image"](
        header=header,
        height=pixels.shape[0],
        width=pixels.shape[1],
        encoding=encoding,
        is_bigendian=0,
        step=step,
        data=np.ascontiguousarray(pixels).reshape(-1),
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Make a rosbag2 (mcap) of the sample pairs.")
    parser.add_argument("bag", type=Path, help="folder to make")
    target = parser.parse_args().bag
    if target.exists():
        parser.error(f"{target} exists already: remove it or name another folder")
    print(f"{len(make_bag(target))} pairs in {target}")
