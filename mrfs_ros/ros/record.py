"""Records ROS 2 topics into a rosbag2 (mcap): ``mrfs record BAG TOPIC ...``."""

from __future__ import annotations

import argparse
import sys
import time
from functools import partial
from pathlib import Path

import rclpy
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from mrfs_ros.errors import ConfigError, MrfsError, needs_package
from mrfs_ros.ros import rclpy_init
from mrfs_ros.ros.play import message_type
from mrfs_ros.ros.stop import Stop

DEPTH = 100  # images that may wait while the disk is slow


class Recorder(Node):
    """Writes every message of ``topics`` as it came, stamped with the time of its receipt [ns, system clock]."""

    def __init__(self, writer, topics: list[str]):
        super().__init__("mrfs_record")
        self._writer = writer
        self.counts = dict.fromkeys(topics, 0)

    def subscribe(self) -> bool:
        """Subscribe to all topics once each has a publisher; True when that is done."""
        from rosbags.typesys import Stores, get_typestore

        ends = {topic: self.get_publishers_info_by_topic(topic) for topic in self.counts}
        if not all(ends.values()):
            return False
        for topic, publishers in ends.items():
            kind = publishers[0].topic_type
            connection = self._writer.add_connection(topic, kind, typestore=get_typestore(Stores.LATEST))
            callback, qos = partial(self._on_message, topic, connection), _matching(publishers)
            self.create_subscription(message_type(kind), topic, callback, qos, raw=True)
        return True

    def _on_message(self, topic: str, connection, raw: bytes) -> None:
        self._writer.write(connection, time.time_ns(), raw)
        self.counts[topic] += 1


def _matching(ends: list) -> QoSProfile:
    """The QoS that hears all publishers ``ends``, and resends and late delivery where all of them offer it."""
    reliable = all(end.qos_profile.reliability == ReliabilityPolicy.RELIABLE for end in ends)
    latched = all(end.qos_profile.durability == DurabilityPolicy.TRANSIENT_LOCAL for end in ends)
    return QoSProfile(
        depth=DEPTH,
        reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
    )


def _writer(path: Path):
    with needs_package("writing bags", "rosbags", "bags"):
        from rosbags.rosbag2 import StoragePlugin, Writer, WriterError
    try:
        return Writer(path, version=8, storage_plugin=StoragePlugin.MCAP)
    except WriterError as error:
        raise ConfigError(f"{path}: {error}") from error


def record(path: Path, topics: list[str], count: int, stop: Stop) -> dict[str, int]:
    """Record until ``stop`` or, with ``count`` > 0, until every topic has that many; return how many came."""
    with _writer(path) as writer:
        recorder = Recorder(writer, topics)
        while not stop.asked and not recorder.subscribe():
            rclpy.spin_once(recorder, timeout_sec=0.1)
        if not stop.asked:
            print(f"recording {' '.join(topics)}", flush=True)
        while not stop.asked and (not count or min(recorder.counts.values()) < count):
            rclpy.spin_once(recorder, timeout_sec=0.2)
    return recorder.counts


def main() -> int:
    """Run the recorder; exit code 2 with one line when the bag cannot be written."""
    parser = argparse.ArgumentParser(
        prog="mrfs record", description="Record topics into a rosbag2, where there is no ros2 bag."
    )
    parser.add_argument("bag", type=Path, help="folder to make")
    parser.add_argument("topics", nargs="+", help="topics; recording begins when each has a publisher")
    parser.add_argument("--count", type=int, default=0, help="end when every topic has so many (default: on SIGINT)")
    arguments = parser.parse_args(rclpy.utilities.remove_ros_args(sys.argv)[1:])
    stop = Stop(patient=True)  # nothing may come between a message and its place in the bag
    try:
        rclpy_init.init()
        counts = record(arguments.bag, arguments.topics, arguments.count, stop)
        print("recorded " + ", ".join(f"{count} {topic}" for topic, count in counts.items()))
    except MrfsError as error:
        print(f"record: error: {error}", file=sys.stderr)
        return 2
    finally:
        rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
