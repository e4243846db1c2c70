"""The rewritten network in PyTorch: C++ operators on the CPU, compiled kernels in one CUDA graph on a GPU."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from mrfs_ros.engine.base import BaseEngine, as_tensor
from mrfs_ros.engine.operators import Operators
from mrfs_ros.engine.operators.native import NativeOperators
from mrfs_ros.engine.protocol import EngineInfo, check_registered
from mrfs_ros.engine.registered import RegisteredPipeline
from mrfs_ros.engine.rewritten.image_pipeline import Pipeline
from mrfs_ros.engine.temporal_smoothing import Average
from mrfs_ros.errors import MrfsError
from mrfs_ros.network import MRFS

if TYPE_CHECKING:  # OpenCV is not needed here
    from mrfs_ros.geometry.warp import Warp

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
GRAPHS_KEPT = 4  # input and encoder sizes whose CUDA graphs stay in memory


def torch_engine(network: MRFS, info: EngineInfo, precision: str = "auto") -> BaseEngine:
    """The fastest way to run ``network`` in PyTorch on ``info.device``.

    ``precision``: fp32, fp16, bf16; auto = fp16 on CUDA, fp32 on the CPU.
    """
    if torch.device(info.device).type == "cuda":
        return CudaEngine(network, info, "fp16" if precision == "auto" else precision)
    try:
        operators = NativeOperators(network.config)
        detail = f"C++ operators, {operators.instructions}"
    except MrfsError as error:
        operators, detail = Operators(), f"plain operators, slower: {str(error).splitlines()[0]}"
    return RewrittenEngine(network, replace(info, detail=detail), operators)


class RewrittenEngine(BaseEngine):
    """float32, with the operators given, one after the other."""

    has_logits = True

    def __init__(self, network: MRFS, info: EngineInfo, operators: Operators):
        super().__init__(info)
        self._pipeline = Pipeline(network, operators).to(self.device)

    def _run(self, rgb: np.ndarray, thermal: np.ndarray, confidence: bool) -> tuple[np.ndarray, ...]:
        with torch.inference_mode():
            images = (as_tensor(x).to(self.device) for x in (rgb, thermal))
            results = self._pipeline(*images, self._encoder_size(rgb), self._average(rgb), confidence)
            return tuple(result.cpu().numpy() for result in results)


class CudaEngine(BaseEngine):
    """Compiled by inductor, captured once for each input shape, bytes up and down through pinned memory."""

    has_logits = True

    def __init__(self, network: MRFS, info: EngineInfo, precision: str):
        super().__init__(replace(info, detail=f"{precision}, CUDA graph"))
        pipeline = Pipeline(network, Operators(), DTYPES[precision]).to(self.device)
        self._pipeline = torch.compile(pipeline, dynamic=False, fullgraph=True)
        self._graphs: OrderedDict[tuple, _Graph] = OrderedDict()

    def registered(
        self, rgb: np.ndarray, thermal: np.ndarray, warp: Warp, *, confidence: bool = False
    ) -> tuple[np.ndarray, ...]:
        check_registered(rgb, thermal, warp)
        return self._guarded(self._run, rgb, thermal, confidence, warp)

    def _run(
        self, rgb: np.ndarray, thermal: np.ndarray, confidence: bool, warp: Warp | None = None
    ) -> tuple[np.ndarray, ...]:
        encoder_size, average = self._encoder_size(rgb), self._average(rgb)
        wanted = rgb.shape, thermal.shape, encoder_size, warp is None, average is None, confidence
        graph = self._graphs.pop(wanted, None)
        if graph is None:
            while len(self._graphs) >= GRAPHS_KEPT:
                self._graphs.popitem(last=False)
            pipeline = self._pipeline if warp is None else RegisteredPipeline(self._pipeline, warp).to(self.device)
            graph = _Graph(pipeline, rgb.shape, thermal.shape, encoder_size, average, confidence, self.device)
        self._graphs[wanted] = graph  # the latest last
        return graph((rgb, thermal), warp, average)


class _Graph:
    """The network for one input and encoder size as a CUDA graph.

    A frame is two uploads, a launch, two downloads, one wait.
    """

    def __init__(
        self,
        pipeline,
        rgb: tuple[int, ...],
        thermal: tuple[int, ...],
        encoder_size: tuple[int, int] | None,
        average: Average | None,
        confidence: bool,
        device: torch.device,
    ):
        self._device = device
        self._pipeline = pipeline
        self._pinned_in = [torch.zeros(shape, dtype=torch.uint8).pin_memory() for shape in (rgb, thermal)]
        outputs = [rgb, rgb[:3], rgb[:3]][: 3 if confidence else 2]
        self._pinned_out = [torch.zeros(shape, dtype=torch.uint8).pin_memory() for shape in outputs]
        self._stream = torch.cuda.Stream(device)
        self._graph = torch.cuda.CUDAGraph()
        with torch.inference_mode(), torch.cuda.device(device), torch.cuda.stream(self._stream):
            self._inputs = [torch.zeros_like(x, device=device) for x in self._pinned_in]
            self._average = average and Average(*map(torch.zeros_like, average))
            _compiled(pipeline, *self._inputs, encoder_size, self._average, confidence)
            self._stream.synchronize()
            with torch.cuda.graph(self._graph, stream=self._stream):
                self._outputs: tuple[Tensor, ...] = pipeline(*self._inputs, encoder_size, self._average, confidence)

    def __call__(
        self, images: tuple[np.ndarray, np.ndarray], warp: Warp | None, average: Average | None
    ) -> tuple[np.ndarray, ...]:
        with torch.inference_mode(), torch.cuda.device(self._device), torch.cuda.stream(self._stream):
            if warp is not None:
                self._pipeline.take(warp)
            for tensor, pinned, image in zip(self._inputs, self._pinned_in, images):
                np.copyto(pinned.numpy(), image)
                tensor.copy_(pinned, non_blocking=True)  # rgb travels while thermal is copied into pinned memory
            if average is not None:
                for static, tensor in zip(self._average, average):
                    static.copy_(tensor)
            self._graph.replay()
            if average is not None:
                average.logits.copy_(self._average.logits)
            for pinned, tensor in zip(self._pinned_out, self._outputs):
                pinned.copy_(tensor, non_blocking=True)
            self._stream.synchronize()
        return tuple(pinned.numpy().copy() for pinned in self._pinned_out)


def _compiled(pipeline, *inputs) -> None:
    """Run it a few times: the first compiles it, all let the libraries take their workspaces before the capture."""
    try:
        with _any_number_of_shapes():
            for _ in range(3):
                pipeline(*inputs)
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # inductor, Triton and the C compiler have errors of their own
        first_line = (str(error).splitlines() or [type(error).__name__])[0]
        raise MrfsError(
            f"PyTorch cannot compile the network here: {first_line}: install a C++ compiler (sudo apt install g++) "
            "and the Triton that belongs to this PyTorch, or use backend torch-plain"
        ) from error


def _any_number_of_shapes():
    """PyTorch gives up on a function after eight shapes; here each is wanted, and captured once."""
    settings = torch._dynamo.config
    name = "recompile_limit" if hasattr(settings, "recompile_limit") else "cache_size_limit"  # before PyTorch 2.6
    return settings.patch({name: 2**16, "accumulated_" + name: 2**16})
