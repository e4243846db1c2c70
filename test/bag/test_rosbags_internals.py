"""Private names of rosbags: each is there, and one that went missing is named."""

from __future__ import annotations

import pytest
from bags import LAG_NS, PERIOD_NS, START_NS, STORE, pairs, write_bag, write_ros1_bag
from rosbags.rosbag1 import Reader as Reader1
from rosbags.rosbag2 import Reader, StoragePlugin, Writer

from mrfs_ros.bag import rosbags_internals
from mrfs_ros.bag.rosbags_internals import RELEASES, internal
from mrfs_ros.errors import MrfsError

COUNT = 3
LAST_NS = START_NS + (COUNT - 1) * PERIOD_NS + LAG_NS


@pytest.fixture(params=["mcap", "sqlite3", "ros1"])
def reader(request, tmp_path):
    if request.param == "ros1":
        opened = Reader1(write_ros1_bag(tmp_path / "drive.bag", COUNT))
    else:
        opened = Reader(write_bag(tmp_path / "drive", pairs(COUNT), storage=request.param))
    with opened:
        yield opened


def test_every_name_that_is_used_is_there(reader):
    (storage,) = rosbags_internals.storages_of(reader)
    file = rosbags_internals.file_of(storage)
    assert file.is_file()
    assert rosbags_internals.first_last_ns(storage) == (START_NS, LAST_NS)
    if rosbags_internals.is_ros1(storage):
        assert [len(times) for times in rosbags_internals.ros1_times(storage).values()] == [COUNT, COUNT]
    elif file.suffix == ".db3":
        found = rosbags_internals.database_of(storage).execute("SELECT count(*) FROM messages").fetchone()
        assert found == (2 * COUNT,)
    else:
        chunks = rosbags_internals.mcap_chunks(storage)
        assert sum(sum(chunk.channel_count.values()) for chunk in chunks) == 2 * COUNT
        assert rosbags_internals.mcap_file(storage).read is not None
        assert rosbags_internals.mcap_times(storage) == (START_NS, LAST_NS)


def test_what_is_flushed_can_be_read_before_the_end(tmp_path):
    with Writer(tmp_path / "drive", version=8, storage_plugin=StoragePlugin.MCAP) as writer:
        connection = writer.add_connection("/text", "std_msgs/msg/String", typestore=STORE)
        writer.write(connection, 1, b"a" * 1000)
        size = (tmp_path / "drive/drive.mcap").stat().st_size
        rosbags_internals.flush_mcap(writer)
        assert (tmp_path / "drive/drive.mcap").stat().st_size > size + 1000


@pytest.mark.parametrize("name", ["storage", "chunk", "close_chunk", "bio"])
def test_a_name_that_went_missing_is_told(name):
    class Old:
        pass

    with pytest.raises(MrfsError, match=rf"rosbags \S+: Old has no {name} any more: pip install 'rosbags>=0.11,<0.12'"):
        internal(Old(), name)


def test_setup_py_has_the_same_bounds(request):
    text = (request.config.rootpath / "setup.py").read_text()
    assert text.count(f'"rosbags{RELEASES}"') == text.count('"rosbags') == 2
