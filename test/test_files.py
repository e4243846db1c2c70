"""Atomic writing: the old file or the new one, whatever happens in between. A lock: one holder at a time."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mrfs_ros.errors import MrfsError
from mrfs_ros.files import atomic, lock, to_disk

KILLED_WHILE_WRITING = """
import os, signal, sys
from mrfs_ros.files import atomic
with atomic(sys.argv[1]) as unfinished:
    unfinished.write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(params=[None, b"old"], ids=["new file", "file that was there"])
def path(request, tmp_path):
    path = tmp_path / "scores.json"
    if request.param is not None:
        path.write_bytes(request.param)
    return path


def content(path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def test_the_new_file_is_there_and_nothing_else(path):
    with atomic(str(path)) as unfinished:
        unfinished.write_bytes(b"new")
    assert path.read_bytes() == b"new"
    assert list(path.parent.iterdir()) == [path]


def test_until_the_end_the_old_file_stands(path):
    before = content(path)
    with atomic(path) as unfinished:
        unfinished.write_bytes(b"new")
        assert unfinished.parent == path.parent  # renaming to another disk would be copying
        assert content(path) == before


def test_an_error_leaves_the_old_file_and_is_not_hidden(path):
    before = content(path)
    with pytest.raises(KeyboardInterrupt), atomic(path) as unfinished:
        unfinished.write_bytes(b"half")
        raise KeyboardInterrupt
    assert content(path) == before


def test_a_kill_leaves_the_old_file_and_the_next_try_works(path):
    before = content(path)
    killed = subprocess.run([sys.executable, "-c", KILLED_WHILE_WRITING, str(path)])
    assert killed.returncode == -signal.SIGKILL
    assert content(path) == before
    with atomic(path) as unfinished:
        unfinished.write_bytes(b"new")
    assert path.read_bytes() == b"new"
    assert list(path.parent.iterdir()) == [path]


def test_bytes_are_on_the_disk_before_the_name_and_the_name_before_the_end(path, monkeypatch):
    """A power cut cannot be had here: the order of the calls is what keeps a file of that name from being empty."""
    calls = []
    fsync, rename = os.fsync, os.replace
    monkeypatch.setattr(
        os, "fsync", lambda file: (calls.append(str(Path(f"/proc/self/fd/{file}").readlink())), fsync(file))
    )
    monkeypatch.setattr(type(path), "replace", lambda old, new: (calls.append("renamed"), rename(old, new)))
    with atomic(path) as unfinished:
        unfinished.write_bytes(b"new")
        assert calls == []
    assert calls == [str(unfinished), "renamed", str(path.parent)]


def test_nothing_written_is_an_error(path):
    before = content(path)
    with pytest.raises(FileNotFoundError, match="unfinished"), atomic(path):
        pass
    assert content(path) == before


def test_files_and_the_folders_that_name_them_are_brought_to_the_disk(tmp_path, monkeypatch):
    synced = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (synced.append(Path(f"/proc/self/fd/{file}").readlink()), real(file)))
    files = [tmp_path / "out/a/b/1.png", tmp_path / "out/2.png"]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")
    to_disk(files, tmp_path)
    assert set(synced[:2]) == set(files)
    assert set(synced[2:]) == {tmp_path / "out/a/b", tmp_path / "out/a", tmp_path / "out", tmp_path}


def test_who_holds_it_is_told_and_nothing_stays(tmp_path):
    path = tmp_path / "deep/a.lock"
    with lock(path, 0.0, "sweeps"):
        with (
            pytest.raises(MrfsError, match=rf"a\.lock: another process sweeps \(.* {os.getpid()}\)"),
            lock(path, 0.0, "sweeps"),
        ):
            pass
        assert path.exists()
    assert not path.exists()


def test_it_is_let_go_after_an_error(tmp_path):
    with pytest.raises(ValueError), lock(tmp_path / "lock", 0.0, ""):
        raise ValueError
    with lock(tmp_path / "lock", 0.0, ""):
        pass


def test_many_take_turns(tmp_path):
    inside = []

    def turn(number):
        with lock(tmp_path / "lock", 30.0, ""):
            inside.append(number)
            time.sleep(0.002)
            assert inside == [number]  # nobody came in meanwhile
            inside.clear()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(turn, range(6)))


def test_a_file_that_its_holder_removes_meanwhile_is_made_anew(tmp_path, monkeypatch):
    path, real, removed = tmp_path / "lock", fcntl.flock, []

    def flock(file, how):
        real(file, how)
        if not removed:
            removed.append(path.unlink())

    monkeypatch.setattr(fcntl, "flock", flock)
    with lock(path, 0.0, ""):
        assert removed and path.exists()
