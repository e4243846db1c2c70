"""The node's inputs as the ROS graph shows them: who publishes on a topic, with which type, and what else there is."""

from __future__ import annotations

from dataclasses import dataclass

from rclpy.node import Node

from mrfs_ros.ros.topics import base_topic


@dataclass(frozen=True)
class Publishers:
    """Of one topic: ``reliability`` of each that has the type asked for, BEST_EFFORT or RELIABLE; ``others``: types of
    those that have another; ``alternatives``: other topics of the type asked for that somebody publishes.
    """

    reliability: tuple[str, ...]
    others: tuple[str, ...]
    alternatives: tuple[str, ...]


def publishers_of(node: Node, topic: str, kind: str, known: set[str]) -> Publishers:
    """Look at ``topic``, where ``kind`` is asked for; topics ``known`` and the node's own are no alternatives.

    Those that belong to the same camera come first.
    """
    ends = node.get_publishers_info_by_topic(topic)
    own = node.get_fully_qualified_name() + "/"
    alternatives = [
        name
        for name, types in node.get_topic_names_and_types()
        if kind in types and name not in known and not name.startswith(own) and node.count_publishers(name)
    ]
    return Publishers(
        reliability=tuple(end.qos_profile.reliability.name for end in ends if end.topic_type == kind),
        others=tuple(sorted({end.topic_type for end in ends} - {kind})),
        alternatives=tuple(sorted(alternatives, key=lambda name: base_topic(name) != base_topic(topic))),
    )
