"""Bags of every kind that is out there, whole and damaged."""

from __future__ import annotations

import os
import shutil
import sqlite3
import struct
from pathlib import Path

import mcap.writer
import numpy as np
import pytest
from bags import COMPRESSED, IMAGE, START_NS, STORE, TOPICS, images, pairs, write_bag, write_ros1_bag
from rosbags.rosbag1 import Writer as Writer1
from rosbags.typesys import Stores, get_typestore

from mrfs_ros.bag.reading.bag_reader import Bag
from mrfs_ros.bag.reading.codec import Codec
from mrfs_ros.errors import ConfigError

COUNT = 30


def read(path: Path, **limits) -> tuple[Bag, dict[str, list[tuple[int, bytes]]]]:
    codec = Codec()
    found: dict[str, list[tuple[int, bytes]]] = {}
    with Bag(path) as bag:
        for record in bag.messages(TOPICS, **limits):
            found.setdefault(record.channel.topic, []).append((record.log_ns, bytes(codec.cdr(record))))
    return bag, found


def expected(count: int = COUNT) -> dict[str, dict[int, np.ndarray]]:
    found: dict[str, dict[int, np.ndarray]] = {topic: {} for topic in TOPICS}
    for topic, stamp_ns, _, message in pairs(count):
        found[topic][stamp_ns] = message.data
    return found


def check_whole(path: Path, note: str = "") -> Bag:
    bag, found = read(path)
    assert bag.damage == []
    assert note in "".join(bag.notes) and bool(note) is bool(bag.notes), bag.notes
    for topic, pixels in expected().items():
        assert [log_ns for log_ns, _ in found[topic]] == list(pixels)
        for stamp_ns, image in images(found[topic]).items():
            assert (image.reshape(-1) == pixels[stamp_ns]).all()
        assert bag.topics[topic].count == COUNT
    assert (bag.start_ns, bag.end_ns) == (START_NS, START_NS + (COUNT - 1) * 10**8 + 4_000_000)
    return bag


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
@pytest.mark.parametrize("compression", ["none", "file", "message"])
def test_rosbag2(tmp_path, storage, compression):
    check_whole(write_bag(tmp_path / "bag", pairs(COUNT), storage=storage, compression=compression))


def test_mcap_with_compressed_chunks(tmp_path):
    check_whole(write_bag(tmp_path / "bag", pairs(COUNT), compression="storage"))


@pytest.mark.parametrize("storage, name", [("mcap", "bag.mcap"), ("sqlite3", "bag.db3")])
def test_bare_file(tmp_path, storage, name):
    check_whole(write_bag(tmp_path / "bag", pairs(COUNT), storage=storage) / name)


@pytest.mark.parametrize("compression", ["none", "bz2", "lz4"])
def test_ros1(tmp_path, compression):
    check_whole(write_ros1_bag(tmp_path / "drive.bag", COUNT, compression))


def write_mcap(path: Path, messages, compression=mcap.writer.CompressionType.ZSTD, chunk_size: int = 20_000) -> Path:
    """As recorders in C++ write it: several chunks, with checksums."""
    with path.open("wb") as file:
        writer = mcap.writer.Writer(file, compression=compression, chunk_size=chunk_size)
        writer.start("ros2")
        channels: dict[tuple[str, str], int] = {}
        for topic, log_ns, kind, message in messages:
            if (topic, kind) not in channels:
                schema = writer.register_schema(kind, "ros2msg", STORE.generate_msgdef(kind)[0].encode())
                channels[topic, kind] = writer.register_channel(topic, "cdr", schema)
            writer.add_message(channels[topic, kind], log_ns, bytes(STORE.serialize_cdr(message, kind)), log_ns)
        writer.finish()
    return path


@pytest.mark.parametrize("profile", ["", "ros1"])
def test_mcap_of_other_recorders(tmp_path, profile):
    """Without the profile that rosbag2 writes, and of ROS 1."""
    store = get_typestore(Stores.ROS1_NOETIC) if profile else STORE
    serialize = store.serialize_ros1 if profile else store.serialize_cdr
    with (tmp_path / "drive.mcap").open("wb") as file:
        writer = mcap.writer.Writer(file, compression=mcap.writer.CompressionType.ZSTD, chunk_size=20_000)
        writer.start(profile)
        text = store.generate_msgdef(IMAGE, ros_version=1 if profile else 2)[0].encode()
        name = "sensor_msgs/Image" if profile else IMAGE
        schema = writer.register_schema(name, "ros1msg" if profile else "ros2msg", text)
        channels = {topic: writer.register_channel(topic, "ros1" if profile else "cdr", schema) for topic in TOPICS}
        for topic, log_ns, kind, message in pairs(COUNT, store=store):
            writer.add_message(channels[topic], log_ns, bytes(serialize(message, kind)), log_ns)
        writer.finish()
    check_whole(tmp_path / "drive.mcap", "Profile is not ros2")


def split_bag(folder: Path, parts: int = 12) -> Path:
    """A bag of several files without metadata.yaml, as a robot without power leaves it, named drive_0 to drive_11."""
    folder.mkdir()
    for part in range(parts):
        write_bag(folder.parent / f"part{part}", pairs(COUNT // parts, first=part * COUNT // parts))
        shutil.move(folder.parent / f"part{part}/part{part}.mcap", folder / f"drive_{part}.mcap")
    return folder


def test_split_bag_without_metadata_is_read_in_the_order_of_numbers(tmp_path):
    bag, found = read(split_bag(tmp_path / "bag", 15))
    assert [log_ns for log_ns, _ in found[TOPICS[0]]] == list(expected()[TOPICS[0]])
    assert any("metadata.yaml is missing" in line for line in bag.notes)
    assert not bag.damage


def test_split_bag_as_rosbag2_writes_it(tmp_path):
    """Two files and one metadata.yaml that names both."""
    for part in range(2):
        write_bag(tmp_path / f"bag_{part}", pairs(COUNT // 2, first=part * COUNT // 2))
    bag = tmp_path / "bag_0"
    shutil.move(tmp_path / "bag_1/bag_1.mcap", bag)
    text = (bag / "metadata.yaml").read_text()
    text = text.replace("- bag_0.mcap\n", "- bag_0.mcap\n  - bag_1.mcap\n", 1)
    text = text.replace("message_count: 15", "message_count: 30").replace(
        "message_count: 30\n", "message_count: 60\n", 1
    )
    duration = f"nanoseconds: {(COUNT - 1) * 10**8 + 4_000_000}"
    (bag / "metadata.yaml").write_text(text.replace("nanoseconds: 1404000000", duration))
    _, found = read(bag)
    assert [log_ns for log_ns, _ in found[TOPICS[1]]] == list(expected()[TOPICS[1]])


def test_time_range_is_from_start_to_before_stop(tmp_path):
    for path in (write_bag(tmp_path / "bag", pairs(COUNT)), write_ros1_bag(tmp_path / "drive.bag", COUNT)):
        _, found = read(path, start_ns=START_NS + 3 * 10**8, stop_ns=START_NS + 5 * 10**8)
        assert [log_ns - START_NS for log_ns, _ in found[TOPICS[0]]] == [3 * 10**8, 4 * 10**8]


def cut(path: Path, part: float) -> Path:
    with path.open("r+b") as file:
        file.truncate(int(path.stat().st_size * part))
    return path


def overwrite(path: Path, part: float, length: int = 5000) -> Path:
    with path.open("r+b") as file:
        file.seek(int(path.stat().st_size * part))
        file.write(b"\xa5" * length)
    return path


def storage_of(path: Path) -> Path:
    return next(path.glob("*.mcap")) if path.is_dir() else path


def big_enough(storage: str, tmp_path: Path, count: int = 60) -> Path:
    """A bag of several chunks: 60 pairs of 96x128."""
    bag = write_bag(tmp_path / "bag", pairs(count, size=(96, 128)), storage=storage)
    return bag / ("bag.mcap" if storage == "mcap" else "bag.db3")


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
@pytest.mark.parametrize("whole_folder", [True, False])
def test_a_bag_that_is_cut_off_gives_what_is_there(tmp_path, storage, whole_folder):
    file = cut(big_enough(storage, tmp_path), 0.6)
    bag, found = read(file.parent if whole_folder else file)
    assert 20 <= len(found[TOPICS[0]]) <= 37
    assert [log_ns for log_ns, _ in found[TOPICS[0]]] == list(expected(60)[TOPICS[0]])[: len(found[TOPICS[0]])]
    assert bag.damage
    if whole_folder:
        lost = 120 - sum(map(len, found.values()))
        assert any(f"{lost} of 120 messages" in line for line in bag.damage), bag.damage


def test_a_bad_chunk_is_left_out_and_the_rest_read(tmp_path):
    file = write_bag(tmp_path / "bag", pairs(60, size=(96, 128)), compression="storage") / "bag.mcap"
    overwrite(file, 0.5, 300)
    bag, found = read(file.parent)
    stamps = [log_ns for log_ns, _ in found[TOPICS[0]]]
    assert 20 <= len(stamps) < 60
    assert stamps == sorted(set(stamps))  # nothing twice
    assert stamps[-1] == START_NS + 59 * 10**8  # on to the end
    assert any("1 chunks are damaged" in line for line in bag.damage), bag.damage


def test_a_ros1_bag_that_was_never_closed(tmp_path):
    file = write_ros1_bag(tmp_path / "drive.bag", 150)  # chunks of a megabyte
    whole = file.stat().st_size
    active = file.rename(tmp_path / "drive.bag.active")
    cut(active, 0.7)
    bag, found = read(active)
    assert 50 <= len(found[TOPICS[0]]) < 150
    assert any(f"of {int(whole * 0.7)} bytes" in line for line in bag.damage), bag.damage


def test_sqlite_without_metadata(tmp_path):
    path = write_bag(tmp_path / "bag", pairs(COUNT), storage="sqlite3")
    (path / "metadata.yaml").unlink()
    check_whole(path, "metadata.yaml is missing")


@pytest.mark.parametrize("content", [b"", b"nonsense" * 100])
@pytest.mark.parametrize("name", ["a.mcap", "a.db3", "a.bag"])
def test_a_file_of_nonsense_is_damage_not_an_end(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    bag, found = read(tmp_path / name)
    assert not found and bag.topics == {} and bag.damage


def test_what_is_no_bag(tmp_path):
    with pytest.raises(ConfigError, match="nowhere: no such bag"):
        Bag(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="is no bag: expected a rosbag2 folder"):
        Bag(tmp_path)
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(ConfigError, match=r"is no bag: expected .* or \.bag"):
        Bag(tmp_path / "a.txt")
    drive = write_bag(tmp_path / "drive", pairs(1))
    with pytest.raises(ConfigError, match="is no bag, but holds drive: name one of these"):
        Bag(tmp_path)
    with pytest.raises(ConfigError, match=f"is part of a bag: name its folder, {drive}"):
        Bag(drive / "metadata.yaml")


@pytest.mark.parametrize("indexed", [True, False])
def test_hidden_files_are_no_part_of_a_bag(tmp_path, indexed):
    """macOS leaves ._NAME beside each file that it copies."""
    path = write_bag(tmp_path / "drive", pairs(2))
    (path / "._drive.mcap").write_bytes(b"\x00\x05\x16\x07")
    if not indexed:
        (path / "metadata.yaml").unlink()
    bag, found = read(path)
    assert ({topic: len(content) for topic, content in found.items()}, bag.damage) == (dict.fromkeys(TOPICS, 2), [])


def test_a_database_that_is_no_bag(tmp_path):
    with sqlite3.connect(tmp_path / "a.db3") as database:
        database.execute("CREATE TABLE numbers (id INTEGER)")
    bag, found = read(tmp_path / "a.db3")
    assert not found and any("no such table: topics" in line for line in bag.damage)


def test_an_empty_bag(tmp_path):
    bag, found = read(write_bag(tmp_path / "bag", []))
    assert (found, bag.topics, bag.start_ns, bag.end_ns, bag.damage) == ({}, {}, 0, 0, [])


def small_ros1_chunks(path: Path, compression: str = "none", count: int = COUNT) -> Path:
    """A ROS 1 bag whose first chunk is one of many."""
    store = get_typestore(Stores.ROS1_NOETIC)
    writer = Writer1(path)
    writer.chunk_threshold = 30_000
    if compression != "none":
        writer.set_compression(Writer1.CompressionFormat[compression.upper()])
    with writer:
        connections = {}
        for topic, log_ns, kind, content in pairs(count, store=store):
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=store)
            writer.write(connections[topic], log_ns, store.serialize_ros1(content, kind))
    return path


def flip(path: Path, position: int, bits: int = 1) -> Path:
    content = bytearray(path.read_bytes())
    content[position] ^= bits
    path.write_bytes(content)
    return path


def put(path: Path, position: int, content: bytes) -> Path:
    with path.open("r+b") as file:
        file.seek(position)
        file.write(content)
    return path


def check_part(path: Path, least: int, **limits) -> Bag:
    """Most of the bag comes, nothing twice, and the loss is told."""
    bag, found = read(path, **limits)
    for topic in TOPICS:
        stamps = [log_ns for log_ns, _ in found[topic]]
        assert least <= len(stamps) <= COUNT
        assert len(set(stamps)) == len(stamps) and set(stamps) <= set(expected()[topic])
    assert sum(map(len, found.values())) < 2 * COUNT
    assert bag.damage
    return bag


def test_the_first_chunk_of_an_mcap_is_damaged(tmp_path):
    """It alone names the topics, but the end of the file does so too."""
    path = write_mcap(tmp_path / "drive.mcap", pairs(COUNT))
    bag = check_part(flip(path, 5000), COUNT - 8)
    assert any("1 chunks are damaged" in line for line in bag.damage), bag.damage


@pytest.mark.parametrize("compression", ["none", "bz2", "lz4"])
def test_the_first_chunk_of_a_ros1_bag_is_damaged(tmp_path, compression):
    path = small_ros1_chunks(tmp_path / "drive.bag", compression)
    start = path.read_bytes().find(b"op=\x05")
    check_part(put(path, start + 60, bytes(12_000)), COUNT - 8)


def test_messages_of_topics_that_nothing_names(tmp_path):
    path = write_mcap(tmp_path / "drive.mcap", pairs(COUNT))
    flip(path, 5000)
    cut(path, 0.9)  # the names at the end are gone too
    bag, found = read(path)
    assert not found and any("messages of unknown topics" in line for line in bag.damage), bag.damage


def test_a_damaged_record_between_chunks(tmp_path):
    """The length of the second chunk is wrong: the index says where the third is."""
    path = write_mcap(tmp_path / "drive.mcap", pairs(COUNT))
    content = path.read_bytes()
    second = content.find(b"zstd", content.find(b"zstd") + 4) - 41
    assert content[second] == 6
    flip(path, second + 3, 0x40)
    with Bag(path) as bag:
        bag._reader = None  # as if the index could not be used
        found = [record.log_ns for record in bag.messages(TOPICS)]
    assert 2 * COUNT - 16 <= len(found) < 2 * COUNT


def test_damage_within_a_chunk_without_checksum(tmp_path):
    """Messages after it are found again by the index of the chunk."""
    path = write_bag(tmp_path / "bag", pairs(COUNT)) / "bag.mcap"
    (tmp_path / "bag/metadata.yaml").unlink()
    put(path, 60_000, bytes(10_000))
    bag = check_part(tmp_path / "bag", COUNT - 3)
    assert any("chunks are damaged in part" in line for line in bag.damage), bag.damage


@pytest.mark.parametrize("word", [b"/rgb/image", b"sensor_msgs/msg/Image"])
def test_a_database_with_names_that_are_no_text(tmp_path, word):
    path = write_bag(tmp_path / "bag", pairs(COUNT), storage="sqlite3") / "bag.db3"
    path.write_bytes(path.read_bytes().replace(word, b"\xff" + word[1:]))
    with Bag(path) as bag:
        assert sum(1 for _ in bag.messages(bag.topics)) == 2 * COUNT
    assert "no index that can be used" in bag.notes[0]


@pytest.mark.parametrize("limits", [{}, {"start_ns": START_NS, "stop_ns": START_NS + COUNT * 10**8}])
@pytest.mark.parametrize("storage, position", [("mcap", 60_000), ("sqlite3", 60_000)])
def test_messages_that_the_index_does_not_lead_to_are_missed(tmp_path, storage, position, limits):
    """Zeros over a message: the file is read to its end without an error."""
    path = write_bag(tmp_path / "bag", pairs(COUNT), storage=storage)
    put(next(file for file in path.iterdir() if file.suffix != ".yaml"), position, bytes(10_000))
    bag = check_part(path, COUNT - 3, **limits)
    assert any("of 60 messages" in line for line in bag.damage), bag.damage


def test_messages_that_are_missed_in_a_part_of_the_bag(tmp_path):
    path = write_bag(tmp_path / "bag", pairs(COUNT)) / "bag.mcap"
    put(path, 60_000, bytes(10_000))
    bag, found = read(path, start_ns=START_NS + 10**8, stop_ns=START_NS + 10 * 10**8)
    assert 16 <= sum(map(len, found.values())) < 18
    assert any("of 18 messages" in line for line in bag.damage), bag.damage


def summary_of(path: Path) -> range:
    content = path.read_bytes()
    return range(struct.unpack_from("<Q", content, len(content) - 28)[0], len(content))


@pytest.mark.parametrize("checksum", [True, False])
def test_a_damaged_index_loses_nothing(tmp_path, checksum):
    """The chunks themselves are whole."""
    path = write_mcap(tmp_path / "drive.mcap", pairs(12, size=(32, 40)))
    whole = path.read_bytes()
    if not checksum:
        whole = whole[:-12] + bytes(4) + whole[-8:]
    for position in summary_of(path)[::17]:
        path.write_bytes(whole)
        flip(path, position, 1 << position % 8)
        bag, found = read(path)
        told = bag.damage or set(bag.topics) != set(TOPICS)
        assert told or [len(found[topic]) for topic in TOPICS] == [12, 12], position


def test_a_wrong_time_in_the_index_of_chunks(tmp_path):
    path = write_mcap(tmp_path / "drive.mcap", pairs(COUNT))
    content = path.read_bytes()
    stamp = struct.pack("<Q", START_NS)
    flip(path, content.rfind(stamp, 0, content.rfind(b"zstd")) + 5, 0x20)
    bag, found = read(path)
    assert [len(found[topic]) for topic in TOPICS] == [COUNT, COUNT]
    assert "its checksum is wrong" in bag.notes[0]


@pytest.mark.parametrize("field", [b"chunk_count=", b"conn_count="])
def test_a_ros1_bag_that_names_too_few(tmp_path, field):
    path = small_ros1_chunks(tmp_path / "drive.bag")
    position = path.read_bytes().find(field) + len(field)
    put(path, position, b"\x01")
    check_whole(path, "no index that can be used")


def test_a_ros1_bag_with_a_wrong_index(tmp_path):
    """A message in the index belongs to the other topic."""
    path = small_ros1_chunks(tmp_path / "drive.bag")
    content = path.read_bytes()
    put(path, content.find(b"conn=", content.find(b"op=\x04")) + 5, b"\x01")
    check_whole(path, "no index that can be used")


def test_metadata_that_names_another_topic(tmp_path):
    path = write_bag(tmp_path / "bag", pairs(COUNT))
    text = (path / "metadata.yaml").read_text()
    (path / "metadata.yaml").write_text(text.replace("/rgb/image", "/rgb/imagf"))
    check_whole(path, "metadata.yaml does not name /rgb/image as the file does")


def test_metadata_with_wrong_times(tmp_path):
    path = write_bag(tmp_path / "bag", pairs(COUNT))
    text = (path / "metadata.yaml").read_text()
    duration = str((COUNT - 1) * 10**8 + 4_000_000)
    assert duration in text
    (path / "metadata.yaml").write_text(text.replace(duration, "1" + duration[1:-3]))
    check_whole(path)


def test_metadata_that_promises_more(tmp_path):
    path = write_bag(tmp_path / "bag", pairs(COUNT))
    text = (path / "metadata.yaml").read_text()
    (path / "metadata.yaml").write_text(text.replace("message_count: 30", "message_count: 34", 1))
    bag, found = read(path)
    assert [len(found[topic]) for topic in TOPICS] == [COUNT, COUNT]
    assert any("4 of 64 messages (/rgb/image: 4 of 34) are lost" in line for line in bag.damage), bag.damage


def test_nothing_twice_where_times_are_equal(tmp_path):
    messages = [(topic, START_NS, kind, message) for topic, _, kind, message in pairs(COUNT)]
    path = write_mcap(tmp_path / "drive.mcap", messages)
    whole, _ = read(path)
    position = path.read_bytes().find(b"zstd", 30_000) + 300
    flip(path, position)
    bag, found = read(path)
    assert not whole.damage and bag.damage
    assert 2 * COUNT - 8 <= sum(map(len, found.values())) < 2 * COUNT
    for messages in found.values():
        assert len({raw for _, raw in messages}) == len(messages)


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_files_compressed_as_a_whole_without_metadata(tmp_path, storage):
    path = write_bag(tmp_path / "bag", pairs(COUNT), storage=storage, compression="file")
    (path / "metadata.yaml").unlink()
    check_whole(path, "metadata.yaml is missing")
    check_whole(next(path.iterdir()), "no index that can be used")


@pytest.mark.parametrize("metadata", [True, False])
def test_a_cut_file_that_is_compressed_as_a_whole(tmp_path, metadata, monkeypatch):
    path = write_bag(tmp_path / "bag", pairs(200), compression="file")
    if not metadata:
        (path / "metadata.yaml").unlink()
    cut(next(path.glob("*.zstd")), 0.7)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    bag, found = read(path)
    assert 50 <= len(found[TOPICS[0]]) < 200
    assert any("compressed file is cut off" in line for line in bag.damage), bag.damage
    assert not list((tmp_path / "tmp").iterdir())


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_messages_that_are_compressed_without_metadata(tmp_path, storage):
    path = write_bag(tmp_path / "bag", pairs(COUNT), storage=storage, compression="message")
    (path / "metadata.yaml").unlink()
    check_whole(path, "metadata.yaml is missing")
    check_whole(next(path.iterdir()))


@pytest.mark.parametrize("index", [True, False])
def test_two_types_on_one_topic(tmp_path, index):
    pngs = list(pairs(5, coding="png"))
    path = write_mcap(tmp_path / "drive.mcap", [*pairs(COUNT), *pngs])
    if not index:
        flip(path, path.stat().st_size - 60)
    with Bag(path) as bag:
        records = list(bag.messages(TOPICS))
        assert bag.topics[TOPICS[0]].channel.kind == IMAGE and bag.topics[TOPICS[0]].count == COUNT + 5
    assert not bag.damage
    assert any(f"several types: {IMAGE}, and fewer of {COMPRESSED}" in line for line in bag.notes), bag.notes
    codec = Codec()
    kinds = [type(codec.message(record)).__name__.split("__")[-1] for record in records]
    assert (kinds.count("Image"), kinds.count("CompressedImage")) == (2 * COUNT, 10)


def test_a_pipe_is_no_bag(tmp_path):
    os.mkfifo(tmp_path / "a.mcap")
    with pytest.raises(ConfigError, match="is no bag"):
        Bag(tmp_path / "a.mcap")
    with pytest.raises(ConfigError, match="is no bag"):
        Bag(tmp_path)


def test_a_topic_that_is_not_of_ros(tmp_path):
    path = tmp_path / "drive.mcap"
    with path.open("wb") as file:
        writer = mcap.writer.Writer(file)
        writer.start("ros2")
        schema = writer.register_schema(IMAGE, "ros2msg", STORE.generate_msgdef(IMAGE)[0].encode())
        other = writer.register_channel("/other", "protobuf", writer.register_schema("Other", "protobuf", b"\0\xff"))
        channels = {topic: writer.register_channel(topic, "cdr", schema) for topic in TOPICS}
        for topic, log_ns, kind, message in pairs(COUNT):
            writer.add_message(channels[topic], log_ns, bytes(STORE.serialize_cdr(message, kind)), log_ns)
            writer.add_message(other, log_ns + 1, b"\1\2", log_ns)
        writer.finish()
    bag, found = read(path)
    assert [len(found[topic]) for topic in TOPICS] == [COUNT, COUNT]
    assert not bag.damage and "some of its topics are not of ROS but protobuf" in bag.notes[0]


@pytest.mark.parametrize("field", ["number", "topic"])
def test_an_mcap_whose_end_names_other_topics(tmp_path, field):
    """Without a checksum: the messages know better."""
    path = write_bag(tmp_path / "bag", pairs(COUNT)) / "bag.mcap"
    at = path.read_bytes().rfind(b"/rgb/image")
    put(path, at - 8, b"\x09") if field == "number" else put(path, at + 9, b"f")
    check_whole(path, "it does not name")


def test_a_ros1_bag_whose_end_names_other_topics(tmp_path):
    path = write_ros1_bag(tmp_path / "drive.bag", COUNT)
    content = path.read_bytes()
    start = content.find(b"index_pos=") + 10
    put(path, content.find(b"/rgb/image", struct.unpack_from("<Q", content, start)[0]) + 9, b"f")
    check_whole(path, "it does not name /rgb/image as the messages do")


def test_metadata_with_a_count_that_is_no_number(tmp_path):
    path = write_bag(tmp_path / "bag", pairs(COUNT))
    text = (path / "metadata.yaml").read_text()
    (path / "metadata.yaml").write_text(text.replace("message_count: 30", "message_count: 3x", 1))
    check_whole(path, "metadata.yaml does not say how many")


@pytest.mark.parametrize("position", [-8, -16])
def test_a_chunk_whose_size_is_wrong_in_the_index(tmp_path, position):
    """Compressed and plain size are the last two fields of its entry."""
    path = write_bag(tmp_path / "bag", pairs(COUNT)) / "bag.mcap"
    content = path.read_bytes()
    plain = content[content.find(b"\x06") + 25 :][:8]
    at = content.rfind(plain * 2)
    assert at > 0
    flip(path, at + 16 + position + 1, 0x10)
    check_whole(path, "names chunks that are not there")


def test_a_file_compressed_as_a_whole_gives_what_lies_before_the_damage(tmp_path):
    path = write_bag(tmp_path / "bag", pairs(200), storage="mcap", compression="file")
    file = next(path.glob("*.zstd"))
    overwrite(file, 0.7, 500)
    bag, found = read(path)
    assert 50 <= len(found[TOPICS[0]]) < 200
    assert any("compressed file is damaged" in line for line in bag.damage), bag.damage
