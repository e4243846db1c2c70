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
from make_bag import make_bag
from rosbags.highlevel import AnyReader
from rosbags.rosbag2 import Reader

ROOT = Path(__file__).resolve().parent.parent.parent


def run(*command: object, timeout: float = 120) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, *map(str, command)], capture_output=True, text=True, timeout=timeout)


def test_demo_answers_every_pair_under_its_stamp(tmp_path, tiny_weights):
    done = run(ROOT / "samples/demo.py", "--out", tmp_path, "--frames", 3, "--weights", tiny_weights)
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
    pairs = make_bag(tmp_path / "bag")
    assert len(pairs) == 12
    with Reader(tmp_path / "bag") as bag:
        topics = {c.topic: (c.msgtype, c.msgcount) for c in bag.connections}
    assert topics == dict.fromkeys(("/rgb/image", "/thermal/image"), ("sensor_msgs/msg/Image", 12))
    gaps = [thermal - rgb for _, rgb, thermal in pairs]
    assert all(2e6 <= gap <= 8e6 for gap in gaps)
    assert len(set(gaps)) > 1
    assert {b[1] - a[1] for a, b in pairwise(pairs)} == {10**8}


def test_what_is_played_is_recorded_byte_by_byte(tmp_path, ros):
    make_bag(tmp_path / "bag", frames=4)
    topics = ("/rgb/image", "/thermal/image")
    recorder = subprocess.Popen(
        [sys.executable, "-m", "mrfs_ros.ros.record", str(tmp_path / "copy"), *topics, "--count", "8"]
    )
    try:
        played = run("-m", "mrfs_ros.ros.play", tmp_path / "bag", "--wait-for-subscribers", 1, "--loop", 2, "--rate", 2)
        assert played.returncode == 0, played.stderr
        assert recorder.wait(30) == 0
    finally:
        recorder.kill()
        recorder.wait()

    def contents(path: Path) -> list[tuple[str, bytes]]:
        with Reader(path) as bag:
            return sorted((connection.topic, bytes(raw)) for connection, _, raw in bag.messages())

    assert contents(tmp_path / "copy") == sorted(2 * contents(tmp_path / "bag"))


@pytest.mark.parametrize(
    "program, content, text",
    [
        ("play", None, "is no rosbag2 that can be read"),
        ("play", "not: a bag", "is no rosbag2 that can be read"),
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
