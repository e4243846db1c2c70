"""The node over real DDS: pairs in, images out, and everything that a user sees of it."""

from __future__ import annotations

import signal
import subprocess
import sys

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from harness import NodeProcess, image, numbered_pair, pixels_of, stamp_of

from mrfs_ros.draw import overlay
from mrfs_ros.types import MFNET

S, MS = 10**9, 10**6


def test_answers_are_the_engines_bytes_under_the_rgb_header(tmp_path, cameras, tiny_weights, small_pair):
    """Online and offline give the same: the whole network, real weights, two processes."""
    from mrfs_ros import load_engine

    expected = load_engine(tiny_weights)(*small_pair)
    world = cameras(outputs=("overlay",))
    with NodeProcess(tmp_path, weights=str(tiny_weights), warmup_height=96, warmup_width=128) as node:
        node.ready()
        world.matched()
        for number in range(3):
            world.send(number * S, *small_pair)
            world.await_answer(number * S)
    for number in range(3):
        answers = {name: world.answers[name][number * S] for name in ("fused", "segmentation", "overlay")}
        assert {m.header.frame_id for m in answers.values()} == {"rgb_frame"}
        assert [m.encoding for m in answers.values()] == ["rgb8", "mono8", "rgb8"]
        assert (pixels_of(answers["fused"]) == expected.fused).all()
        assert (pixels_of(answers["segmentation"]) == expected.labels).all()
        assert (pixels_of(answers["overlay"]) == overlay(expected.fused, expected.labels, MFNET)).all()
    assert "UNTRAINED" not in node.log()


def test_label_groups_are_in_mask_overlay_and_diagnostics(tmp_path, cameras, tiny_weights, small_pair):
    from mrfs_ros import load_engine

    road = tmp_path / "road.yaml"
    road.write_text("groups: {5: {name: any, classes: [bike, color_cone], color: [9, 8, 7]}}")
    engine, world = load_engine(tiny_weights, label_groups=road), cameras(outputs=("overlay",))
    parameters = {"weights": str(tiny_weights), "label_groups": str(road), "warmup_height": 96, "warmup_width": 128}
    with NodeProcess(tmp_path, **parameters) as node:
        node.ready()
        world.matched().send(0, *small_pair)
        world.await_answer(0)
        world.spin_until(lambda: world.diagnostics)
    expected, labels = engine(*small_pair), pixels_of(world.answers["segmentation"][0])
    assert (labels == expected.labels).all() and 5 in labels
    picture = overlay(expected.fused, labels, engine.info.classes)
    assert (pixels_of(world.answers["overlay"][0]) == picture).all()
    classes = world.value("mrfs: inference", "classes")
    assert classes == "MFNet by road.yaml: background, unused_1, unused_2, unused_3, unused_4, any"


def test_untrained_is_said_in_log_diagnostics_and_overlay(tmp_path, cameras, small_pair):
    world = cameras(outputs=("overlay",))
    with NodeProcess(tmp_path, weights="untrained", warmup_height=96, warmup_width=128) as node:
        node.ready()
        world.matched().send(0, *small_pair)
        world.await_answer(0)
        world.spin_until(lambda: world.diagnostics)
        assert "UNTRAINED network: fused images and masks mean nothing" in node.log()
    status = world.diagnostics["mrfs: inference"]
    assert status.level == DiagnosticStatus.WARN
    assert "UNTRAINED" in status.message
    strip = pixels_of(world.answers["overlay"][0])[-26:]
    assert (strip == 0).mean() > 0.5


def test_every_answer_belongs_to_its_pair(tmp_path, cameras):
    world = cameras()
    with NodeProcess(tmp_path, stub=[]) as node:
        node.ready()
        world.matched()
        for number in range(30):
            world.send(number * 33 * MS, *numbered_pair(number))
            world.await_answer(number * 33 * MS)
    for number in range(30):
        rgb, thermal = numbered_pair(number)
        assert (pixels_of(world.answers["fused"][number * 33 * MS]) == rgb).all()
        assert (pixels_of(world.answers["segmentation"][number * 33 * MS]) == thermal // 32).all()


def test_cameras_that_send_mosaics_or_yuv(tmp_path, cameras):
    """A red light, as a Bayer sensor and a video grabber see it."""
    mosaic = np.zeros((48, 64), np.uint8)
    mosaic[1::2, 1::2] = 255
    video = np.tile(np.array([90, 82, 240, 82], np.uint8), (48, 32))  # BT.601: U, Y, V, Y
    sent = [("bayer_bggr8", mosaic), ("bayer_bggr16", mosaic.astype("<u2") * 257), ("yuv422", video)]
    thermal = numbered_pair(0)[1]
    world = cameras()
    with NodeProcess(tmp_path, stub=[]) as node:
        node.ready()
        world.matched()
        for number, (encoding, pixels) in enumerate(sent):
            rows = np.ascontiguousarray(pixels).view(np.uint8).reshape(48, -1)
            world.rgb_out.publish(image(rows, encoding, number * S, width=64))
            world.thermal_out.publish(image(thermal, "mono8", number * S))
            world.await_answer(number * S)
    for number in range(len(sent)):
        difference = pixels_of(world.answers["fused"][number * S]).astype(int) - (255, 0, 0)
        assert np.abs(difference).max() <= 3


def bad_images(stamp: int):
    """(camera, message, reason) for everything that can be wrong with one frame."""
    rgb, thermal = numbered_pair(0)
    return [
        ("rgb", image(thermal, "16SC1", stamp), "rgb_encoding"),
        ("rgb", image(rgb, "nv42", stamp), "rgb_encoding"),
        ("rgb", image(rgb, "rgb8", stamp, height=0), "zero_size"),
        ("rgb", image(rgb, "rgb8", stamp, width=0), "zero_size"),
        ("rgb", image(rgb, "rgb8", stamp, step=10), "step"),
        ("rgb", image(rgb, "rgb8", stamp, height=47), "data_size"),
        ("rgb", image(rgb, "rgb8", stamp, height=49), "data_size"),
        ("rgb", image(rgb[:1, :1], "rgb8", stamp), "too_small"),
        ("rgb", image(rgb[:40], "rgb8", stamp), "size_mismatch"),
        ("thermal", image(thermal.astype(np.uint16), "mono16", stamp, step=3), "step"),
        ("thermal", image(thermal.astype(np.float32), "64FC1", stamp), "thermal_encoding"),
        ("thermal", image(thermal, "jpeg", stamp), "thermal_encoding"),
        ("thermal", image(thermal, "mono8", stamp, height=0), "zero_size"),
    ]


def test_bad_frames_are_skipped_counted_and_told(tmp_path, cameras):
    world = cameras()
    with NodeProcess(tmp_path, stub=[]) as node:
        node.ready()
        world.matched()
        expected: dict[str, int] = {}
        for number in range(len(bad_images(0))):
            stamp = (2 * number) * S
            rgb, thermal = numbered_pair(number)
            camera, message, reason = bad_images(stamp)[number]
            expected[reason] = expected.get(reason, 0) + 1
            world.rgb_out.publish(message if camera == "rgb" else image(rgb, "rgb8", stamp))
            world.thermal_out.publish(message if camera == "thermal" else image(thermal, "mono8", stamp))
            world.send(stamp + S, rgb, thermal)  # the next good pair
            world.await_answer(stamp + S)
            assert stamp not in world.answers["fused"]
        assert node.process.poll() is None
        for reason, count in expected.items():
            world.spin_until(lambda r=reason, c=count: world.value("mrfs: inputs", f"dropped {r}") == str(c))
            assert f"frame skipped ({reason}, 1 so far): " in node.log()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_it_cleanly(tmp_path, number):
    with NodeProcess(tmp_path, stub=[]) as node:
        code, seconds = node.ready().end(number)
        assert (code, seconds < 2) == (0, True)
        assert "Traceback" not in node.log()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_a_start_up_too(tmp_path, number):
    with NodeProcess(tmp_path, warmup_height=1000, warmup_width=1000) as node:
        code, _ = node.wait_for("parameters: ").end(number)
        assert code == 0
        assert "Traceback" not in node.log()
        assert "ready in" not in node.log()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_its_imports_too(tmp_path, number):
    with NodeProcess(tmp_path) as node:
        node.wait_until_loaded("numpy")  # by then the signals are heard, and torch and ROS are still to come
        code, _ = node.end(number)
        assert code == 0
        assert "parameters: " not in node.log()
        assert "Traceback" not in node.log()


@pytest.mark.parametrize(
    "arguments, text",
    [
        (["--weights", "foo.pth"], "unrecognized arguments: --weights foo.pth"),
        (["--ros-args", "--params-file", "/nope.yaml"], "ROS 2 refuses the arguments: "),
    ],
)
def test_arguments_that_it_does_not_know(arguments, text):
    run = subprocess.run(
        [sys.executable, "-m", "mrfs_ros.ros.node_program", *arguments], capture_output=True, text=True
    )
    assert run.returncode == 2
    assert text in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize(
    "parameters, text",
    [
        ({"weights": "/no/where.pth"}, "no weights file at /no/where.pth: give the path of a"),
        ({"weights": __file__}, "is no PyTorch file"),
        ({"slop_s": 0.0}, "parameter slop_s"),
    ],
)
def test_a_start_that_cannot_work_ends_in_one_line(tmp_path, parameters, text):
    with NodeProcess(tmp_path, **parameters) as node:
        assert node.process.wait(60) == 2
        errors = [line for line in node.log().splitlines() if "[INFO]" not in line]
        assert len(errors) == 1
        assert errors[0].startswith("mrfs_node: error: ")
        assert text in errors[0]


def test_a_typo_is_told(tmp_path):
    with NodeProcess(tmp_path, stub=[], slopp_s=0.1) as node:
        node.wait_for("parameter slopp_s is unknown to this node and has no effect: did you mean slop_s?")


def test_parameters_change_while_it_runs_or_are_refused_with_a_reason(tmp_path, cameras):
    world = cameras()
    with NodeProcess(tmp_path, stub=[]) as node:
        node.ready()
        world.matched()
        for values, text in (
            ({"slop_s": 0.0}, "slop_s"),
            ({"on_missing": "pray"}, "expected one of drop, rgb_only, thermal_only, got 'pray'"),
            (
                {"weights": "other.pth"},
                "weights is read when the node is configured, and it is active: deactivate, clean up, set it",
            ),
        ):
            answer = world.change_parameters(**values)[0]
            assert not answer.successful
            assert text in answer.reason
        world.send(0, *numbered_pair(0), gap_ns=200 * MS)
        world.spin_for(0.5)
        assert world.answers["fused"] == {}
        assert world.change_parameters(slop_s=0.5)[0].successful
        world.send(S, *numbered_pair(1), gap_ns=200 * MS)
        world.await_answer(S)


def test_two_nodes_in_two_namespaces(tmp_path, cameras):
    worlds = [cameras(namespace=name) for name in ("left", "right")]
    nodes = [NodeProcess(tmp_path, stub=[], ros=["-r", f"__ns:=/{name}"]) for name in ("left", "right")]
    with nodes[0], nodes[1]:
        for node, world in zip(nodes, worlds):
            node.ready()
            world.matched()
        for number, world in enumerate(worlds):
            for frame in range(5):
                world.send(frame * S, *numbered_pair(10 * number + frame))
                world.await_answer(frame * S)
        for number, world in enumerate(worlds):
            for frame in range(5):
                answer = world.answers["fused"][frame * S]
                assert stamp_of(answer) == frame * S
                assert (pixels_of(answer) == numbered_pair(10 * number + frame)[0]).all()


def test_an_engine_of_ones_own_needs_no_torch():
    code = "import mrfs_ros.ros.node, sys; print('torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (0, "False\n"), run.stderr


def test_help_names_the_parameters():
    run = subprocess.run([sys.executable, "-m", "mrfs_ros.ros.node_program", "--help"], capture_output=True, text=True)
    assert run.returncode == 0
    assert "--params-file" in run.stdout
    assert "slop_s" in run.stdout
