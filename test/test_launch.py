"""The launch file, the RViz file and the DDS profile: loaded by real launch where it is, checked as text elsewhere."""

from __future__ import annotations

import ast
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
LAUNCH = ROOT / "launch" / "mrfs.launch.py"
ARGUMENTS = {
    "params_file", "camera", "namespace", "rgb_topic", "thermal_topic", "weights", "device", "autostart",
    "use_sim_time", "log_level", "rviz", "bag", "record",
}  # fmt: skip


def described():
    """The launch description, by launch itself."""
    pytest.importorskip("launch_ros", reason="needs launch and launch_ros, which only ROS installations have")
    from launch.launch_description_sources import PythonLaunchDescriptionSource

    from launch import LaunchContext

    context = LaunchContext()
    return context, PythonLaunchDescriptionSource(str(LAUNCH)).get_launch_description(context)


def test_show_args_is_complete():
    _, description = described()
    arguments = {argument.name: argument for argument in description.get_launch_arguments()}
    assert set(arguments) == ARGUMENTS
    assert all(argument.description for argument in arguments.values())
    assert set(arguments["rviz"].choices) == {"true", "false"}


@pytest.mark.parametrize(
    "given, processes",
    [({}, 1), ({"bag": "b"}, 2), ({"bag": "b", "record": "r"}, 3), ({"rviz": "true", "bag": "b", "record": "r"}, 4)],
)
def test_arguments_decide_what_starts(given, processes):
    context, description = described()
    from launch.actions import OpaqueFunction

    for argument in description.get_launch_arguments():
        context.launch_configurations[argument.name] = given.get(
            argument.name, "".join(part.perform(context) for part in argument.default_value)
        )
    (function,) = [entity for entity in description.entities if isinstance(entity, OpaqueFunction)]
    assert len(function.execute(context)) == processes


def files_of_the_node(**given):
    """The params files with which launch would start the node, in order, given these arguments."""
    context, description = described()
    from launch.actions import DeclareLaunchArgument, OpaqueFunction

    context.launch_configurations.update(given)
    for entity in description.entities:
        if isinstance(entity, DeclareLaunchArgument):
            entity.execute(context)
    (function,) = [entity for entity in description.entities if isinstance(entity, OpaqueFunction)]
    node = function.execute(context)[0]
    node._perform_substitutions(context)
    return [Path(path) for path, is_file in node._Node__expanded_parameter_arguments if is_file]


def test_a_preset_comes_after_the_defaults_and_before_a_file_of_ones_own():
    defaults, boson = ROOT / "config/mrfs.yaml", ROOT / "config/cameras/boson.yaml"
    assert files_of_the_node()[:-1] == [defaults]  # the last one holds launch's own arguments
    assert files_of_the_node(camera="boson")[:-1] == [defaults, boson]
    own = str(ROOT / "config/cameras/lepton.yaml")
    assert files_of_the_node(camera="boson", params_file=own)[:-1] == [defaults, boson, Path(own)]


def test_a_preset_that_does_not_exist_is_refused_with_a_list_of_those_that_do():
    with pytest.raises(RuntimeError, match=r"not valid.*boson.*lepton") as refused:
        files_of_the_node(camera="nonsense")
    assert str(refused.value).count("\n") == 0


def test_declared_arguments_are_those_of_the_design():
    """The same without launch: read off the table in the file."""
    tree = ast.parse(LAUNCH.read_text())
    tables = {
        node.targets[0].id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    rows = [row.elts for row in tables["ARGUMENTS"].elts]
    assert {row[0].value for row in rows} == ARGUMENTS
    assert all(row[2].value for row in rows)


def test_rviz_shows_rgb_thermal_fused_and_overlay():
    config = yaml.safe_load((ROOT / "rviz" / "mrfs.rviz").read_text())
    displays = {d["Name"]: d["Topic"] for d in config["Visualization Manager"]["Displays"]}
    assert {name: topic["Value"] for name, topic in displays.items()} == {
        "rgb": "/rgb/image",
        "thermal": "/thermal/image",
        "fused": "/mrfs/fused",
        "overlay": "/mrfs/overlay",
    }
    assert displays["rgb"]["Reliability Policy"] == "Best Effort"  # hears every camera driver


def test_dds_profile_has_room_for_images():
    names = {"dds": "http://www.eprosima.com"}
    tree = ET.parse(ROOT / "config" / "fastdds.xml")
    assert tree.find(".//dds:segment_size", names).text == str(16 * 2**20)
    assert tree.find(".//dds:participant", names).get("is_default_profile") == "true"
