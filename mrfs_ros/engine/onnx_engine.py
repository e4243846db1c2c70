"""ONNX Runtime: on the CPU, by CUDA, or by TensorRT, whichever of them is installed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from mrfs_ros.engine.base import BaseEngine
from mrfs_ros.engine.cache_folder import cache_folder
from mrfs_ros.engine.onnx_file import INPUTS, OUTPUTS, ExportedOnDemand, OnnxFile, Shape, Size
from mrfs_ros.engine.protocol import EngineInfo
from mrfs_ros.errors import ConfigError, needs_package

CPU, CUDA, TENSORRT = (f"{name}ExecutionProvider" for name in ("CPU", "CUDA", "Tensorrt"))


class OnnxEngine(BaseEngine):
    """See ``Engine``; one session for each input and encoder size."""

    def __init__(self, graphs: OnnxFile | ExportedOnDemand, info: EngineInfo):
        device = torch.device(info.device)
        self._providers = _providers(device)
        super().__init__(replace(info, detail=self._providers[0][0].removesuffix("ExecutionProvider")))
        self._graphs = graphs
        self._sessions: dict[tuple[Shape, Size | None], object] = {}

    def _run(self, rgb: np.ndarray, thermal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        wanted = thermal.shape, self._encoder_size(rgb)
        if wanted not in self._sessions:
            self._sessions[wanted] = _session(self._graphs.graph(*wanted), self._providers)
        images = map(np.ascontiguousarray, (rgb, thermal))
        fused, labels = self._sessions[wanted].run(OUTPUTS, dict(zip(INPUTS, images)))
        return fused, labels


def cpu_session(path: Path):
    """An ONNX Runtime session for the file on the CPU; MissingPackageError without ONNX Runtime."""
    return _session(path, [(CPU, {})])


def _session(path: Path, providers: list[tuple[str, dict]]):
    runtime = _runtime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors; warnings speak of nodes that it places by itself
    return runtime.InferenceSession(str(path), options, providers=providers)


def _providers(device: torch.device) -> list[tuple[str, dict]]:
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
