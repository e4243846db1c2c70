"""Starts the node, and on request a bag, a recording and RViz: ``ros2 launch mrfs_ros mrfs.launch.py --show-args``."""

from pathlib import Path

from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    OpaqueFunction,
    RegisterEventHandler,
    SetEnvironmentVariable,
)
from launch.event_handlers import OnProcessIO
from launch.events.process import ProcessIO
from launch.substitutions import EnvironmentVariable, LaunchConfiguration
from launch_ros.actions import Node

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from mrfs_ros.ros.dds import profile_variable
from mrfs_ros.ros.topics import camera_info_topic

SHARE = Path(__file__).resolve().parent.parent
DEFAULTS = SHARE / "config" / "mrfs.yaml"
CAMERAS = SHARE / "config" / "cameras"
PRESETS = sorted(path.stem for path in CAMERAS.glob("*.yaml"))
# Topics to remap, record and show, and the launch argument that renames each ("" = none).
TOPICS = {
    "rgb/image": "rgb_topic",
    "thermal/image": "thermal_topic",
    "mrfs/fused": "",
    "mrfs/segmentation": "",
    "mrfs/overlay": "",
    "/diagnostics": "",
}

ARGUMENTS = (
    # name, default, description, choices
    ("params_file", str(DEFAULTS), "YAML file with the node's parameters", None),
    ("camera", "", "thermal camera whose preset to load before params_file; empty = none", ("", *PRESETS)),
    ("namespace", "", "namespace of the node and its relative topics, to run several at once", None),
    ("rgb_topic", "rgb/image", "colour images, sensor_msgs/Image (or CompressedImage, see rgb_transport)", None),
    ("thermal_topic", "thermal/image", "thermal images on the colour camera's pixel grid", None),
    ("weights", "", "weights file; empty = as params_file says", None),
    ("device", "", "auto, cpu, cuda or cuda:N; empty = as params_file says", None),
    ("autostart", "", "false = wait for a lifecycle manager; empty = as params_file says", ("", "true", "false")),
    ("use_sim_time", "false", "take the time from /clock (a bag, a simulator)", ("true", "false")),
    ("log_level", "info", "how much the node logs", ("debug", "info", "warn", "error", "fatal")),
    ("rviz", "false", "open RViz with rgb, thermal, fused and overlay", ("true", "false")),
    ("bag", "", "rosbag2 to play, with its /clock, once the node is ready; empty = none", None),
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
    variable = profile_variable()
    profile = EnvironmentVariable(variable, default_value=str(SHARE / "config" / "fastdds.xml"))
    return LaunchDescription(
        [*declared, SetEnvironmentVariable(variable, profile), OpaqueFunction(function=_processes)]
    )


def _processes(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    value = {name: LaunchConfiguration(name).perform(context) for name, *_ in ARGUMENTS}
    overrides = {name: value[name] for name in ("weights", "device") if value[name]}
    if value["autostart"]:
        overrides["autostart"] = value["autostart"] == "true"
    topics = {name: _absolute(value.get(argument, name), value["namespace"]) for name, argument in TOPICS.items()}
    logger = ".".join(part for part in (*value["namespace"].split("/"), "mrfs") if part)
    preset = [str(CAMERAS / f"{value['camera']}.yaml")] if value["camera"] else []
    # A later file wins: the user's own over the preset, the preset over the defaults.
    files = dict.fromkeys((str(DEFAULTS), *preset, value["params_file"]))
    node = Node(
        package="mrfs_ros",
        executable="mrfs_node",
        name="mrfs",
        namespace=value["namespace"],
        output="screen",
        parameters=[*files, {"use_sim_time": value["use_sim_time"] == "true", **overrides}],
        remappings=[
            *((name, topics[name]) for name in ("rgb/image", "thermal/image")),
            *((f"{name}/camera_info", camera_info_topic(topics[f"{name}/image"])) for name in ("rgb", "thermal")),
        ],
        ros_arguments=["--log-level", f"{logger}:={value['log_level']}"],
    )
    entities = [node]
    if value["record"]:
        entities.append(ExecuteProcess(cmd=["ros2", "bag", "record", "--output", value["record"], *topics.values()]))
    if value["rviz"] == "true":
        shown = [(f"/{name}", topic) for name, topic in topics.items()]
        arguments = ["-d", str(SHARE / "rviz" / "mrfs.rviz")]
        entities.append(Node(package="rviz2", executable="rviz2", arguments=arguments, remappings=shown))
    if value["bag"]:
        entities.append(_play_when_ready(node, value["bag"]))
    return entities


def _play_when_ready(node: Node, bag: str) -> RegisterEventHandler:
    """Play ``bag`` from the moment when the node listens: loading a network can take longer than a short bag."""
    waiting = [ExecuteProcess(cmd=["ros2", "bag", "play", "--clock", "100", bag])]

    def on_output(event: ProcessIO) -> list[ExecuteProcess] | None:
        return [waiting.pop()] if waiting and b": ready in " in event.text else None

    return RegisterEventHandler(OnProcessIO(target_action=node, on_stderr=on_output, on_stdout=on_output))


def _absolute(topic: str, namespace: str) -> str:
    return topic if topic.startswith("/") else "/" + "/".join(part for part in (namespace.strip("/"), topic) if part)
