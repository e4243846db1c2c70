"""OpenVINO on the CPU."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from mrfs_ros.engine.base import BaseEngine
from mrfs_ros.engine.onnx_file import INPUTS, ExportedOnDemand, OnnxFile, Shape, Size, outputs
from mrfs_ros.engine.protocol import EngineInfo
from mrfs_ros.errors import ConfigError, needs_package


class OpenVinoEngine(BaseEngine):
    """See ``Engine``; one compiled model for each input and encoder size, float32."""

    def __init__(self, graphs: OnnxFile | ExportedOnDemand, info: EngineInfo):
        if torch.device(info.device).type != "cpu":
            raise ConfigError(f"backend openvino runs on the CPU, not on {info.device}: set device: cpu")
        openvino = _openvino()
        super().__init__(replace(info, detail=f"OpenVINO {openvino.__version__.split('-')[0]}"))
        self._core = openvino.Core()
        self._graphs = graphs
        self._requests: dict[tuple[Shape, Size | None, bool], object] = {}

    @property
    def gives_confidence(self) -> bool:
        return self._graphs.gives_confidence

    def _run(self, rgb: np.ndarray, thermal: np.ndarray, confidence: bool) -> tuple[np.ndarray, ...]:
        wanted = thermal.shape, self._encoder_size(rgb), confidence
        if wanted not in self._requests:
            self._requests[wanted] = self._compiled(self._graphs.graph(*wanted)).create_infer_request()
        images = map(np.ascontiguousarray, (rgb, thermal))
        results = self._requests[wanted].infer(dict(zip(INPUTS, images)), share_inputs=True)  # copies its outputs
        return tuple(results[name] for name in outputs(confidence))

    def _compiled(self, path: Path):
        settings = {
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "INFERENCE_PRECISION_HINT": "f32",  # on processors with bf16 it would round to that
            "PERFORMANCE_HINT": "LATENCY",
        }
        return self._core.compile_model(str(path), "CPU", settings)


def _openvino():
    with needs_package("backend openvino", "OpenVINO", "openvino"):
        import openvino
    return openvino
