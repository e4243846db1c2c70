"""Decoded pairs in memory: never more than half of what is free, counted over all datasets, and said."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import numpy as np
import pytest

from mrfs_ros.camera.image_io import write_png
from mrfs_ros.data.cache_limit import CacheLimit
from mrfs_ros.data.dataset import DatasetConfig, PairDataset
from mrfs_ros.training import memory
from mrfs_ros.training.memory import free_memory_bytes, limit_caches
from mrfs_ros.types import MFNET

PAIR = 40 * 50 * 5  # bytes of one decoded pair below


@pytest.fixture
def root(tmp_path) -> Path:
    for folder, channels in (("rgb", (3,)), ("thermal", ()), ("label", ())):
        (tmp_path / folder).mkdir()
        for name in "abcd":
            write_png(tmp_path / folder / f"{name}.png", np.ones((40, 50, *channels), np.uint8))
    return tmp_path


def dataset(root: Path, **options) -> PairDataset:
    return PairDataset(DatasetConfig(root=str(root), split="all", **options), MFNET)


def kept(dataset: PairDataset) -> int:
    """How many of its pairs are the same objects when they are read again."""
    first = list(dataset)
    return sum(one is two for one, two in zip(first, dataset))


@pytest.fixture
def free(monkeypatch):
    return lambda size: monkeypatch.setattr(memory, "free_memory_bytes", lambda: size)


def test_a_set_that_fits_is_kept(root, free):
    free(8 * PAIR)
    pairs = dataset(root)
    assert limit_caches([pairs]) == "memory: 4 pairs take 0 MB decoded, 0 MB are free: all are kept"
    assert kept(pairs) == 4


def test_half_of_what_is_free_and_no_more(root, free):
    free(7 * PAIR)
    pairs = dataset(root)
    assert limit_caches([pairs]).endswith(
        "are free: half of that keeps 3 pairs, the others are read from their files as needed"
    )
    assert kept(pairs) == 3


def test_the_limit_is_of_all_datasets_together(root, free):
    free(10 * PAIR)
    train, val = dataset(root), dataset(root)
    assert "half of that keeps 5 pairs" in limit_caches([train, val])
    assert (kept(train), kept(val)) == (4, 1)


def test_processes_share_the_machine(root, free):
    free(12 * PAIR)
    pairs = dataset(root)
    assert "half of that, shared by 2 processes, keeps 3 pairs" in limit_caches([pairs], 2)
    assert kept(pairs) == 3


def test_nothing_is_kept_that_nobody_wants_kept(root, free):
    free(100 * PAIR)
    pairs, others = dataset(root, cache=False), dataset(root)
    text = "memory: none of 4 pairs are kept (cache: false), they are read as needed"
    assert limit_caches([pairs]) == text
    assert limit_caches([pairs, others]).startswith("memory: 4 pairs take")
    assert (kept(pairs), kept(others)) == (0, 4)


def test_no_memory_at_all(root, free):
    free(0)
    pairs = dataset(root)
    assert "half of that keeps 0 pairs" in limit_caches([pairs])
    assert kept(pairs) == 0


def test_sizes_are_said_in_units_that_can_be_read(root, free):
    free(19 * 10**9)
    text = limit_caches([dataset(root)] * 3000)
    assert text == "memory: 12000 pairs take 0.1 GB decoded, 19.0 GB are free: all are kept"


def test_a_limit_is_never_passed():
    limit = CacheLimit(10)
    assert [limit.take(size) for size in (4, 7, 6, 1)] == [True, False, True, False]
    assert CacheLimit().take(10**18)


@pytest.fixture
def machine(tmp_path):
    """Makes files as Linux shows them: 9 GB available on the machine, and groups with what stands in them."""

    def made(group: str, files: dict[str, str]) -> dict[str, Path]:
        proc, cgroups = tmp_path / "proc", tmp_path / "cgroup"
        (proc / "self").mkdir(parents=True)
        (proc / "meminfo").write_text("MemTotal:       20000000 kB\nMemAvailable:    9000000 kB\nHugePages_Total:  0\n")
        (proc / "self/cgroup").write_text(group)
        for name, content in files.items():
            (cgroups / name).parent.mkdir(parents=True, exist_ok=True)
            (cgroups / name).write_text(content)
        return {"proc": proc, "cgroups": cgroups}

    return made


def test_memory_of_the_machine(machine):
    assert free_memory_bytes(**machine("0::/\n", {})) == 9_000_000 * 1024


@pytest.mark.parametrize("own", ["4000000000", "max"])
def test_memory_of_a_container(machine, own):
    """cgroup v2; a group above may allow less, and cached files make room when asked."""
    files = {
        "a/b/memory.max": f"{own}\n",
        "a/b/memory.current": "3000000000\n",
        "a/b/memory.stat": "anon 5\ninactive_file 1000000000\n",
        "a/memory.max": "5000000000\n",
        "a/memory.current": "3500000000\n",
        "a/memory.stat": "inactive_file 1000000000\n",
    }
    expected = 2_000_000_000 if own != "max" else 2_500_000_000
    assert free_memory_bytes(**machine("0::/a/b\n", files)) == expected


def test_memory_of_a_container_of_version_1(machine):
    files = {
        "memory/memory.limit_in_bytes": "4000000000\n",
        "memory/memory.usage_in_bytes": "1000000000\n",
        "memory/memory.stat": "inactive_file 7\ntotal_inactive_file 500000000\n",
    }
    group = "9:name=systemd:/\n4:memory:/docker/of_the_host\n1:cpu,cpuacct:/\n0::/\n"
    assert free_memory_bytes(**machine(group, files)) == 3_500_000_000


def test_a_full_container_leaves_nothing(machine):
    files = {"memory.max": "1000\n", "memory.current": "5000\n", "memory.stat": "inactive_file 0\n"}
    assert free_memory_bytes(**machine("0::/\n", files)) == 0


def test_memory_by_ulimit():
    before = free_memory_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    try:
        resource.setrlimit(resource.RLIMIT_AS, (used + 100_000_000, hard))
        assert 50_000_000 < free_memory_bytes() <= 100_000_000 < before
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
