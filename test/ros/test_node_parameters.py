"""Parameters: declared with text and range, read back, refused with a reason."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict, fields

import pytest
import yaml
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import Image

from mrfs_ros.bag.yaml_parameters import read_parameters
from mrfs_ros.config import BACKENDS, NodeConfig
from mrfs_ros.errors import ConfigError
from mrfs_ros.ros.node_parameters import changed, declare_parameters, unknown_parameters


@contextmanager
def node_with(**overrides):
    node = Node("parameters", parameter_overrides=[Parameter(name, value=value) for name, value in overrides.items()])
    try:
        yield node
    finally:
        node.destroy_node()


def test_defaults_and_overrides(ros):
    with node_with(slop_s=0.5, on_missing="rgb_only", exit_with_parent=False) as node:
        config = declare_parameters(node)
    expected = {**asdict(NodeConfig()), "slop_s": 0.5, "on_missing": "rgb_only", "exit_with_parent": False}
    assert asdict(config) == expected


def test_every_parameter_carries_its_text_range_and_choices(ros):
    with node_with() as node:
        declare_parameters(node)
        for spec in fields(NodeConfig):
            descriptor = node.describe_parameter(spec.name)
            assert descriptor.description == spec.metadata["text"]
            assert descriptor.read_only == spec.metadata["once"]
            ranges = [*descriptor.floating_point_range, *descriptor.integer_range]
            assert [(r.from_value, r.to_value) for r in ranges] == (
                [] if spec.metadata["low"] is None else [(spec.metadata["low"], spec.metadata["high"])]
            )
            assert all(choice in descriptor.additional_constraints for choice in spec.metadata["choices"])


@pytest.mark.parametrize("given", [240, "240", "0", 0, "weights"])
def test_the_encoder_side_is_a_word_or_a_number(ros, given):
    with node_with(encoder_side=given) as node:
        assert declare_parameters(node).encoder_side == str(given)


@pytest.mark.parametrize(
    "overrides, text",
    [
        ({"backend": "magic"}, f"parameter backend: expected one of {', '.join(BACKENDS)}, got 'magic'"),
        ({"slop_s": 0.0}, "parameter slop_s: "),
        ({"slop_s": 1}, "expecting type 'DOUBLE'"),
        ({"qos_depth": 0}, "parameter qos_depth: "),
        ({"overlay_opacity": 1.5}, "parameter overlay_opacity: "),
        ({"thermal_scale": 0.0}, "parameter thermal_scale: "),
        ({"thermal_scale": float("nan")}, "parameter thermal_scale: "),
        ({"thermal_scale": float("inf")}, "parameter thermal_scale: "),
        ({"thermal_offset": float("nan")}, "parameter thermal_offset: "),
        ({"exit_with_parent": "yes"}, "parameter exit_with_parent: "),
        ({"encoder_side": 240.5}, "parameter encoder_side: expected a word or whole number, got 240.5."),
        ({"encoder_side": True}, "parameter encoder_side: expected a word or whole number, got True."),
        ({"encoder_side": "auto"}, "encoder_side: auto needs target_rate_hz"),
    ],
)
def test_values_that_cannot_be_are_refused(ros, overrides, text):
    with node_with(**overrides) as node, pytest.raises(ConfigError) as error:
        declare_parameters(node)
    assert text in str(error.value)


def test_unknown_names_are_found(ros):
    with node_with(slopp_s=0.1, use_sim_time=False) as node:
        declare_parameters(node)
        assert unknown_parameters(node) == ["slopp_s"]


def test_a_set_of_changes_is_taken_whole_or_not_at_all():
    config = NodeConfig()
    both = [Parameter("slop_s", value=0.2), Parameter("on_missing", value="pray")]
    after, answer = changed(config, both)
    assert after is config
    assert not answer.successful
    assert "expected one of drop, rgb_only, thermal_only, got 'pray'" in answer.reason
    after, answer = changed(config, [both[0], Parameter("on_missing", value="rgb_only")])
    assert answer.successful
    assert (after.slop_s, after.on_missing) == (0.2, "rgb_only")


def test_foreign_parameters_change_nothing():
    after, answer = changed(NodeConfig(), [Parameter("use_sim_time", value=True)])
    assert (after, answer.successful) == (NodeConfig(), True)


def dump(node: Node) -> str:
    """What ``ros2 param dump`` writes: every parameter of the node, names split at their dots."""
    values: dict = {}
    for name in node.list_parameters([], 0).names:
        *levels, last = name.split(".")
        place = values
        for level in levels:
            place = place.setdefault(level, {})
        place[last] = node.get_parameter(name).value
    return yaml.dump({node.get_fully_qualified_name(): {"ros__parameters": values}}, default_flow_style=False)


def test_a_dump_of_the_running_node_is_read_as_its_params_file(ros, tmp_path):
    with node_with(slop_s=0.5, on_missing="rgb_only") as node:
        config = declare_parameters(node)
        node.create_subscription(
            Image, "in", print, 1, qos_overriding_options=QoSOverridingOptions.with_default_policies()
        )
        text = dump(node).replace("/parameters:", "/mrfs:")
    assert "qos_overrides:" in text and "use_sim_time: false" in text and "start_type_description_service" in text
    (tmp_path / "mrfs.yaml").write_text(text)
    assert read_parameters(tmp_path / "mrfs.yaml") == config
