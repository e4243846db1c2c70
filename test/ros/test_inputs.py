"""What the node is given and what it makes of it: types on topics, camera_info, params files, qos_overrides."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from harness import HERE, RELIABLE, NodeProcess, image, numbered_pair
from rclpy.qos import ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2

from mrfs_ros.ros.topics import base_topic, camera_info_topic
from mrfs_ros.ros.watchdog import InputReport, explain_no_pairs

S = 10**9


@pytest.mark.parametrize(
    "topic, base, info",
    [
        ("/camera/color/image_raw", "/camera/color/image_raw", "/camera/color/camera_info"),
        ("/camera/color/image_raw/compressed", "/camera/color/image_raw", "/camera/color/camera_info"),
        ("/camera/depth/image_raw/compressedDepth", "/camera/depth/image_raw", "/camera/depth/camera_info"),
        ("/camera/image/theora", "/camera/image", "/camera/camera_info"),
        ("/image_raw", "/image_raw", "/camera_info"),
        ("/image_raw/compressed", "/image_raw", "/camera_info"),
        ("/compressed", "/compressed", "/camera_info"),
        ("/front/rgb/image", "/front/rgb/image", "/front/rgb/camera_info"),
    ],
)
def test_camera_info_lies_beside_the_base_topic(topic, base, info):
    assert (base_topic(topic), camera_info_topic(topic)) == (base, info)


@pytest.mark.parametrize(
    "changes, advice",
    [
        (
            {"others": ("sensor_msgs/msg/CompressedImage",)},
            "/rgb/image carries sensor_msgs/msg/CompressedImage, but rgb_transport: raw asks for "
            "sensor_msgs/msg/Image: set rgb_transport: compressed",
        ),
        (
            {"others": ("sensor_msgs/msg/PointCloud2",), "alternatives": ("/cam/color",)},
            "/rgb/image carries sensor_msgs/msg/PointCloud2, but rgb_transport: raw asks for sensor_msgs/msg/Image: "
            "remap rgb/image to /cam/color",
        ),
        (
            {"others": ("sensor_msgs/msg/PointCloud2",)},
            "asks for sensor_msgs/msg/Image: remap rgb/image to the camera's images; nobody publishes "
            "sensor_msgs/msg/Image",
        ),
    ],
)
def test_another_type_on_the_topic_is_said_before_any_word_on_dds(changes, advice):
    values = {"received": 0, "rate_hz": 0.0, "silent": True, "publishers": (), "asks_reliable": False}
    rgb = InputReport(name="rgb", topic="/rgb/image", kind="sensor_msgs/msg/Image", **{**values, **changes})
    thermal = InputReport(
        name="thermal", topic="/t", **{**values, "received": 9, "silent": False, "publishers": ("RELIABLE",)}
    )
    text = str(explain_no_pairs((rgb, thermal), silence_s=5, best_gap_s=None, slop_s=0.03))
    assert f"publishers: none of sensor_msgs/msg/Image, but of {changes['others'][0]}" in text
    assert advice in text and "DDS" not in text and "Nobody publishes /rgb" not in text


@pytest.mark.parametrize(
    "transport, kinds, expected",
    [
        (
            "compressed",
            {"/camera/image_raw": Image, "/camera/image_raw/compressed": CompressedImage},
            "/camera/image_raw carries sensor_msgs/msg/Image, but rgb_transport: compressed asks for "
            "sensor_msgs/msg/CompressedImage: set rgb_transport: raw, or remap rgb/image to "
            "/camera/image_raw/compressed",
        ),
        (
            "raw",
            {"/camera/image_raw": CompressedImage},
            "/camera/image_raw carries sensor_msgs/msg/CompressedImage, but rgb_transport: raw asks for "
            "sensor_msgs/msg/Image: set rgb_transport: compressed",
        ),
        (
            "raw",
            {"/camera/image_raw": PointCloud2, "/a/color": Image},
            "/camera/image_raw carries sensor_msgs/msg/PointCloud2, but rgb_transport: raw asks for "
            "sensor_msgs/msg/Image: remap rgb/image to /a/color",
        ),
    ],
)
def test_the_node_sees_the_other_type(tmp_path, cameras, transport, kinds, expected):
    world = cameras()
    for topic, kind in kinds.items():
        world.create_publisher(kind, topic, RELIABLE)
    remap = ["-r", "rgb/image:=/camera/image_raw"]
    with NodeProcess(tmp_path, stub=[], ros=remap, rgb_transport=transport, sync_warning_s=1.0) as node:
        node.ready().wait_for(expected)
        assert "fastdds" not in node.log().split("no pair for")[1].split("thermal")[0]


@pytest.mark.parametrize("transport", ["", "/compressed"])
def test_camera_info_is_heard_beside_remapped_images(tmp_path, cameras, transport):
    world = cameras()
    infos: list[CameraInfo] = []
    world.create_subscription(CameraInfo, "mrfs/camera_info", infos.append, RELIABLE)
    info_out = world.create_publisher(CameraInfo, "/camera/color/camera_info", RELIABLE)
    topic = f"/camera/color/image_raw{transport}"
    kind = CompressedImage if transport else Image
    rgb_out = world.create_publisher(kind, topic, RELIABLE)
    remap = ["-r", f"rgb/image:={topic}"]
    with NodeProcess(tmp_path, stub=[], ros=remap, rgb_transport="compressed" if transport else "raw") as node:
        node.ready()
        assert "for camera_info on /camera/color/camera_info" in node.log()
        world.spin_until(lambda: rgb_out.get_subscription_count() and info_out.get_subscription_count())
        rgb, thermal = numbered_pair(1)
        message = image(rgb, "rgb8", S)
        if transport:
            from mrfs_ros.camera.encoded import encode_png

            message = CompressedImage(header=message.header, format="png", data=encode_png(rgb))
        info = CameraInfo(height=48, width=64, k=[60.0, 0.0, 32.0, 0.0, 60.0, 24.0, 0.0, 0.0, 1.0])
        for number in range(1, 30):
            message.header.stamp.sec = number
            info_out.publish(info)
            rgb_out.publish(message)
            world.send(number * S, None, thermal)
            world.spin_for(0.2)
            if infos:
                break
    assert infos and infos[0].k[0] == 60.0


def test_a_remapped_camera_info_is_where_it_is_said_to_be(tmp_path, ros):
    remap = ["-r", "rgb/image:=/camera/color/image_raw", "-r", "rgb/camera_info:=/elsewhere/info"]
    with NodeProcess(tmp_path, stub=[], ros=remap) as node:
        assert "for camera_info on /elsewhere/info" in node.ready().log()


def test_camera_info_that_nobody_sends_is_told_once(tmp_path, cameras):
    world = cameras()
    with NodeProcess(tmp_path, stub=[], sync_warning_s=0.5) as node:
        node.ready()
        world.matched()
        for number in range(1, 16):
            world.send(number * S, *numbered_pair(number))
            world.spin_for(0.2)
        node.wait_for("camera_info: none came on /rgb/camera_info, which nobody publishes: ~/camera_info stays silent")
        assert node.log().count("none came on") == 1
        assert world.value("mrfs: inputs", "camera_info") == "none came on /rgb/camera_info, which nobody publishes"


def test_one_topic_for_both_cameras_is_told(tmp_path, ros):
    with NodeProcess(tmp_path, stub=[], ros=["-r", "thermal/image:=/rgb/image"]) as node:
        node.wait_for("rgb and thermal images are both taken from /rgb/image: each is paired with itself")


def node_log(tmp_path: Path, text: str) -> str:
    (tmp_path / "p.yaml").write_text(text)
    with NodeProcess(tmp_path, stub=[], ros=["--params-file", str(tmp_path / "p.yaml")]) as node:
        return node.ready().log()


def test_sections_of_a_params_file_for_other_names_are_told(tmp_path, ros):
    log = node_log(tmp_path, "mrfs_node:\n  ros__parameters:\n    slop_s: 0.001\n")
    assert (
        "p.yaml: nothing of mrfs_node is taken: the node's name is /mrfs, so its section must be called mrfs or /**"
    ) in log
    assert "slop_s=0.03" in log
    log = node_log(
        tmp_path, "/*:\n  ros__parameters:\n    slop_s: 0.002\ncamera:\n  ros__parameters:\n    exposure: 3\n"
    )
    assert "slop_s=0.002" in log and "nothing of" not in log


QOS = """/**:
  ros__parameters:
    qos_overrides:
      /rgb/image: {subscription: {reliability: reliable, depth: 20}}
      /mrfs/fused: {publisher: {reliability: best_effort}}
      /other: {subscription: {reliability: reliable}}
"""


def test_qos_overrides_are_followed_and_others_told(tmp_path, cameras):
    world = cameras()
    (tmp_path / "p.yaml").write_text(QOS)
    with NodeProcess(tmp_path, stub=[], ros=["--params-file", str(tmp_path / "p.yaml")]) as node:
        node.ready()
        world.matched(listeners=False)
        (rgb,) = world.get_subscriptions_info_by_topic("/rgb/image")
        (thermal,) = world.get_subscriptions_info_by_topic("/thermal/image")
        (fused,) = world.get_publishers_info_by_topic("/mrfs/fused")
        assert rgb.qos_profile.reliability == ReliabilityPolicy.RELIABLE
        assert thermal.qos_profile.reliability == ReliabilityPolicy.BEST_EFFORT
        assert fused.qos_profile.reliability == ReliabilityPolicy.BEST_EFFORT
        assert (
            "qos_overrides of topics or policies that this node does not have: "
            "qos_overrides./other.subscription.reliability\n"
        ) in node.log()
        assert "unknown to this node" not in node.log()


def test_a_qos_override_that_cannot_be_ends_the_node_with_one_line(tmp_path):
    (tmp_path / "p.yaml").write_text(QOS.replace("reliability: reliable, depth", "reliability: relaible, depth"))
    run = subprocess.run(
        [sys.executable, HERE / "stub_node.py", "--ros-args", "--params-file", tmp_path / "p.yaml"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 2 and "Traceback" not in run.stderr
    assert "mrfs_node: error: qos_overrides of rgb/image: " in run.stderr
