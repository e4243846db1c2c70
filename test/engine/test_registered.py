"""The warp in PyTorch: the same bytes as OpenCV's and as cutting results on the host, here on the CPU."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mrfs_ros.engine.registered import RegisteredPipeline
from mrfs_ros.geometry.warp import Warp, make_warp, outside_fused
from mrfs_ros.types import UNLABELLED, FusionResult

SIZE, THERMAL_SIZE = (72, 96), (60, 80)


class Tracing(torch.nn.Module):
    """A stand-in for the network whose results show what reached it: fused = inverted rgb, labels = thermal."""

    def forward(
        self,
        rgb: torch.Tensor,
        thermal: torch.Tensor,
        encoder_size: tuple[int, int] | None = None,
        average=None,
        confidence: bool = False,
    ) -> tuple[torch.Tensor, ...]:
        return 255 - rgb, thermal.clone(), *([255 - thermal] if confidence else [])


def turned(scale: float = 0.9, turn_deg: float = 8.0, right: float = 4.3, down: float = -3.7) -> Warp:
    x, y = np.meshgrid(np.arange(SIZE[1]), np.arange(SIZE[0]))
    cos, sin = scale * math.cos(math.radians(turn_deg)), scale * math.sin(math.radians(turn_deg))
    return make_warp(np.stack((cos * x - sin * y + right, sin * x + cos * y + down), axis=-1), THERMAL_SIZE)


def images(seed: int, count: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, *SIZE, 3), np.uint8), rng.integers(0, 256, (count, *THERMAL_SIZE), np.uint8)


@settings(max_examples=60, deadline=None)
@given(
    warp=st.builds(turned, st.floats(0.2, 3.0), st.floats(-180, 180), st.floats(-60, 90), st.floats(-60, 90)),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_bytes_of_opencv(warp, seed):
    _, thermal = images(seed, 2)
    warped = RegisteredPipeline(Tracing(), warp).warped(torch.from_numpy(thermal))
    assert warped.dtype == torch.uint8
    assert (warped.numpy() == np.stack([warp(one) for one in thermal])).all()


def test_the_result_is_cut_as_on_the_host():
    warp = turned()
    rgb, thermal = images(1, 3)
    fused, labels = RegisteredPipeline(Tracing(), warp)(torch.from_numpy(rgb), torch.from_numpy(thermal))
    assert fused.dtype == labels.dtype == torch.uint8
    assert 0.5 < warp.valid.mean() < 0.95
    for i in range(3):
        expected = outside_fused(FusionResult(255 - rgb[i], warp(thermal[i])), rgb[i], warp.valid)
        assert (fused[i].numpy() == expected.fused).all()
        assert (labels[i].numpy() == expected.labels).all()
        assert (labels[i].numpy()[~warp.valid] == UNLABELLED).all()


def test_another_warp_goes_into_the_same_tables():
    first, second = turned(), turned(turn_deg=-20.0)
    pipeline = RegisteredPipeline(Tracing(), first)
    places = [table.data_ptr() for table in pipeline.buffers()]
    _, thermal = images(2)
    pipeline.take(second)
    assert [table.data_ptr() for table in pipeline.buffers()] == places
    assert (pipeline.warped(torch.from_numpy(thermal))[0].numpy() == second(thermal[0])).all()
    pipeline.take(first)
    assert (pipeline.warped(torch.from_numpy(thermal))[0].numpy() == first(thermal[0])).all()


def test_a_warp_between_other_sizes_is_refused():
    pipeline = RegisteredPipeline(Tracing(), turned())
    for other in (make_warp(np.zeros((*SIZE, 2)), (61, 80)), make_warp(np.zeros((72, 95, 2)), THERMAL_SIZE)):
        with pytest.raises(ValueError, match="expected a warp of sizes"):
            pipeline.take(other)
