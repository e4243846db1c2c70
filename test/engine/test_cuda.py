"""The CUDA engine against the paper's graph in float32 on the CPU; skipped where there is no GPU."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mrfs_ros import load_engine
from mrfs_ros.errors import ImageError
from mrfs_ros.geometry.warp import make_warp, outside_fused

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device; this PyTorch sees none")
FUSED = {"fp32": 1, "fp16": 2, "bf16": 8}  # largest difference allowed, of 255
LABELS = {"fp32": 0.9999, "fp16": 0.995, "bf16": 0.98}


@pytest.fixture(scope="module")
def expected(sample_pair):
    return load_engine(device="cpu", backend="eager")(*sample_pair)


@pytest.fixture(scope="module")
def engine():
    return load_engine(device="cuda", backend="torch")


@pytest.mark.parametrize("precision", list(FUSED))
def test_the_cpus_result(expected, sample_pair, precision):
    result = load_engine(device="cuda", backend="torch", precision=precision)(*sample_pair)
    assert np.abs(result.fused.astype(int) - expected.fused).max() <= FUSED[precision]
    assert (result.labels == expected.labels).mean() >= LABELS[precision]


def test_the_same_pair_gives_the_same_bytes_and_results_are_the_callers_own(engine, sample_pair):
    first = engine(*sample_pair)
    kept = first.fused.copy(), first.labels.copy()
    other = engine(sample_pair[0][::-1].copy(), sample_pair[1][::-1].copy())
    again = engine(*sample_pair)
    assert (first.fused == kept[0]).all()
    assert (first.labels == kept[1]).all()
    assert (again.fused == kept[0]).all()
    assert not (other.fused == kept[0]).all()


def test_sizes_in_turn_and_batches(engine, sample_pair):
    rgb, thermal = sample_pair
    for height, width in ((96, 128), (61, 75), (96, 128)):
        pair = rgb[:height, :width].copy(), thermal[:height, :width].copy()
        expected = load_engine(device="cpu", backend="eager")(*pair)
        assert np.abs(engine(*pair).fused.astype(int) - expected.fused).max() <= FUSED["fp16"]
        fused, _ = engine.batch(np.stack([pair[0], pair[0][::-1]]), np.stack([pair[1], pair[1][::-1]]))
        assert np.abs(fused[0].astype(int) - expected.fused).max() <= FUSED["fp16"]


def test_confidence_is_near_the_cpus(engine, sample_pair):
    on_cpu = load_engine(device="cpu", backend="eager")(*sample_pair, confidence=True).confidence.astype(int)
    difference = np.abs(engine(*sample_pair, confidence=True).confidence - on_cpu)
    assert np.median(difference) <= 1 and np.percentile(difference, 99) <= 16


def test_thermal_is_warped_on_the_gpu_as_on_the_cpu(engine, sample_pair):
    """Two warps in turn through one graph, then a batch; the CPU warps for the same engine to compare with."""
    rgb, thermal = sample_pair
    height, width = thermal.shape
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    small = thermal[: height - 40, : width - 60].copy()
    for shift in (7.3, 25.5, 7.3):
        warp = make_warp(np.stack((x - shift, 0.95 * y - 6.0), axis=-1), small.shape)
        expected = outside_fused(engine(rgb, warp(small)), rgb, warp.valid)
        for count in (1, 2):
            fused, labels = engine.registered(np.stack([rgb] * count), np.stack([small] * count), warp)
            assert (np.abs(fused.astype(int) - expected.fused) <= FUSED["fp16"]).all()
            assert (fused[:, ~warp.valid] == rgb[~warp.valid]).all()
            assert (labels == expected.labels).mean() >= LABELS["fp16"]


def test_out_of_memory_is_one_clear_error_and_the_engine_goes_on(engine, sample_pair):
    before = engine(*sample_pair)
    _, total = torch.cuda.mem_get_info()
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + 2**26) / total)
    try:
        with pytest.raises(ImageError, match="out of memory for 1 pair") as error:
            engine(np.zeros((2000, 3000, 3), np.uint8), np.zeros((2000, 3000), np.uint8))
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert error.value.reason == "out_of_memory"
    after = engine(*sample_pair)
    assert (after.fused == before.fused).all()


def test_auto_takes_the_graph_and_says_so():
    engine = load_engine(device="cuda")
    assert engine.info.backend == "torch"
    assert "fp16, CUDA graph" in str(engine.info)
    assert "GPU" in engine.device_report()
