"""One process at a time, also across the machines that share a file system with locks."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mrfs_ros.errors import MrfsError


@contextmanager
def alone(path: Path, wait_s: float, what: str) -> Iterator[None]:
    """Hold the lock file ``path``, which names host and process, and remove it in the end.

    MrfsError if another process, which ``what`` says something of, holds it for longer than ``wait_s``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + wait_s
    while True:
        with path.open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > until:
                    file.seek(0)
                    raise MrfsError(
                        f"{path}: another process {what} ({file.read().strip()}): try again when it has ended"
                    ) from None
                time.sleep(0.1)
                continue
            except OSError:  # a file system without locks
                pass
            if not _is(file.fileno(), path):
                continue  # whoever held it has removed it
            file.truncate(0)
            file.write(f"{socket.gethostname()} {os.getpid()}\n")
            file.flush()
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
            return


def _is(descriptor: int, path: Path) -> bool:
    try:
        return path.stat().st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False
