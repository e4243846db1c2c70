"""A ROS domain that no other process of this machine uses: for the demo and the tests, kept by a lock file."""

from __future__ import annotations

import fcntl
import os
import random
import tempfile
from pathlib import Path

from mrfs_ros.errors import MrfsError

HIGHEST = 101  # higher ones have no ports on Linux


def own_domain() -> tuple[int, int]:
    """A domain that no other process has taken by this function, and the descriptor that keeps it while it is open.

    Raises:
        MrfsError: all domains are taken.
    """
    for domain in random.sample(range(1, HIGHEST + 1), HIGHEST):
        path = Path(tempfile.gettempdir()) / f"mrfs_ros_domain_{domain}"
        try:
            lock = _opened(path)
        except OSError:  # a link, or another user's that cannot be read
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return domain, lock
        except BlockingIOError:
            os.close(lock)
    raise MrfsError("all ROS domains are in use by other demos and tests: wait until they end, or set ROS_DOMAIN_ID")


def _opened(path: Path) -> int:
    """A descriptor of the file, made if it is missing; one of another user serves as well for a lock."""
    try:
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CREAT, 0o644)
