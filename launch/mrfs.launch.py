"""Starts the node, and on request a bag, a recording and RViz: ``ros2 launch mrfs_ros mrfs.launch.py --show-args``."""

from pathlib import Path

from launch.actions import DeclareLaunchArgument, ExecuteProcess, OpaqueFunction, SetEnvironmentVariable
from launch.conditions import IfCondition, LaunchConfigurationNotEquals
from launch.substitutions import EnvironmentVariable, LaunchConfiguration
from launch_ros.actions import Node

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity

SHARE = Path(__file__).resolve().parent.parent
RECORDED = ("rgb/image", "thermal/image", "mrfs/fused", "mrfs/segmentation", "mrfs/overlay", "/diagnostics")

ARGUMENTS = (
    # name, default, description, choices
    ("params_file", str(SHARE / "config" / "mrfs.yaml"), "YAML file with the node's parameters", None),
    ("namespace", "", "namespace of the node and its relative topics, to run several at once", None),
    ("rgb_topic", "rgb/image", "colour images, sensor_msgs/Image (or CompressedImage, see rgb_transport)", None),
    ("thermal_topic", "thermal/image", "thermal images on the colour camera's pixel grid", None),
    ("weights", "", "weights file; empty = as params_file says", None),
    ("device", "", "auto, cpu, cuda or cuda:N; empty = as params_file says", None),
    ("use_sim_time", "false", "take the time from /clock (a bag, a simulator)", ("true", "false")),
    ("log_level", "info", "how much the node logs", ("debug", "info", "warn", "error", "fatal")),
    ("rviz", "false", "open RViz with rgb, thermal, fused and overlay", ("true", "false")),
    ("bag", "", "rosbag2 to play, with its /clock; empty = none", None),
    ("record", "", "folder of a rosbag2 to record inputs and outputs into; empty = none", None),
)


def generate_launch_description() -> LaunchDescription:
    """Every argument at top level, so that --show-args is complete; then what they ask for."""
    declared = [
        DeclareLaunchArgument(
            name, default_value=default, description=text, **({"choices": choices} if choices else {})
        )
        for name, default, text, choices in ARGUMENTS
    ]
    # Without a larger shared-memory segment Fast DDS loses whole images; a profile that is set already stays.
    profile = SetEnvironmentVariable(
        "FASTDDS_DEFAULT_PROFILES_FILE",
        EnvironmentVariable("FASTDDS_DEFAULT_PROFILES_FILE", default_value=str(SHARE / "config" / "fastdds.xml")),
    )
    rviz = Node(
        package="rviz2",
        executable="rviz2",
        namespace=LaunchConfiguration("namespace"),
        arguments=["-d", str(SHARE / "rviz" / "mrfs.rviz")],
        condition=IfCondition(LaunchConfiguration("rviz")),
    )
    bag = ExecuteProcess(
        cmd=["ros2", "bag", "play", "--clock", "100", LaunchConfiguration("bag")],
        condition=LaunchConfigurationNotEquals("bag", ""),
    )
    return LaunchDescription([*declared, profile, OpaqueFunction(function=_node_and_recording), rviz, bag])


def _node_and_recording(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    value = {name: LaunchConfiguration(name).perform(context) for name, *_ in ARGUMENTS}
    overrides = {name: value[name] for name in ("weights", "device") if value[name]}
    node = Node(
        package="mrfs_ros",
        executable="mrfs_node",
        name="mrfs",
        namespace=value["namespace"],
        output="screen",
        parameters=[value["params_file"], {"use_sim_time": value["use_sim_time"] == "true", **overrides}],
        remappings=[("rgb/image", value["rgb_topic"]), ("thermal/image", value["thermal_topic"])],
        arguments=["--ros-args", "--log-level", f"mrfs:={value['log_level']}"],
    )
    if not value["record"]:
        return [node]
    named = {"rgb/image": value["rgb_topic"], "thermal/image": value["thermal_topic"]}
    topics = [_absolute(named.get(topic, topic), value["namespace"]) for topic in RECORDED]
    return [node, ExecuteProcess(cmd=["ros2", "bag", "record", "--output", value["record"], *topics])]


def _absolute(topic: str, namespace: str) -> str:
    return topic if topic.startswith("/") else "/" + "/".join(part for part in (namespace.strip("/"), topic) if part)
