"""Which topics are the cameras: names as drivers give them."""

from __future__ import annotations

import pytest

from mrfs_ros.bag.cameras import find_cameras
from mrfs_ros.bag.codec import COMPRESSED, IMAGE
from mrfs_ros.bag.reading import Topic
from mrfs_ros.bag.salvage import Channel
from mrfs_ros.errors import ConfigError


def topics(*names: str, count: int = 10) -> dict[str, Topic]:
    """Image topics, compressed where the name says so; other types where it does not."""
    kinds = {name: COMPRESSED if name.endswith("compressed") else IMAGE for name in names}
    return {name: Topic(Channel(name, kind), count) for name, kind in kinds.items()}


@pytest.mark.parametrize(
    "rgb, thermal",
    [
        ("/rgb/image", "/thermal/image"),
        ("/camera/color/image_raw", "/boson/image_raw"),
        ("/camera/color/image_raw/compressed", "/flir_boson/image_raw/compressed"),
        ("/visible/image_raw", "/infrared/image_raw"),
        ("/cam/vis", "/cam/ir"),
        ("/robot1/rgb_camera/image_rect_color", "/robot1/lwir/image_rect"),
        ("/zed/left/image_rect_color", "/optris/thermal_image_view"),
    ],
)
def test_names_that_drivers_give(rgb, thermal):
    assert find_cameras(topics(thermal, rgb)) == (rgb, thermal)
    others = topics(rgb, thermal, "/mrfs/fused", "/mrfs/segmentation", "/camera/depth/image_rect_raw")
    assert find_cameras(others) == (rgb, thermal)


def test_raw_is_taken_before_compressed():
    both = topics("/rgb/image", "/rgb/image/compressed", "/thermal/image", "/thermal/image/compressed")
    assert find_cameras(both) == ("/rgb/image", "/thermal/image")


def test_a_topic_without_images_is_no_choice():
    there = topics("/rgb/image", "/thermal/image") | topics("/front_rgb/image", count=0)
    assert find_cameras(there) == ("/rgb/image", "/thermal/image")


def test_several_that_would_do_are_listed():
    there = topics("/front/rgb", "/rear/rgb", "/thermal")
    with pytest.raises(
        ConfigError, match="several topics could be rgb images: /front/rgb, /rear/rgb; choose with --rgb-t"
    ):
        find_cameras(there)
    assert find_cameras(there, rgb="/rear/rgb") == ("/rear/rgb", "/thermal")


def test_a_given_topic_frees_the_other():
    there = topics("/thermal_left", "/thermal_right", "/rgb")
    assert find_cameras(there, thermal="/thermal_right") == ("/rgb", "/thermal_right")


@pytest.mark.parametrize(
    "there, given, text",
    [
        ({}, {}, "no thermal images found.*the bag has no topic of images at all"),
        (topics("/rgb"), {}, "no thermal images found.*image topics of the bag: /rgb .Image, 10."),
        (topics("/thermal"), {}, "no rgb images found"),
        (topics("/rgb", "/thermal"), {"rgb": "/tf"}, "--rgb-topic /tf: the bag has no images on it"),
        (topics("/rgb", "/thermal"), {"rgb": "/rgb", "thermal": "/rgb"}, "both taken from /rgb"),
    ],
)
def test_what_cannot_be_chosen(there, given, text):
    with pytest.raises(ConfigError, match=text):
        find_cameras(there, **given)
