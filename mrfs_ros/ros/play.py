"""Plays a bag over ROS 2 topics: ``mrfs play BAG``."""

from __future__ import annotations

import argparse
import sys
import time
from importlib import import_module
from pathlib import Path

import rclpy
from builtin_interfaces.msg import Time as TimeMessage
from rclpy.duration import Duration
from rclpy.node import Node
from rosgraph_msgs.msg import Clock as ClockMessage

from mrfs_ros.bag.reading.bag_reader import Bag
from mrfs_ros.bag.reading.codec import Codec
from mrfs_ros.bag.summary import ALL_READ, SOME_LOST
from mrfs_ros.errors import ConfigError, MissingPackageError, MrfsError
from mrfs_ros.ros import rclpy_init
from mrfs_ros.ros.qos import latched, profile
from mrfs_ros.ros.stop import Stop

CLOCK_STEP_S = 0.01
MATCH_TIMEOUT_S = 60.0
MATCH_GRACE_S = 0.5
ANSWER_TIMEOUT_S = 120.0
BEST_EFFORT_GRACE_S = 0.5
INTERRUPTED = 130  # as a shell says it of SIGINT


def message_type(name: str):
    """The class of a message type written as in a bag: ``sensor_msgs/msg/Image``."""
    package, _, kind = name.split("/")
    try:
        return getattr(import_module(f"{package}.msg"), kind)
    except (ImportError, AttributeError) as error:
        raise MissingPackageError(
            f"messages of type {name} need the package {package}: "
            f"apt install ros-$ROS_DISTRO-{package.replace('_', '-')}"
        ) from error


class Player(Node):
    """Publishes the messages of a bag in their order and pace.

    ``answers``: a topic; if given, a message of the bag's first topic waits until there was an answer on it to every
    earlier one, so that a node slower than the bag misses nothing.
    """

    def __init__(self, *, bag: Bag, topics: list[str], rate: float, clock: bool, answers: str):
        super().__init__("mrfs_play")
        self._bag = bag
        self._codec = Codec()
        self._rate = rate
        self._clock_out = self.create_publisher(ClockMessage, "/clock", profile("reliable", 10)) if clock else None
        self._out = {
            topic: self.create_publisher(
                message_type(bag.topics[topic].channel.kind),
                topic,
                latched() if bag.topics[topic].channel.is_latched else profile("reliable", 10),
            )
            for topic in topics
        }
        self._between_s = 0.0
        self._answered = 0
        self._awaits_answers = bool(answers)
        if answers:
            from sensor_msgs.msg import Image

            self.create_subscription(Image, answers, self._on_answer, profile("reliable", 10))

    def wait_for_subscribers(self, count: int) -> None:
        """Return when every topic of the bag has ``count`` subscribers; ConfigError when that takes too long."""
        deadline = time.monotonic() + MATCH_TIMEOUT_S
        while few := [topic for topic, out in self._out.items() if out.get_subscription_count() < count]:
            if time.monotonic() > deadline:
                raise ConfigError(f"fewer than {count} subscribers on {', '.join(few)} after {MATCH_TIMEOUT_S:.0f} s")
            rclpy.spin_once(self, timeout_sec=0.05)
        time.sleep(MATCH_GRACE_S)  # until the subscribers see it too: best-effort ones miss what comes before

    def play(self) -> int:
        """Publish the whole bag once; return the number of messages.

        Another pass begins after the mean time between messages, as if the recording went on.
        """
        time.sleep(self._between_s)
        published = asked = 0
        answered_before = self._answered
        first_topic = begin_s = previous_ns = None
        for record in self._bag.messages(self._out):
            topic, time_ns = record.channel.topic, record.log_ns
            if begin_s is None:
                first_topic, begin_s, first_ns, previous_ns = topic, time.monotonic(), time_ns, time_ns
            if self._awaits_answers and topic == first_topic:
                self._await(answered_before + asked)
                asked += 1
            self._pace(begin_s + (time_ns - first_ns) / 1e9 / self._rate, previous_ns, time_ns)
            previous_ns = time_ns
            self._out[topic].publish(bytes(self._codec.cdr(record)))
            published += 1
        if self._awaits_answers:
            self._await(answered_before + asked)
        if published > 1:
            self._between_s = (previous_ns - first_ns) / 1e9 / (published - 1) / self._rate
        return published

    def finish(self) -> None:
        """Return when every subscriber has got everything."""
        for out in self._out.values():
            while not out.wait_for_all_acked(Duration(seconds=0.2)):
                continue  # a moment for signals: it does not listen to them
        time.sleep(BEST_EFFORT_GRACE_S)  # best-effort subscribers acknowledge nothing

    def _pace(self, due_s: float, previous_ns: int, time_ns: int) -> None:
        """Wait until ``due_s``, telling the time on /clock if asked to."""
        while True:
            left_s = due_s - time.monotonic()
            if self._clock_out:
                now_ns = max(previous_ns, time_ns - int(max(left_s, 0.0) * self._rate * 1e9))
                self._clock_out.publish(ClockMessage(clock=TimeMessage(sec=now_ns // 10**9, nanosec=now_ns % 10**9)))
            if left_s <= 0:
                return
            rclpy.spin_once(self, timeout_sec=0.0)
            time.sleep(min(left_s, CLOCK_STEP_S))

    def _await(self, answers: int) -> None:
        deadline = time.monotonic() + ANSWER_TIMEOUT_S
        while self._answered < answers:
            if time.monotonic() > deadline:
                raise ConfigError(f"{self._answered} answers instead of {answers} after {ANSWER_TIMEOUT_S:.0f} s")
            rclpy.spin_once(self, timeout_sec=0.05)

    def _on_answer(self, _) -> None:
        self._answered += 1


def _chosen(bag: Bag, wanted: str) -> list[str]:
    """The topics to play; ConfigError when the bag lacks one, or has none."""
    topics = [topic.strip() for topic in wanted.split(",")] if wanted else list(bag.topics)
    if lacking := [topic for topic in topics if topic not in bag.topics] or not topics:
        raise ConfigError(f"{bag.path}: holds no messages{f' on {lacking[0]}' if topics else ''}")
    return topics


def _above_0(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text}")
    return number


def _times(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 up, got {text}")
    return int(text)


def main() -> int:
    """Run the player; exit code 2 with one line when a side is not as expected, 3 when the bag is damaged.

    130 when a signal ended it.
    """
    parser = argparse.ArgumentParser(
        prog="mrfs play", description="Play a bag over ROS 2 topics, where there is no ros2 bag."
    )
    parser.add_argument("bag", type=Path, help="rosbag2 folder, .mcap, .db3, or ROS 1 .bag")
    parser.add_argument("--topics", default="", metavar="A,B", help="play these topics only")
    parser.add_argument("--rate", type=_above_0, default=1.0, help="factor of the recorded pace (default: 1)")
    parser.add_argument("--loop", type=_times, default=1, help="how often to play it (default: once)")
    parser.add_argument("--clock", action="store_true", help="publish the bag's time on /clock")
    parser.add_argument("--wait-for-subscribers", type=int, default=0, metavar="N", help="begin when every topic has N")
    parser.add_argument("--answers", default="", metavar="TOPIC", help="one pair at a time: go on when TOPIC answered")
    arguments = parser.parse_args(rclpy.utilities.remove_ros_args(sys.argv)[1:])
    stop = Stop()
    try:
        with Bag(arguments.bag) as bag:
            topics = _chosen(bag, arguments.topics)
            rclpy_init.init()
            player = Player(
                bag=bag, topics=topics, rate=arguments.rate, clock=arguments.clock, answers=arguments.answers
            )
            player.wait_for_subscribers(arguments.wait_for_subscribers)
            published = sum(player.play() for _ in range(arguments.loop))
            player.finish()
            print(f"played {published} messages of {arguments.bag}")
            for loss in bag.damage:
                print(f"play: {loss}", file=sys.stderr)
            return SOME_LOST if bag.damage else ALL_READ
    except MrfsError as error:
        print(f"play: error: {error}", file=sys.stderr)
        return 2
    except SystemExit:
        return INTERRUPTED
    finally:
        stop.ignore_more()
        rclpy.try_shutdown()


if __name__ == "__main__":
    sys.exit(main())
