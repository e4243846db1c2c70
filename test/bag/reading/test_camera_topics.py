"""Which topics are the cameras: names as drivers give them."""

from __future__ import annotations

import numpy as np
import pytest
from bags import message, numbered, write_bag

from mrfs_ros.bag.reading.bag_reader import Bag, Topic
from mrfs_ros.bag.reading.camera_topics import encoding_reader, find_cameras
from mrfs_ros.bag.reading.codec import COMPRESSED, IMAGE, Codec
from mrfs_ros.bag.reading.salvage import Channel
from mrfs_ros.errors import ConfigError


def topics(*names: str, count: int = 10) -> dict[str, Topic]:
    """Image topics, compressed where the name says so; other types where it does not."""
    kinds = {name: COMPRESSED if name.endswith(("compressed", "compressedDepth")) else IMAGE for name in names}
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


@pytest.mark.parametrize(
    "infrared",
    [
        "/camera/infra1/image_rect_raw", "/camera/camera/infra2/image_rect_raw", "/camera/ir/left/image_raw",
        "/camera/left_ir/image_raw", "/zed/nir/image", "/camera/infra_1/image", "/orbbec/ir_right/image",
    ],
)  # fmt: skip
def test_near_infrared_is_not_thermal(infrared):
    """Whatever it is called, and whatever the thermal camera is not: 16 bits or floats decide."""
    rgb, counts = "/camera/color/image_raw", "/p2pro/image_raw"
    for deep in ("16UC1", "mono16", "16SC1", "32FC1"):
        encodings = {rgb: "rgb8", infrared: "mono8", counts: deep, "/camera/depth/image_raw": "16UC1"}
        assert find_cameras(topics(*encodings), encoding_of=encodings.get) == (rgb, counts)
    with pytest.raises(ConfigError, match="no thermal images found; choose with --thermal-topic"):
        find_cameras(topics(rgb, infrared), encoding_of=lambda _: "mono8")
    assert find_cameras(topics(rgb, infrared, "/flir/image_raw")) == (rgb, "/flir/image_raw")


@pytest.mark.parametrize("infrared", ["/camera/infra/image_raw", "/camera/ir/image_raw"])
def test_where_only_ir_is_named_encodings_decide(infrared):
    rgb = "/camera/color/image_raw"
    encodings = {rgb: "rgb8", infrared: "mono8", "/p2pro/image_raw": "16UC1"}
    assert find_cameras(topics(*encodings), encoding_of=encodings.get) == (rgb, "/p2pro/image_raw")
    encodings["/p2pro/image_raw"] = "rgb8"
    assert find_cameras(topics(*encodings), encoding_of=encodings.get) == (rgb, infrared)
    two = {rgb: "rgb8", infrared: "mono16", "/p2pro/image_raw": "16UC1"}
    with pytest.raises(ConfigError, match="several topics could be thermal images"):
        find_cameras(topics(*two), encoding_of=two.get)


def test_of_two_that_are_named_thermal_the_deep_one_is_taken():
    encodings = {"/rgb": "mono16", "/thermal/image_8bit": "mono8", "/thermal/image_raw": "16UC1"}
    assert find_cameras(topics(*encodings), encoding_of=encodings.get) == ("/rgb", "/thermal/image_raw")


def test_distances_and_visible_cameras_of_16_bits_are_not_thermal():
    encodings = {
        "/visible/image": "mono16", "/oak/stereo/image_raw": "16UC1", "/camera/depth/image": "32FC1",
        "/boson640/image/compressedDepth": "16UC1",
    }  # fmt: skip
    there = topics(*encodings)
    assert find_cameras(there, encoding_of=encodings.get) == ("/visible/image", "/boson640/image/compressedDepth")
    del there["/boson640/image/compressedDepth"]
    with pytest.raises(ConfigError, match="no thermal images found"):
        find_cameras(there, encoding_of=encodings.get)


def test_encodings_are_read_from_the_first_message(tmp_path):
    deep = np.arange(48 * 64, dtype=np.uint16).reshape(48, 64)
    kind, counts = message(deep.astype(np.uint8), 5, "t")
    counts.encoding, counts.step, counts.data = "16UC1", 128, deep.view(np.uint8).reshape(-1)
    encoded = message(numbered(0)[0], 5, "c", coding="jpeg")
    encoded[1].format = "rgb8; jpeg compressed bgr8"
    path = write_bag(tmp_path / "bag", [("/a", 1, kind, counts), ("/b/compressed", 2, *encoded)])
    with Bag(path) as bag:
        encoding_of = encoding_reader(bag, Codec())
        assert [encoding_of(topic) for topic in ("/a", "/b/compressed", "/none")] == ["16UC1", "rgb8", ""]


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


def test_the_only_other_topic_is_rgb_where_encodings_tell_thermal():
    encodings = {"/cam0/image_raw": "bgr8", "/cam1/image_raw": "mono16"}
    assert find_cameras(topics(*encodings), encoding_of=encodings.get) == ("/cam0/image_raw", "/cam1/image_raw")
    for other in ("/zed/nir/image", "/camera/depth/image", "/mrfs/segmentation", "/lepton/image_8bit"):
        encodings = {other: "mono8", "/cam1/image_raw": "mono16"}
        with pytest.raises(ConfigError, match=r"no (rgb|thermal) images found"):
            find_cameras(topics(*encodings), encoding_of=encodings.get)
    encodings = {"/cam0/image": "bgr8", "/cam2/image": "bgr8", "/cam1/image": "mono16"}
    with pytest.raises(ConfigError, match="no rgb images found"):
        find_cameras(topics(*encodings), encoding_of=encodings.get)
