"""Bags with types that cannot be read, or by other names: named with topic, type and what to do; never 'no images'."""

from __future__ import annotations

from pathlib import Path

import mcap.writer
import pytest
from bags import STORE, pairs, write_bag
from stub_engine import StubEngine

from mrfs_ros.bag.job import run_bag
from mrfs_ros.bag.reading.bag_reader import Bag
from mrfs_ros.bag.reading.codec import IMAGE
from mrfs_ros.bag.reading.foreign_images import is_foreign
from mrfs_ros.bag.settings import BagSettings
from mrfs_ros.cli.main import main
from mrfs_ros.errors import ConfigError

COUNT = 6


def write_mcap(path: Path, kinds: dict[str, tuple[str, str, str]], profile: str = "ros2") -> Path:
    """Pairs on two topics, then other topics: name to (type, schema encoding, message encoding)."""
    definition = STORE.generate_msgdef(IMAGE)[0].encode()
    with path.open("wb") as file:
        writer = mcap.writer.Writer(file)
        writer.start(profile)
        channels = {}
        for topic, (kind, encoding, message_encoding) in kinds.items():
            text = definition if encoding == "ros2msg" else b"\0"
            schema = writer.register_schema(kind, encoding, text)
            channels[topic] = writer.register_channel(topic, message_encoding, schema)
        for topic, log_ns, kind, content in pairs(COUNT, topics=tuple(kinds)[:2]):
            raw = bytes(STORE.serialize_cdr(content, kind)) if kinds[topic][1] == "ros2msg" else b"\1\2\3"
            writer.add_message(channels[topic], log_ns, raw, log_ns)
        writer.finish()
    return path


def run(path, tmp_path, **more):
    return run_bag(BagSettings(source=str(path), csv=str(tmp_path / "t.csv"), **more), StubEngine())


@pytest.mark.parametrize("whole", [True, False])
def test_types_by_their_short_names(tmp_path, whole):
    """``sensor_msgs/Image``, as some writers of mcap files say; also where the file has no index any more."""
    image = ("sensor_msgs/Image", "ros2msg", "cdr")
    path = write_mcap(tmp_path / "drive.mcap", {"/rgb/image": image, "/thermal/image": image})
    if not whole:
        path.write_bytes(path.read_bytes()[:-40])
    with Bag(path) as bag:
        assert {topic.channel.kind for topic in bag.topics.values()} == {IMAGE}
    assert run(path, tmp_path, out=str(tmp_path / "out"), copy=("all",)).answered == COUNT


@pytest.mark.parametrize(
    "kind, encoding, way",
    [
        (
            "ffmpeg_image_transport_msgs/msg/FFMPEGPacket",
            "ros2msg",
            "ros2 run image_transport republish --ros-args -p in_transport:=ffmpeg -p out_transport:=raw "
            "-r in/ffmpeg:=/thermal/image/x -r out:=/thermal/image, and record /thermal/image",
        ),
        ("theora_image_transport/msg/Packet", "ros2msg", "-p in_transport:=theora"),
        ("foxglove.CompressedImage", "protobuf", "foxglove's own schemas are not ROS's: record sensor_msgs/msg/Image"),
        ("foxglove.RawImage", "jsonschema", "or convert the bag to these"),
        ("foxglove.CompressedVideo", "protobuf", "foxglove's own schemas"),
        ("stereo_msgs/msg/DisparityImage", "ros2msg", "convert it to sensor_msgs/msg/Image or CompressedImage"),
    ],
)
@pytest.mark.parametrize("both", [False, True])
def test_types_that_cannot_be_read(tmp_path, kind, encoding, way, both):
    foreign = (kind, encoding, "cdr" if encoding == "ros2msg" else encoding.removesuffix("schema"))
    kinds = {"/rgb/image": ("sensor_msgs/msg/Image", "ros2msg", "cdr"), "/thermal/image/x": foreign}
    if both:
        kinds = {"/color/image/x": foreign, "/thermal/image/x": foreign}
    path = write_mcap(tmp_path / "drive.mcap", kinds)
    with pytest.raises(ConfigError) as error:
        run(path, tmp_path)
    text = str(error.value)
    assert text.startswith("no thermal images found; choose with --thermal-topic TOPIC")
    assert "topics of images in types that cannot be read: " in text and "at all" not in text
    assert f"/thermal/image/x ({kind}, {COUNT})" in text and way in text
    with pytest.raises(ConfigError, match=f"--thermal-topic /thermal/image/x: the bag has {kind} on it, no images"):
        run(path, tmp_path, thermal_topic="/thermal/image/x")


def test_a_bag_without_images_names_what_it_has(tmp_path):
    string = STORE.types["std_msgs/msg/String"](data="x")
    bag = write_bag(tmp_path / "drive", [("/chatter", 1, "std_msgs/msg/String", string)])
    with pytest.raises(ConfigError, match=r"no topic of images at all, but /chatter \(std_msgs/msg/String, 1\)"):
        run(bag, tmp_path)


def test_a_camera_in_a_bag_of_its_own_has_its_way(tmp_path):
    bag = write_bag(tmp_path / "rgb", [entry for entry in pairs(2) if "rgb" in entry[0]])
    with pytest.raises(ConfigError, match=r"if it was recorded into another bag, name both: mrfs bag RGB_BAG THERMAL_"):
        run(bag, tmp_path)


@pytest.mark.parametrize(
    "kind, foreign",
    [
        (IMAGE, False),
        ("sensor_msgs/msg/CameraInfo", False),
        ("tf2_msgs/msg/TFMessage", False),
        ("foxglove.FrameTransform", False),
        ("foxglove_msgs/msg/ImageAnnotations", False),
        ("visualization_msgs/msg/ImageMarker", False),
        ("foxglove_msgs/msg/CompressedVideo", True),
        ("px_msgs/msg/H264Frame", True),
    ],
)
def test_types_that_look_like_images(kind, foreign):
    assert is_foreign(kind) is foreign


@pytest.mark.parametrize(
    "rgb, thermal, text",
    [
        ("drive.mp4", "ir.MKV", "drive.mp4: is a video: "),
        ("clips", "clips", "clips: holds no images but videos (such as ir.avi): "),
    ],
)
def test_videos_are_named_with_the_way(tmp_path, capsys, rgb, thermal, text):
    (tmp_path / "clips").mkdir()
    for name in ("drive.mp4", "ir.MKV", "clips/ir.avi"):
        (tmp_path / name).write_bytes(b"\0")
    files = ("--rgb", f"{tmp_path}/{rgb}", "--thermal", f"{tmp_path}/{thermal}")
    assert main(["fuse", *files, "--out", f"{tmp_path}/out"]) == 2
    error = capsys.readouterr().err
    assert text in error and "ffmpeg -i VIDEO FOLDER/%06d.png, then mrfs fuse with both folders" in error
    assert main(["bag", f"{tmp_path}/drive.mp4", "--csv", f"{tmp_path}/t.csv"]) == 2
    assert "drive.mp4: is a video, no bag: make image files of it" in capsys.readouterr().err
