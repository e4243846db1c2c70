"""Bags of sqlite3 recorders that were killed: what lies in the write-ahead log is read, or its loss is told."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest
from bags import START_NS, TOPICS, pairs, write_bag
from stub_engine import StubEngine

from mrfs_ros.bag.job import run_bag
from mrfs_ros.bag.reading.bag_reader import Bag, files_of
from mrfs_ros.bag.settings import BagSettings
from mrfs_ros.fleet import remote_files
from mrfs_ros.fleet.find_bags import find_bags

COUNT = 12
MESSAGES = 2 * COUNT


def killed(tmp_path: Path, kept: int, *, unfinished: int = 0, storage: str = "sqlite3") -> Path:
    """A bag folder as the kill of its recorder leaves it: ``kept`` messages in the database, the others in its log.

    ``unfinished``: so many of these are in a transaction that never ended.
    """
    source = next(write_bag(tmp_path / "source", pairs(COUNT), storage=storage).glob("*.db3"))
    live = tmp_path / "live/drive_0.db3"
    live.parent.mkdir()
    old, new = sqlite3.connect(source), sqlite3.connect(live)
    new.execute("PRAGMA journal_mode=WAL")
    new.execute("PRAGMA wal_autocheckpoint=0")
    new.execute("PRAGMA cache_size=2")  # pages of an unfinished transaction go to the log too
    for (statement,) in old.execute(
        "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"
    ).fetchall():
        new.execute(statement)
    for (table,) in old.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name != 'messages'"
    ).fetchall():
        insert(new, table, old.execute(f"SELECT * FROM {table}").fetchall())
    rows = old.execute("SELECT * FROM messages ORDER BY id").fetchall()
    insert(new, "messages", rows[:kept])
    if kept:
        new.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    insert(new, "messages", rows[kept : MESSAGES - unfinished])
    insert(new, "messages", rows[MESSAGES - unfinished :], commit=False)
    bag = tmp_path / "drive"
    shutil.copytree(live.parent, bag)
    new.close()
    old.close()
    return bag


def insert(database, table: str, rows: list, commit: bool = True) -> None:
    for row in rows:
        database.execute(f"INSERT INTO {table} VALUES ({','.join('?' * len(row))})", row)
    if commit:
        database.commit()


def found(path: Path) -> tuple[list[int], list[str], list[str]]:
    with Bag(path) as bag:
        times = [record.log_ns for record in bag.messages(TOPICS)]
        assert sum(topic.count for topic in bag.topics.values()) == len(times)
        return times, bag.notes, bag.damage


EXPECTED = [log_ns for _, log_ns, _, _ in pairs(COUNT)]


@pytest.mark.parametrize("kept", [0, 10, MESSAGES - 1])
@pytest.mark.parametrize("bare", [False, True])
def test_messages_of_the_log_are_read_and_the_bag_is_left_as_it_is(tmp_path, kept, bare):
    bag = killed(tmp_path, kept)
    before = {file.name: file.read_bytes() for file in bag.iterdir()}
    times, notes, damage = found(bag / "drive_0.db3" if bare else bag)
    assert (times, damage) == (EXPECTED, [])
    assert notes == [
        f"drive_0.db3-wal: {MESSAGES - kept} of {MESSAGES} messages lay in this write-ahead log, as a recorder that "
        "was killed leaves it: read with it from a copy"
    ]
    assert {file.name: file.read_bytes() for file in bag.iterdir()} == before


def test_what_was_not_finished_is_told(tmp_path):
    times, _, damage = found(killed(tmp_path, 10, unfinished=4))
    assert times == EXPECTED[:-4]
    assert len(damage) == 1 and "damaged or of a transaction that never ended: their messages are lost" in damage[0]


@pytest.mark.parametrize("cut", ["middle", "header", "no log"])
def test_a_damaged_log_is_told(tmp_path, cut):
    bag = killed(tmp_path, 10)
    log = bag / "drive_0.db3-wal"
    content = bytearray(log.read_bytes())
    if cut == "middle":
        content[len(content) // 2] ^= 255
    elif cut == "header":
        content = content[:20]
    else:
        content = b"x" * len(content)
    log.write_bytes(content)
    times, _, damage = found(bag)
    assert EXPECTED[:10] == times[:10] and len(times) < MESSAGES and len(damage) == 1
    what = "of a transaction that never ended" if cut == "middle" else "is no write-ahead log that can be read"
    assert what in damage[0]
    summary = run_bag(BagSettings(source=str(bag), csv=str(tmp_path / "t.csv")), StubEngine())
    assert summary.exit_code == 3 and summary.damage == tuple(damage)


def test_a_log_of_before_is_no_loss(tmp_path):
    """Pages that stay behind the newest ones when a log begins anew belong to nobody."""
    bag = killed(tmp_path, 0)
    database = sqlite3.connect(bag / "drive_0.db3")
    database.execute("PRAGMA wal_checkpoint(RESTART)")
    database.execute("PRAGMA wal_autocheckpoint=0")
    insert(database, "messages", [(1000, 1, START_NS + 10**12, b"\0")])
    copy = tmp_path / "copy"
    shutil.copytree(bag, copy)
    database.close()
    times, notes, damage = found(copy)
    assert (times[:-1], times[-1], damage) == (EXPECTED, START_NS + 10**12, [])
    assert f"1 of {MESSAGES + 1} messages" in notes[0]


def test_a_recorder_that_still_writes_is_told(tmp_path, monkeypatch):
    import mrfs_ros.bag.reading.write_ahead_log as module

    bag = killed(tmp_path, 10)
    copy = shutil.copyfile

    def copied_late(source, target):
        with source.open("ab") as file:
            file.write(b"\0" * 4096)
        return copy(source, target)

    monkeypatch.setattr(module.shutil, "copyfile", copied_late)
    with pytest.raises(Exception, match=r"drive_0\.db3: is being written to: end the recording first"):
        Bag(bag)


def test_fleets_and_remote_copies_take_it_along(tmp_path):
    bag = killed(tmp_path, 10)
    names = ["drive_0.db3", "drive_0.db3-shm", "drive_0.db3-wal"]
    assert find_bags([str(tmp_path / "dri*")]) == [str(bag)]
    assert find_bags([str(bag / "*")]) == [str(bag / "drive_0.db3")]
    assert [name for name, *_ in remote_files.files_of(str(bag))] == names
    assert [name for name, *_ in remote_files.files_of(str(bag / "drive_0.db3"))] == names[::2]
    for place, name in ((f"file://{bag}", "whole"), (f"file://{bag}/drive_0.db3", "bare.db3")):
        sizes = {entry[1] for entry in remote_files.files_of(place)}
        assert (bag / names[2]).stat().st_size in sizes
        assert found(remote_files.fetch(place, tmp_path / "scratch", name))[0] == EXPECTED


def test_the_log_is_among_the_files_that_a_run_depends_on(tmp_path):
    bag = killed(tmp_path, 10)
    assert files_of(bag / "drive_0.db3") == [bag / "drive_0.db3", bag / "drive_0.db3-wal"]
