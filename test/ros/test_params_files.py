"""Several params files, as the launch file gives them to ROS 2: the later one wins, whatever its section is called."""

from __future__ import annotations

import pytest
from rclpy.node import Node


@pytest.mark.parametrize("section", ["/**", "/mrfs", "mrfs"])
def test_the_later_file_wins(ros, tmp_path, section):
    texts = {
        "defaults": '/**: {ros__parameters: {slop_s: 0.03, thermal_unit: "counts", device: "auto"}}',
        "preset": '/**: {ros__parameters: {slop_s: 0.015, thermal_unit: "celsius"}}',
        "own": f'"{section}": {{ros__parameters: {{thermal_unit: "kelvin"}}}}',
    }
    arguments = ["--ros-args"]
    for name, text in texts.items():
        (tmp_path / f"{name}.yaml").write_text(text)
        arguments += ["--params-file", str(tmp_path / f"{name}.yaml")]
    node = Node(
        "mrfs", cli_args=arguments, use_global_arguments=False, automatically_declare_parameters_from_overrides=True
    )
    try:
        assert {name: node.get_parameter(name).value for name in ("slop_s", "thermal_unit", "device")} == {
            "slop_s": 0.015,
            "thermal_unit": "kelvin",
            "device": "auto",
        }
    finally:
        node.destroy_node()
