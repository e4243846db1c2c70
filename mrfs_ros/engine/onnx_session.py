"""Sessions of ONNX Runtime: for the CPU, CUDA or TensorRT, whichever of them is installed."""

from __future__ import annotations

from pathlib import Path

import torch

from mrfs_ros.engine.cache_folder import cache_folder
from mrfs_ros.errors import ConfigError, needs_package

CPU, CUDA, TENSORRT = (f"{name}ExecutionProvider" for name in ("CPU", "CUDA", "Tensorrt"))


def cpu_session(path: Path):
    """An ONNX Runtime session for the file on the CPU; MissingPackageError without ONNX Runtime."""
    return session(path, [(CPU, {})])


def session(path: Path, providers: list[tuple[str, dict]]):
    """A session for the file, on the first of ``providers`` that can run a node; as ``cpu_session``."""
    runtime = _runtime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors; warnings speak of nodes that it places by itself
    return runtime.InferenceSession(str(path), options, providers=providers)


def providers_for(device: torch.device) -> list[tuple[str, dict]]:
    """What to run on ``device``, best first, with their options."""
    available = _runtime().get_available_providers()
    if device.type == "cpu":
        return [(CPU, {})]
    if CUDA not in available:
        raise ConfigError(
            f"device {device}: this ONNX Runtime has {', '.join(available)} only: pip install onnxruntime-gpu, "
            "or use device cpu"
        )
    number = {"device_id": device.index or 0}
    engines = {"trt_engine_cache_enable": True, "trt_engine_cache_path": str(cache_folder())}
    tensorrt = [(TENSORRT, number | engines)] if TENSORRT in available else []
    return [*tensorrt, (CUDA, number), (CPU, {})]


def _runtime():
    with needs_package("backend onnx", "ONNX Runtime", "onnx"):
        import onnxruntime
    return onnxruntime
