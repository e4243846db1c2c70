"""A lock file: one holder at a time, nothing left of it, and who holds it can be read."""

from __future__ import annotations

import fcntl
import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from mrfs_ros.bag.lock import alone
from mrfs_ros.errors import MrfsError


def test_who_holds_it_is_told_and_nothing_stays(tmp_path):
    path = tmp_path / "deep/a.lock"
    with alone(path, 0.0, "sweeps"):
        with (
            pytest.raises(MrfsError, match=rf"a\.lock: another process sweeps \(.* {os.getpid()}\)"),
            alone(path, 0.0, "sweeps"),
        ):
            pass
        assert path.exists()
    assert not path.exists()


def test_it_is_let_go_after_an_error(tmp_path):
    with pytest.raises(ValueError), alone(tmp_path / "lock", 0.0, ""):
        raise ValueError
    with alone(tmp_path / "lock", 0.0, ""):
        pass


def test_many_take_turns(tmp_path):
    inside = []

    def turn(number):
        with alone(tmp_path / "lock", 30.0, ""):
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
    with alone(path, 0.0, ""):
        assert removed and path.exists()
