"""``backend: auto``: the fastest engine that is installed and gives the right results here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import numpy as np

from mrfs_ros.engine.base import BaseEngine
from mrfs_ros.engine.eager import EagerEngine
from mrfs_ros.engine.encoder_side import EncoderSide
from mrfs_ros.engine.speeds import recorded_speeds
from mrfs_ros.errors import MissingPackageError, MrfsError
from mrfs_ros.network import MRFS

ORDER = ("torch", "torch-plain", "openvino", "onnx", "eager")  # fastest first on the machines in benchmarks/README.md
LABEL_AGREEMENT, FUSED_DIFFERENCE = 0.995, 2
CPU_SIZE, CUDA_SIZE = (96, 128), (480, 640)  # a CUDA engine compiles for every size: let it be the one of most cameras


def choose_engine(build: Callable[[str], BaseEngine], device: str, variant: str) -> BaseEngine:
    """The first engine that ``build`` (backend name to engine) can make, fastest first; its ``info`` says why."""
    speeds = recorded_speeds(variant, device)
    order = sorted(speeds.milliseconds, key=speeds.milliseconds.get) if speeds else []
    notes: list[str] = []
    engine = next(_built(build, dict.fromkeys((*order, *ORDER)), notes))
    if speeds:
        times = ", ".join(f"{name} {speeds.milliseconds[name]:.4g} ms" for name in order)
        notes.append(f"measured here on {speeds.date} at {speeds.size}: {times}")
    else:
        notes.append(f"first of {', '.join(ORDER)}; mrfs bench measures which is fastest here")
    engine.info = replace(engine.info, reason="; ".join(notes))
    return engine


def _built(build: Callable[[str], BaseEngine], backends: Iterable[str], notes: list[str]) -> Iterator[BaseEngine]:
    """The engines that can be made, in this order; ``notes`` gets why others cannot. MrfsError if none can."""
    failure: MrfsError | None = None
    for backend in backends:
        try:
            yield build(backend)
        except MissingPackageError as error:
            notes.append(f"{backend} is not installed")
            failure = error
        except MrfsError as error:
            notes.append(str(error))
            failure = error
    raise failure or MrfsError("no backend was tried")


def verified(engine: BaseEngine, network: MRFS, fused_difference: int = FUSED_DIFFERENCE) -> BaseEngine:
    """The engine, if it gives on a test pair what the paper's graph gives; MrfsError with the difference if not.

    ``fused_difference``: the largest that is allowed, of 255.
    """
    height, width = CPU_SIZE if engine.device.type == "cpu" else CUDA_SIZE
    y, x = np.mgrid[:height, :width]
    noise = np.random.default_rng(0).integers(0, 64, (height, width, 4))
    scene = (96 + 95 * np.sin(np.stack([x / 9, y / 7, (x + y) / 11, (x - y) / 13], axis=2)) + noise).astype(np.uint8)
    pair = np.ascontiguousarray(scene[..., :3]), np.ascontiguousarray(scene[..., 3])
    wanted = engine.info.encoder_side
    if wanted.pixels >= height:  # larger than the test pair
        engine.use_encoder_side(EncoderSide(height // 2))
    result = engine(*pair)
    expected = EagerEngine(network, replace(engine.info, backend="eager"))(*pair)
    engine.use_encoder_side(wanted)
    network.cpu()
    difference = np.abs(result.fused.astype(int) - expected.fused).max()
    agreement = (result.labels == expected.labels).mean()
    if not is_right(difference, agreement, fused_difference):
        raise MrfsError(
            f"backend {engine.info.backend} ({engine.info.detail}) is wrong on this machine: {agreement:.2%} of the "
            f"labels are those of the paper's graph, fused differs by up to {difference} of 255: use backend eager, "
            "and report this with the output of mrfs bench"
        )
    return engine


def is_right(difference: float, label_agreement: float, allowed: int = FUSED_DIFFERENCE) -> bool:
    """Whether a result can pass for the paper's graph's: fused differs by 0-255, labels agree on a share of 0-1."""
    return difference <= allowed and label_agreement >= LABEL_AGREEMENT
