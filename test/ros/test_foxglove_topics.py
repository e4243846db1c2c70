"""What the layout for Foxglove and Lichtblick shows is what a running node takes and publishes."""

from __future__ import annotations

import pytest
from foxglove_layout import image_topics, panels, plotted


def test_topics_statuses_and_keys_of_the_layout_exist(live_node, cameras):
    live_node()
    world = cameras()
    world.spin_until(lambda: {status for _, status, _ in plotted()} <= set(world.diagnostics))

    def ends_of(topic: str) -> set[tuple[str, str]]:
        ask = (
            world.get_publishers_info_by_topic if topic.startswith("/mrfs/") else world.get_subscriptions_info_by_topic
        )
        return {(end.node_name, end.topic_type) for end in ask(topic)}

    for topic in image_topics().values():
        assert ("mrfs", "sensor_msgs/msg/Image") in ends_of(topic), topic
    (summary,) = panels("DiagnosticSummary").values()
    for topic in {summary["topicToRender"], *(topic for topic, _, _ in plotted())}:
        (source,) = world.get_publishers_info_by_topic(topic)
        assert (source.node_name, source.topic_type) == ("mrfs", "diagnostic_msgs/msg/DiagnosticArray")
    for _, status, key in plotted():
        assert float(world.value(status, key)) == pytest.approx(0.0)
