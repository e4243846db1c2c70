"""Header and camera_info of the outputs: the reference camera's stamp, the rest by the pixel grid they are on."""

from __future__ import annotations

import pytest
from harness import RELIABLE, image, numbered_pair, stamp_of
from sensor_msgs.msg import CameraInfo

from mrfs_ros.camera.messages import output_header

S, GAP_NS = 10**9, 3_000_000
RGB_INFO = CameraInfo(height=48, width=64, k=[60.0, 0.0, 32.0, 0.0, 60.0, 24.0, 0.0, 0.0, 1.0])
THERMAL_INFO = CameraInfo(height=48, width=64, k=[90.0, 0.0, 32.0, 0.0, 90.0, 24.0, 0.0, 0.0, 1.0])
RGB_INFO.header.frame_id, THERMAL_INFO.header.frame_id = "rgb_frame", "thermal_frame"


@pytest.fixture
def world(cameras):
    """Cameras that send camera_info too, and what comes back on ~/camera_info."""
    world = cameras(outputs=("overlay", "alignment"))
    world.infos = []
    world.create_subscription(CameraInfo, "mrfs/camera_info", world.infos.append, RELIABLE)
    world.info_out = [
        world.create_publisher(CameraInfo, f"{name}/camera_info", RELIABLE) for name in ("rgb", "thermal")
    ]
    return world


def send_infos(world, node, *infos: CameraInfo | None) -> None:
    for camera, info in enumerate(infos):
        if info is not None:
            world.spin_until(world.info_out[camera].get_subscription_count)
            world.spin_until(
                lambda c=camera, i=info: world.info_out[c].publish(i) or node.pipeline.camera_info[c] is not None
            )


@pytest.mark.parametrize("reference, stamp_ns", [("rgb", S), ("thermal", S + GAP_NS)])
def test_the_reference_camera_gives_the_stamp_and_the_grid_the_rest(world, live_node, reference, stamp_ns):
    node = live_node(reference_camera=reference).node
    world.matched()
    send_infos(world, node, RGB_INFO, THERMAL_INFO)
    world.send(S, *numbered_pair(1), gap_ns=GAP_NS)
    world.await_answer(stamp_ns)
    world.spin_until(lambda: world.infos)
    outputs = [answers[stamp_ns] for answers in world.answers.values()]
    assert len(outputs) == 4
    assert {message.header.frame_id for message in (*outputs, *world.infos)} == {"rgb_frame"}
    assert [(stamp_of(info), info.k[0]) for info in world.infos] == [(stamp_ns, 60.0)]


@pytest.mark.parametrize("thermal_info, focal_lengths", [(THERMAL_INFO, [90.0]), (None, [])])
def test_thermal_alone_is_on_the_thermal_grid(world, live_node, thermal_info, focal_lengths):
    """rgb's intrinsics are wrong there: without thermal's own, none are sent."""
    node = live_node(on_missing="thermal_only", missing_timeout_s=0.05).node
    world.matched()
    send_infos(world, node, RGB_INFO, thermal_info)
    world.spin_until(lambda: "rgb" in node.inputs.source.missing())
    world.send(S, None, numbered_pair(1)[1], gap_ns=0)
    world.await_answer(S)
    world.spin_for(0.2)
    assert world.answers["fused"][S].header.frame_id == "thermal_frame"
    assert [(info.header.frame_id, info.k[0]) for info in world.infos] == [("thermal_frame", k) for k in focal_lengths]


def test_one_camera_info_for_both_is_the_rgb_cameras(world, live_node):
    """Images side by side in one namespace share a camera_info by name: it cannot be thermal's."""
    remap = ["--ros-args", "-r", "rgb/image:=/c/rgb", "-r", "thermal/image:=/c/thermal"]
    node = live_node(on_missing="thermal_only", more={"cli_args": remap}).node
    out = world.create_publisher(CameraInfo, "/c/camera_info", RELIABLE)
    world.spin_until(lambda: out.publish(RGB_INFO) or node.pipeline.camera_info[0] is not None)
    assert node.pipeline.camera_info[1] is None and out.get_subscription_count() == 1


def test_header_of_a_pair_of_messages():
    rgb, thermal = (image(pixels, "mono8", stamp, frame) for pixels, stamp, frame in (
        (numbered_pair(1)[1], 1, "r"), (numbered_pair(1)[1], 2, "t")))  # fmt: skip
    cases = [(rgb, thermal, "rgb"), (rgb, thermal, "thermal"), (rgb, None, "thermal"), (None, thermal, "rgb")]
    found = [output_header(*case) for case in cases]
    assert [(header.stamp.nanosec, header.frame_id) for header in found] == [(1, "r"), (2, "r"), (1, "r"), (2, "t")]
