"""ONNX Runtime: on the CPU, by CUDA, or by TensorRT, whichever of them is installed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from mrfs_ros.engine.base import BaseEngine
from mrfs_ros.engine.onnx_file import INPUTS, ExportedOnDemand, OnnxFile, Shape, Size, outputs
from mrfs_ros.engine.onnx_session import providers_for, session
from mrfs_ros.engine.protocol import EngineInfo


class OnnxEngine(BaseEngine):
    """See ``Engine``; one session for each input and encoder size."""

    def __init__(self, graphs: OnnxFile | ExportedOnDemand, info: EngineInfo):
        device = torch.device(info.device)
        self._providers = providers_for(device)
        super().__init__(replace(info, detail=self._providers[0][0].removesuffix("ExecutionProvider")))
        self._graphs = graphs
        self._sessions: dict[tuple[Shape, Size | None, bool], object] = {}

    @property
    def gives_confidence(self) -> bool:
        return self._graphs.gives_confidence

    def _run(self, rgb: np.ndarray, thermal: np.ndarray, confidence: bool) -> tuple[np.ndarray, ...]:
        wanted = thermal.shape, self._encoder_size(rgb), confidence
        if wanted not in self._sessions:
            self._sessions[wanted] = session(self._graphs.graph(*wanted), self._providers)
        images = map(np.ascontiguousarray, (rgb, thermal))
        return tuple(self._sessions[wanted].run(outputs(confidence), dict(zip(INPUTS, images))))
