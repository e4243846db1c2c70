"""``~/debug/features`` over real DDS: sheets for whom subscribes, nothing for nobody, and no harm to the rest."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest
from harness import RELIABLE, NodeProcess, numbered_pair, pixels_of, stamp_of
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from mrfs_ros.config import NodeConfig
from mrfs_ros.engine.protocol import EngineInfo
from mrfs_ros.geometry.warp import make_warp
from mrfs_ros.preprocess import PairImages
from mrfs_ros.ros.feature_publisher import FeatureSheets
from mrfs_ros.types import MFNET

S = 10**9
LOADING = "loading the network a second time"


def subscribed(world) -> list[Image]:
    """The sheets that come from now on."""
    sheets: list[Image] = []
    world.create_subscription(Image, "mrfs/debug/features", sheets.append, RELIABLE)
    world.await_node()
    return sheets


def send_until(world, first: int, pair, condition) -> int:
    """Send ``pair`` with stamps of ``first``, ``first + 1``, ... seconds, each answered, until ``condition()``."""
    number = first
    while not condition():
        assert number < first + 600, "it never came true"
        world.send(number * S, *pair)
        world.await_answer(number * S)
        world.spin_for(0.05)
        number += 1
    return number


def nicenesses(pid: int) -> set[int]:
    """Of all threads of a process."""
    return {os.getpriority(os.PRIO_PROCESS, int(task.name)) for task in Path(f"/proc/{pid}/task").iterdir()}


def test_sheets_come_for_subscribers_only_and_a_stop_does_not_wait_for_one(tmp_path, cameras, tiny_weights, small_pair):
    from mrfs_ros.engine.load import load_model
    from mrfs_ros.studies.feature_maps import FeatureReader
    from mrfs_ros.studies.feature_sheet import feature_sheet

    world = cameras()
    parameters = {"weights": str(tiny_weights), "backend": "eager", "warmup_height": 96, "warmup_width": 128}
    with NodeProcess(tmp_path, features_rest_s=0.0, **parameters) as node:
        node.ready()
        world.matched()
        number = send_until(world, 0, small_pair, lambda: len(world.answers["fused"]) == 3)
        assert LOADING not in node.log()
        sheets = subscribed(world)
        begin = number
        number = send_until(world, number, small_pair, lambda: len(sheets) >= 2)
        assert node.log().count(LOADING) == 1
        assert len(nicenesses(node.process.pid)) == 2  # that of the sheets is higher
        large = numbered_pair(0, 240, 320)
        world.send(number * S, *large)
        world.await_answer(number * S)  # from here on its sheet is made
        code, seconds = node.end(signal.SIGINT)
        assert (code, seconds < 15) == (0, True)  # the sheet adds a second at most, a busy machine much more
        assert "Traceback" not in node.log() and "no sheet" not in node.log()
    reader = FeatureReader(load_model(tiny_weights), "cpu")
    expected = feature_sheet(*small_pair, *reader(*small_pair), reader.info)
    assert expected.shape == (2 * 26 + 3 * (26 + 237), 5 * 320 + 48, 3)
    for sheet in sheets:
        assert (sheet.encoding, sheet.header.frame_id) == ("rgb8", "rgb_frame")
        assert stamp_of(sheet) in [n * S for n in range(begin, number)]
        assert (pixels_of(sheet) == expected).all()
    assert stamp_of(sheets[0]) < stamp_of(sheets[1])


def test_an_engine_of_ones_own_has_no_sheets_and_says_so_once(tmp_path, cameras):
    world = cameras()
    with NodeProcess(tmp_path, stub=[]) as node:
        node.ready()
        world.matched()
        sheets = subscribed(world)
        send_until(world, 0, numbered_pair(0), lambda: len(world.answers["fused"]) == 5)
        node.wait_for("no ~/debug/features: the node was given an engine of its own, which shows no features")
        assert node.log().count("no ~/debug/features") == 1
        assert sheets == []
        assert "libtorch" not in Path(f"/proc/{node.process.pid}/maps").read_text()
        code, seconds = node.end(signal.SIGINT)
        assert (code, seconds < 2) == (0, True)


@pytest.fixture
def node(ros):
    """A node of this process that hears its own sheets."""
    from rclpy.node import Node

    made = Node("mrfs", namespace="features_test")
    made.heard = []
    made.create_subscription(Image, "mrfs/debug/features", made.heard.append, RELIABLE)
    yield made
    made.destroy_node()


@pytest.fixture
def sheets_of(ros, node):
    """Starts ``FeatureSheets`` on ``node``, and ends it with the test."""
    made = []

    def start(config: NodeConfig, sha256: str) -> FeatureSheets:
        info = EngineInfo("stub", "cpu", "mit_b0", MFNET, config.weights, sha256)
        made.append(FeatureSheets(node, lambda: config, info, loaded=True))
        made[-1].start()
        for _ in range(5):  # until its publisher and the listener know each other
            ros.spin_once(node, timeout_sec=0.1)
        return made[-1]

    yield start
    for sheets in made:
        sheets.stop()
        sheets.join(10)


@pytest.mark.parametrize(
    "weights, text",
    [
        ("exported.onnx", "exported.onnx: expected a weights file (.pth, .safetensors), got an exported one"),
        ("{tiny}", "has changed since it was loaded: clean up and configure the node"),
        ("gone.pth", "gone.pth: give the path of a .pth or .safetensors file"),
    ],
)
def test_without_a_plain_network_it_says_why_and_ends(sheets_of, tiny_weights, capfd, weights, text):
    sheets = sheets_of(NodeConfig(weights=weights.format(tiny=tiny_weights)), "0" * 64)
    sheets.offer(PairImages(*numbered_pair(0)), Header())
    sheets.join(20)
    assert not sheets.is_alive()
    sheets.offer(PairImages(*numbered_pair(0)), Header())  # nobody minds
    lines = [line for line in capfd.readouterr().err.splitlines() if "no ~/debug/features: " in line]
    assert len(lines) == 1
    assert text in lines[0]


def test_a_pair_that_cannot_be_drawn_is_told_and_the_next_one_is_drawn(ros, node, sheets_of, tiny_weights, capfd):
    from mrfs_ros.engine.load import load_model

    config = NodeConfig(weights=str(tiny_weights), features_rest_s=0.0)
    sheets = sheets_of(config, load_model(tiny_weights).sha256)
    rgb, thermal = numbered_pair(0)
    said = ""
    sheets.offer(PairImages(rgb, thermal[:40]), Header())
    for _ in range(200):
        said += capfd.readouterr().err
        if "for this pair: ImageError: rgb is 48x64 (HxW) but thermal is 40x64" in said:
            break
        ros.spin_once(node, timeout_sec=0.1)
    nothing_seen = make_warp(np.full((48, 64, 2), -9.0), (48, 64))
    sheets.offer(PairImages(rgb, thermal, nothing_seen), Header(frame_id="second"))
    for _ in range(200):
        if node.heard:
            break
        ros.spin_once(node, timeout_sec=0.1)
    assert [sheet.header.frame_id for sheet in node.heard] == ["second"]
    assert sheets.is_alive()
