"""Frames of a bag's cameras as arrays, paired or one by one."""

from __future__ import annotations

import numpy as np
import pytest
from bags import LAG_NS, PERIOD_NS, START_NS, message, numbered, pairs, write_bag

from mrfs_ros.bag.reading.camera_frames import CameraFrames, FrameSettings
from mrfs_ros.config import NodeConfig
from mrfs_ros.errors import ConfigError

SETTINGS = {"node": NodeConfig(slop_s=0.03)}


@pytest.fixture
def bag(tmp_path):
    return write_bag(tmp_path / "drive", pairs(8))


def test_pairs(bag):
    with CameraFrames(bag, FrameSettings(**SETTINGS)) as frames:
        found = list(frames.pairs(3, 2))
    assert len(found) == 3
    for i, (rgb, thermal) in zip((0, 2, 4), found):
        assert (rgb == numbered(i)[0]).all() and (thermal == numbered(i)[1]).all()


def test_sizes_may_differ_and_bad_images_are_skipped(tmp_path):
    messages = []
    for i in range(4):
        stamp = START_NS + i * PERIOD_NS
        rgb, thermal = np.full((60, 80, 3), i, np.uint8), np.full((48, 64), i, np.uint8)
        messages.append(("/rgb/image", stamp, *message(rgb, stamp, "c")))
        kind, content = message(thermal, stamp, "c")
        content.encoding = "64FC1" if i == 1 else "mono8"
        messages.append(("/thermal/image", stamp, kind, content))
    with CameraFrames(write_bag(tmp_path / "b", messages), FrameSettings(**SETTINGS)) as frames:
        found = list(frames.pairs(10, 1))
        assert [int(thermal[0, 0]) for _, thermal in found] == [0, 2, 3]
        assert found[0][0].shape[:2] != found[0][1].shape
        assert frames.skipped == {"thermal_encoding": 1} and "64FC1" in frames.examples["thermal_encoding"]


def test_single_frames_with_their_stamps(bag):
    with CameraFrames(bag, FrameSettings(**SETTINGS, begin_s=0.3, end_s=0.55)) as frames:
        found = [(camera, stamp) for camera, stamp, _ in frames.frames()]
    assert found == [(camera, START_NS + i * PERIOD_NS + camera * LAG_NS) for i in (3, 4, 5) for camera in (0, 1)]


def test_the_clocks_offset_goes_into_pairing(tmp_path):
    late = [
        (topic, log, kind, message(content.data.reshape(48, 64, -1).squeeze(), log + 50_000_000, "c")[1])
        if topic == "/thermal/image"
        else (topic, log, kind, content)
        for topic, log, kind, content in pairs(3)
    ]
    bag = write_bag(tmp_path / "late", late)
    for offset_s, count in ((0.0, 0), (-0.05, 3)):
        with CameraFrames(bag, FrameSettings(node=NodeConfig(slop_s=0.03, thermal_time_offset_s=offset_s))) as frames:
            assert len(list(frames.pairs(10, 1))) == count


@pytest.mark.parametrize("times", [{"begin_s": 5.0}, {"begin_s": 0.5, "end_s": 0.4}])
def test_times_that_are_none(bag, times):
    with pytest.raises(ConfigError, match=r"--start|--end"):
        CameraFrames(bag, FrameSettings(**SETTINGS, **times))
