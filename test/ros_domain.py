"""ROS domains for tests, so that runs beside each other do not hear each other's images."""

from __future__ import annotations

import fcntl
import os
import random
import tempfile
from pathlib import Path


def own_domain() -> tuple[int, int]:
    """A domain that no other test process of this machine uses, and the descriptor that keeps it ours while open."""
    for domain in random.sample(range(1, 102), 101):  # higher ones have no ports on Linux
        path = Path(tempfile.gettempdir()) / f"mrfs_ros_test_domain_{domain}"
        try:
            lock = _opened(path)
        except OSError:  # a link, or another user's that cannot be read
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return domain, lock
        except BlockingIOError:
            os.close(lock)
    raise RuntimeError("all ROS domains are in use by other test processes: wait until they end")


def _opened(path: Path) -> int:
    """A descriptor of the file, made if it is missing; one of another user serves as well for a lock."""
    try:
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CREAT, 0o644)
