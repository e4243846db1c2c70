"""Memory on the CPU: frames use again what earlier ones have left, and a pair that does not fit is refused."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc and limits the address space"),
    pytest.mark.slow,
]

START = """
import resource, sys, threading
import numpy as np
import torch
from mrfs_ros import load_engine
from mrfs_ros.config import NetworkConfig
from mrfs_ros.engine.operators.native import NativeOperators
from mrfs_ros.errors import ImageError

random = np.random.default_rng(0)

def pair(height, width):
    return random.integers(0, 256, (height, width, 3), np.uint8), random.integers(0, 256, (height, width), np.uint8)

_, unlimited = resource.getrlimit(resource.RLIMIT_AS)

def leave(mebibytes):
    pages = int(open("/proc/self/statm").read().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (mebibytes << 20), unlimited))
"""


def run(code: str, *arguments: object) -> list[str]:
    """What a process of its own prints, by lines; limits and the allocator's settings would stay in this one."""
    command = [sys.executable, "-c", START + code, *map(str, arguments)]
    environment = {**os.environ, "OMP_WAIT_POLICY": "passive"}  # threads that spin are slow beside other tests
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


ENGINE = """
engine, frame, small = load_engine(sys.argv[1], "cpu", sys.argv[2]), pair(192, 256), pair(64, 96)

def frames():
    for _ in range(3):
        engine(*frame)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        engine(*frame)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)

frames()
worker = threading.Thread(target=frames)  # as in the ROS node
worker.start()
worker.join()

expected = engine(*small)
large = [pair(4000, 6000), pair(1200, 1600)]  # too much from the first tensor on, and somewhere in the network
leave(60)
for images in large:
    try:
        engine(*images)
    except ImageError as error:
        print(error.reason, error)
    result = engine(*small)
    assert (result.fused == expected.fused).all()
    assert (result.labels == expected.labels).all()
"""


@pytest.fixture(scope="session", params=["torch", "eager"])
def measured(request, tiny_weights) -> tuple[str, list[str]]:
    """The backend, and what a process with such an engine tells of its frames' page faults and of pairs too large."""
    return request.param, run(ENGINE, tiny_weights, request.param)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="keep_memory is for the C library glibc")
def test_frames_cause_hardly_a_page_fault(measured):
    backend, (in_main_thread, in_worker, *_) = measured
    # Without keep_memory the paper's graph has 90,000 to 190,000. What is left is a heap that still grows a little.
    most = {"torch": 500, "eager": 20_000}[backend]
    assert int(in_main_thread) < most
    assert int(in_worker) < most


def test_a_pair_that_does_not_fit_is_refused_and_the_next_is_not(measured):
    _, (_, _, *refusals) = measured
    advice = "on cpu: use smaller images, a smaller batch or another device"
    assert refusals == [
        f"out_of_memory out of memory for 1 pair(s) of {size} (HxW) {advice}" for size in ("4000x6000", "1200x1600")
    ]


# Small inputs that need much room beside: an operator that forgets to ask for it before its threads start ends the
# process instead.
OPERATORS = """
import ctypes

# Whether a block is still there depends on what was freed before it, unless the C library keeps none: blocks from
# 64 KiB on are mapped anew and given back at once. By default that limit rises with each such block that is freed.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
if sys.argv[1] == "glibc":
    assert ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, 1 << 16) and ctypes.CDLL(None).mallopt(M_TRIM_THRESHOLD, 0)
for _ in range(2):
    torch.ones(30 << 18)  # 30 MiB, freed again

operators, many = NativeOperators(NetworkConfig()), 1 << 18
dense = operators.dense((torch.rand(1, many), torch.rand(1)))
widening = operators.dense((torch.rand(many, 16), torch.zeros(many)))
depthwise = operators.depthwise(torch.nn.Conv2d(many, many, 3, groups=many))
images = operators.fusion(torch.rand(9, 16, 4), torch.rand(16), (torch.rand(3, 16), torch.rand(3)))
row, residual, square, key_value, logits, rgb, thermal = (
    torch.rand(1, *shape) for shape in (
        (1, 1, many), (1, 1, 1), (8, 8, many // 64), (1, many, 64), (1, 4 * many, 9), (1, 2 * many, 3), (1, 2 * many, 1)
    )
)
taps, query = torch.rand(1, 1, many // 16, 144), torch.rand(1, 1, 1, 32)
tasks = {
    "linear": lambda: operators.linear(row, dense, eps=1e-6),
    "patches": lambda: operators.patches(square, dense, 8, 8, 0),
    "depthwise_gelu_linear": lambda: operators.depthwise_gelu_linear(row, depthwise, dense, residual.clone()),
    "attention": lambda: operators.attention(query, key_value, 1),
    "decode": lambda: operators.decode(row[..., :16].contiguous(), widening, [], dense),
    "labels": lambda: operators.labels(logits, (1, 64)),
    "fuse": lambda: operators.fuse([taps], rgb, thermal, images),
}
operators.pool(torch.rand(1, 8, 8, 16 * torch.get_num_threads()))  # starts the threads: their stacks need room too
for name, task in tasks.items():
    leave(8)
    try:
        task()
    except MemoryError as error:
        print(error)
    resource.setrlimit(resource.RLIMIT_AS, (unlimited, unlimited))
    assert torch.equal(task(), task()), name
"""


def test_an_operator_without_memory_says_so_and_works_again():
    names = "linear", "patches", "depthwise_gelu_linear", "attention", "decode", "labels", "fuse"
    libc = platform.libc_ver()[0]
    assert run(OPERATORS, libc) == [f"not enough memory for the operator {name}" for name in names]
