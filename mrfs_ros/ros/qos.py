"""QoS profiles by the names that the parameters use, and ends of topics that follow ``qos_overrides``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSPolicyKind, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription

from mrfs_ros.errors import ConfigError

_OVERRIDDEN = (QoSPolicyKind.HISTORY, QoSPolicyKind.DEPTH, QoSPolicyKind.RELIABILITY, QoSPolicyKind.DURABILITY)


def profile(name: str, depth: int) -> QoSProfile:
    """``sensor_data`` (best effort) or ``reliable``, volatile, keep last ``depth``."""
    reliability = {"sensor_data": ReliabilityPolicy.BEST_EFFORT, "reliable": ReliabilityPolicy.RELIABLE}[name]
    return QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=depth, reliability=reliability)


def latched() -> QoSProfile:
    """Reliable and transient local, depth 1: late subscribers get the last message."""
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=1,
        reliability=ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL,
    )


def publisher(node: Node, kind: type, topic: str, qos: QoSProfile) -> Publisher:
    """A publisher whose QoS ``qos_overrides.TOPIC.publisher.*`` may change; ConfigError for values that cannot be."""
    return _opened(node, "publisher", topic, kind, topic, qos)


def subscription(
    node: Node, kind: type, topic: str, callback: Callable[[Any], None], qos: QoSProfile, **more: Any
) -> Subscription:
    """A subscription whose QoS the parameters ``qos_overrides.TOPIC.subscription.*`` may change, as ``publisher``.

    ``qos`` holds what came of it afterwards.
    """
    return _opened(node, "subscription", topic, kind, topic, callback, qos, **more)


def _opened(node: Node, end: str, topic: str, *arguments: Any, **more: Any) -> Any:
    create = {"publisher": node.create_publisher, "subscription": node.create_subscription}[end]
    # Those given alone: rclpy keeps what it has declared, which would outlive a cleanup and another output_qos.
    prefix = f"qos_overrides.{node.resolve_topic_name(topic)}.{end}."
    given = getattr(node, "_parameter_overrides", {})  # rclpy offers no public way to see undeclared overrides
    policies = [policy for policy in _OVERRIDDEN if prefix + policy.name.lower() in given]
    try:
        return create(*arguments, qos_overriding_options=QoSOverridingOptions(policy_kinds=policies), **more)
    except Exception as error:  # of several types, none of which names the value that came
        raise ConfigError(
            f"qos_overrides of {topic}: {error}: expected reliability best_effort or reliable, durability volatile or "
            "transient_local, history keep_last or keep_all, depth a whole number"
        ) from error
