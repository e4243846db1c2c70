"""Engines side by side in one process, frame by frame in turn, so that a slow moment of the machine hits all alike."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from mrfs_ros.engine.base import BaseEngine
from mrfs_ros.engine.encoder_side import WEIGHTS
from mrfs_ros.engine.load import Model, build_engine
from mrfs_ros.errors import MrfsError

BASELINE = "eager"
WARM_UP = 2  # frames before the measured ones


@dataclass(frozen=True)
class Case:
    """What is run: ``weights``, ``encoder_side`` as for ``load_engine``, ``size`` (H, W), ``batch`` pairs at once."""

    weights: str
    variant: str
    size: tuple[int, int]
    batch: int
    encoder_side: str = WEIGHTS

    @property
    def shape(self) -> tuple[int, int, int]:
        return (self.batch, *self.size)

    def __str__(self) -> str:
        batch = f" x{self.batch}" if self.batch > 1 else ""
        side = f", encoder side {self.encoder_side}" if self.encoder_side not in (WEIGHTS, "0") else ""
        return f"{self.variant} {self.size[0]}x{self.size[1]}{batch}{side}"


@dataclass(frozen=True)
class Timing:
    """One backend in one case; times of the whole path for the whole batch, bytes in to bytes out.

    ``ratio``: median over the rounds of eager's time by this one's. ``fused_error``: largest difference from eager,
    0 to 255. ``label_agreement``: share of pixels with eager's label. ``problem``: why it did not run, else empty.
    """

    backend: str
    detail: str = ""
    median_ms: float = 0.0
    p95_ms: float = 0.0
    ratio: float = 0.0
    fused_error: int = 0
    label_agreement: float = 0.0
    problem: str = ""


def measure(
    case: Case,
    model: Model,
    device: str,
    backends: list[str],
    rounds: int,
    precision: str = "auto",
    note: Callable[[], object] = lambda: None,
) -> list[Timing]:
    """Time ``backends``, eager first whether named or not; ``note`` is called after every frame."""
    rgb, thermal = scene(case.shape)
    engines: dict[str, BaseEngine] = {}
    problems: dict[str, str] = {}
    results = {}
    for backend in dict.fromkeys((BASELINE, *backends)):
        try:
            engine = build_engine(model, device, backend, precision)
            results[backend] = engine.batch(rgb, thermal)
            for _ in range(WARM_UP - 1):
                engine.batch(rgb, thermal)
            engines[backend] = engine
        except MrfsError as error:
            problems[backend] = str(error)
    if BASELINE in problems:
        raise MrfsError(f"{case}: the baseline does not run: {problems[BASELINE]}")
    times = _interleaved(engines, rgb, thermal, rounds, note)
    timings = [_timing(name, engine, times, results) for name, engine in engines.items()]
    engines.clear()
    gc.collect()  # the next case's engines need the memory
    return timings + [Timing(name, problem=problem) for name, problem in problems.items()]


def scene(shape: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """A synthetic batch: rgb (B, H, W, 3) and thermal (B, H, W), uint8, with edges, gradients and noise."""
    draw = np.random.default_rng(0)
    b, y, x = np.meshgrid(*(np.arange(n) for n in shape), indexing="ij")
    waves = np.stack([x / 31, y / 23, (x + y) / 47, (x - 2 * y) / 37], axis=3) + b[..., None]
    blocks = 40 * ((x // 64 + y // 48) % 2)[..., None]
    images = np.clip(100 + 60 * np.sin(waves) + blocks + draw.normal(0, 6, waves.shape), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(images[..., :3]), np.ascontiguousarray(images[..., 3])


def timed_ms(engine: BaseEngine, rgb: np.ndarray, thermal: np.ndarray) -> float:
    """Milliseconds of one batch; on CUDA by its events, after all earlier work is done."""
    if engine.device.type != "cuda":
        start = time.perf_counter()
        engine.batch(rgb, thermal)
        return 1000 * (time.perf_counter() - start)
    with torch.cuda.device(engine.device):
        before, after = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        before.record()
        engine.batch(rgb, thermal)  # ends with the results in the host's memory
        after.record()
        after.synchronize()
        return before.elapsed_time(after)


def _interleaved(engines: dict[str, BaseEngine], rgb, thermal, rounds: int, note) -> dict[str, np.ndarray]:
    times: dict[str, list[float]] = {name: [] for name in engines}
    names = list(engines)
    for number in range(rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:  # nobody always runs behind the same neighbour
            times[name].append(timed_ms(engines[name], rgb, thermal))
            note()
    return {name: np.array(values) for name, values in times.items()}


def _timing(name: str, engine: BaseEngine, times: dict[str, np.ndarray], results: dict) -> Timing:
    (fused, labels), (expected_fused, expected_labels) = results[name], results[BASELINE]
    return Timing(
        backend=name,
        detail=engine.info.detail,
        median_ms=float(np.median(times[name])),
        p95_ms=float(np.percentile(times[name], 95)),
        ratio=float(np.median(times[BASELINE] / times[name])),
        fused_error=int(np.abs(fused.astype(int) - expected_fused).max()),
        label_agreement=float((labels == expected_labels).mean()),
    )
