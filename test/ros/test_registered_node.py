"""Cameras that are not aligned, over real DDS: thermal comes onto the rgb image, and what it does not see stays rgb."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from harness import NodeProcess, image, numbered_pair, pixels_of

from mrfs_ros.geometry.registration import load_registration

S = 10**9
HOMOGRAPHY = """kind: homography
thermal_size: [60, 80]
rgb_size: [96, 128]
matrix:
- [1.2, 0.05, 12.0]
- [-0.03, 1.25, 8.0]
- [0.0, 0.0, 1.0]
"""
STEREO = """kind: stereo
plane_distance_m: 10.0
thermal: {size: [60, 80], distortion_model: plumb_bob, K: [[70, 0, 39.5], [0, 70, 29.5], [0, 0, 1]], D: [0, 0, 0, 0, 0]}
rgb: {size: [96, 128], distortion_model: plumb_bob, K: [[110, 0, 63.5], [0, 110, 47.5], [0, 0, 1]], D: [0, 0, 0, 0, 0]}
R: [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
t: [0.5, 0.0, 0.0]
"""


def images(number: int) -> tuple[np.ndarray, np.ndarray]:
    return numbered_pair(number, 96, 128)[0], numbered_pair(number, 60, 80)[1]


def answer(world, stamp: int, rgb: np.ndarray, thermal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    world.send(stamp, rgb, thermal)
    world.await_answer(stamp)
    return pixels_of(world.answers["fused"][stamp]), pixels_of(world.answers["segmentation"][stamp])


def test_thermal_is_warped_and_what_it_does_not_see_is_rgb_without_a_class(tmp_path, cameras):
    (tmp_path / "calib.yaml").write_text(HOMOGRAPHY)
    world = cameras(outputs=("alignment",))
    with NodeProcess(tmp_path, stub=[], calibration=str(tmp_path / "calib.yaml")) as node:
        node.ready()
        world.matched()
        rgb, thermal = images(3)
        fused, labels = answer(world, S, rgb, thermal)
        warped, valid = load_registration(tmp_path / "calib.yaml").warp(thermal, (96, 128))
        assert 0.3 < valid.mean() < 0.95
        assert (labels == np.where(valid, warped // 32, 255)).all()
        assert (fused == rgb).all()  # the stub's fused image is rgb inside, too
        world.spin_until(lambda: S in world.answers["alignment"])
        assert pixels_of(world.answers["alignment"][S]).shape == (96, 128, 3)
        world.send(2 * S, rgb, thermal[:40])
        node.wait_for("frame skipped (size_mismatch, 1 so far): ")
        answer(world, 3 * S, rgb, thermal)
        world.spin_until(lambda: "mrfs: inputs" in world.diagnostics)
        values = {pair.key: pair.value for pair in world.diagnostics["mrfs: inputs"].values}
        assert values["registration"] == str(tmp_path / "calib.yaml")


def test_the_plane_can_be_moved_while_the_node_runs(tmp_path, cameras):
    (tmp_path / "calib.yaml").write_text(STEREO)
    world = cameras()
    with NodeProcess(tmp_path, stub=[], calibration=str(tmp_path / "calib.yaml")) as node:
        node.ready()
        world.matched()
        rgb, thermal = images(5)
        for number, metres in enumerate((0.0, 3.0, 0.0)):  # 0: as the file says
            assert world.change_parameters(plane_distance_m=metres)[0].successful
            _, labels = answer(world, (number + 1) * S, rgb, thermal)
            warped, valid = load_registration(tmp_path / "calib.yaml", metres).warp(thermal, (96, 128))
            assert (labels == np.where(valid, warped // 32, 255)).all()


def test_one_aspect_needs_no_calibration(tmp_path, cameras):
    world = cameras()
    with NodeProcess(tmp_path, stub=[]) as node:
        node.ready()
        world.matched()
        rgb, small = numbered_pair(1, 96, 128)[0], numbered_pair(1, 48, 64)[1]
        _, labels = answer(world, S, rgb, small)
        assert (labels == load_registration("").prepared(small, (96, 128))[0] // 32).all()
        world.rgb_out.publish(image(rgb, "rgb8", 2 * S))
        world.thermal_out.publish(image(small[:, :40], "mono8", 2 * S))
        node.wait_for("without a calibration, expected one size or at least one aspect (within 2 %)")


@pytest.mark.parametrize(
    "content, text",
    [
        (None, "calib.yaml: "),
        ("kind: homography\n", "calib.yaml: "),
        (HOMOGRAPHY.replace("1.2, 0.05, 12.0", "0.0, 0.0, 0.0"), "calib.yaml: "),
    ],
)
def test_a_calibration_that_cannot_be_used_ends_the_start_in_one_line(tmp_path, content, text):
    if content:
        (tmp_path / "calib.yaml").write_text(content)
    command = [
        sys.executable,
        "-m",
        "mrfs_ros.ros.node_program",
        "--ros-args",
        "-p",
        f"calibration:={tmp_path / 'calib.yaml'}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    lines = [line for line in done.stderr.splitlines() if "error" in line.lower()]
    assert len(lines) == 1 and text in lines[0]
