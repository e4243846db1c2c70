"""One engine in a process of its own: its memory, its first frame, what the allocator costs it."""

from __future__ import annotations

import multiprocessing
import resource
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from mrfs_ros.bench.measure import WARM_UP, Case, scene, timed_ms
from mrfs_ros.engine.allocator import keep_memory
from mrfs_ros.engine.load import build_engine, load_model

FRAMES = 7


@dataclass(frozen=True)
class Alone:
    """``first_ms``: the first frame after the warm-up, when the node says that it is ready.

    ``peak_mb``: largest resident memory of the process, or used memory of the GPU, MiB. ``page_faults``: a frame.
    """

    backend: str
    keeps_memory: bool
    first_ms: float
    median_ms: float
    peak_mb: float
    page_faults: float


def run_alone(case: Case, device: str, backend: str, precision: str = "auto", keep: bool = True) -> Alone:
    """Load one engine in a fresh process and run it; ``keep``: with ``keep_memory``, as ``load_engine`` does."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(_run, case, device, backend, precision, keep, torch.get_num_threads()).result()


def _run(case: Case, device: str, backend: str, precision: str, keep: bool, threads: int) -> Alone:
    torch.set_num_threads(threads)
    if keep:
        keep_memory()
    used_before = _gpu_used(device)
    engine = build_engine(load_model(case.weights, encoder_side=case.encoder_side), device, backend, precision)
    rgb, thermal = scene(case.shape)
    for _ in range(WARM_UP):  # as the node does before it says that it is ready
        engine.batch(rgb, thermal)
    faults = _faults()
    times = [timed_ms(engine, rgb, thermal) for _ in range(FRAMES)]
    return Alone(
        backend=backend,
        keeps_memory=keep,
        first_ms=times[0],
        median_ms=float(np.median(times)),
        peak_mb=_gpu_used(device) - used_before if device.startswith("cuda") else _peak_resident(),
        page_faults=(_faults() - faults) / FRAMES,
    )


def _peak_resident() -> float:
    # Not getrusage: its maximum outlives exec, and begins with the size of the process that started this one.
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def _gpu_used(device: str) -> float:
    if not device.startswith("cuda"):
        return 0.0
    free, total = torch.cuda.mem_get_info(device)
    return (total - free) / 2**20


def _faults() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
