"""Atomic writing: the old file or the new one, whatever happens in between."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mrfs_ros.files import atomic

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
