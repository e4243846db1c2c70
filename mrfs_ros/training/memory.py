"""Memory that decoded pairs may take: half of what is free, shared by all datasets of a run."""

from __future__ import annotations

import resource
from collections.abc import Iterator, Sequence
from pathlib import Path

from mrfs_ros.data.cache_limit import CacheLimit
from mrfs_ros.data.dataset import PairDataset

SHARE = 0.5
"""Of the free memory: the rest is for the network, its gradients, batches, and for what else runs."""


def limit_caches(datasets: Sequence[PairDataset], processes: int = 1) -> str:
    """Let ``datasets`` keep at most ``SHARE`` of the free memory together, those in front first.

    Args:
        datasets: all of a run; those with ``cache: false`` keep nothing. The first pair of each is read.
        processes: on this machine that each keep pairs of their own.

    Returns:
        One line for the user: what the pairs take, what is free, how many are kept.

    Raises:
        ImageError: for a first pair that cannot be read.
    """
    kept = [dataset for dataset in datasets if dataset.config.cache]
    pairs = sum(map(len, kept))
    if not pairs:
        return f"memory: none of {sum(map(len, datasets))} pairs are kept (cache: false), they are read as needed"
    free = free_memory_bytes()
    limit = CacheLimit(SHARE * free / processes)
    needed, fitting = 0, 0
    for dataset in kept:
        dataset.cache_limit = limit
        size = dataset[0].nbytes
        fitting += min(len(dataset), max(0, int((limit.total - needed) / size)))
        needed += len(dataset) * size
    text = f"memory: {pairs} pairs take {_gb(needed)} decoded, {_gb(free)} are free: "
    if fitting == pairs:
        return text + "all are kept"
    whose = f"half of that, shared by {processes} processes," if processes > 1 else "half of that"
    return text + f"{whose} keeps {fitting} pairs, the others are read from their files as needed"


def free_memory_bytes(proc: Path = Path("/proc"), cgroups: Path = Path("/sys/fs/cgroup")) -> int:
    """Bytes that this process may still take: of the machine, its control groups (containers) and ``ulimit -v``.

    ``proc``, ``cgroups``: where Linux shows them.
    """
    available = _fields(proc / "meminfo")["MemAvailable"] * 1024
    left = [available, *_left_in_groups(proc, cgroups)]
    most, _ = resource.getrlimit(resource.RLIMIT_AS)
    if most != resource.RLIM_INFINITY:
        left.append(most - _fields(proc / "self" / "status")["VmSize"] * 1024)
    return max(0, min(left))


def _left_in_groups(proc: Path, cgroups: Path) -> Iterator[int]:
    """What the memory limits of this process's control groups and of those above them leave, versions 1 and 2."""
    files = {
        "": ("memory.max", "memory.current", "inactive_file"),
        "memory": ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    }
    for line in (proc / "self" / "cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        root = cgroups / "memory" if controllers else cgroups
        most, used, cached = files["memory" if controllers else ""]
        for folder in (here := root / path.lstrip("/"), *here.parents):
            if not folder.is_relative_to(root):
                break
            try:
                limit = (folder / most).read_text().strip()
                usage = int((folder / used).read_text()) - _fields(folder / "memory.stat").get(cached, 0)
            except OSError:  # a container sees its own group as the root
                continue
            if limit != "max":
                yield int(limit) - usage


def _fields(path: Path) -> dict[str, int]:
    """The whole numbers of lines such as ``MemAvailable:  123 kB`` or ``inactive_file 123``, by their names."""
    words = [line.replace(":", " ").split() for line in path.read_text().splitlines()]
    return {line[0]: int(line[1]) for line in words if len(line) > 1 and line[1].isdecimal()}


def _gb(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 5e7 else f"{size / 1e6:.0f} MB"
