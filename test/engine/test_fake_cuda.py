"""The CUDA pipelines on tensors without memory: devices, types and shapes fit, on any PyTorch built for CUDA."""

from __future__ import annotations

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.func import functional_call
from warps import shifted

from mrfs_ros.config import NetworkConfig
from mrfs_ros.engine.operators import Operators
from mrfs_ros.engine.registered import RegisteredPipeline
from mrfs_ros.engine.rewritten.image_pipeline import Pipeline
from mrfs_ros.engine.torch_engine import DTYPES
from mrfs_ros.network import build_network

pytestmark = pytest.mark.skipif(
    not torch.backends.cuda.is_built(), reason="needs a PyTorch that is built for CUDA (a GPU is not needed)"
)


@pytest.mark.parametrize("precision", list(DTYPES))
@pytest.mark.parametrize("registered", [False, True], ids=["aligned", "registered"])
@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("encoder_size", [None, (70, 93)])
def test_everything_is_on_the_gpu(precision, registered, count, encoder_size):
    """Fake tensors refuse to meet others, and those of another device."""
    pipeline, thermal_size = Pipeline(build_network(NetworkConfig()), Operators(), DTYPES[precision]), (96, 128)
    if registered:
        thermal_size = 80, 100
        pipeline = RegisteredPipeline(pipeline, shifted((96, 128), thermal_size, 3.3))
    with FakeTensorMode(), torch.inference_mode():
        state = {
            name: torch.empty(tensor.shape, dtype=tensor.dtype, device="cuda")
            for name, tensor in (*pipeline.named_parameters(), *pipeline.named_buffers())
        }
        rgb = torch.empty(count, 96, 128, 3, dtype=torch.uint8, device="cuda")
        thermal = torch.empty(count, *thermal_size, dtype=torch.uint8, device="cuda")
        fused, labels = functional_call(pipeline, state, (rgb, thermal, encoder_size))
    assert (fused.shape, fused.dtype, fused.device.type) == (rgb.shape, torch.uint8, "cuda")
    assert (labels.shape, labels.dtype, labels.device.type) == (rgb.shape[:3], torch.uint8, "cuda")
