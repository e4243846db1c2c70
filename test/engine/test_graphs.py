"""The CUDA engine's handling of graphs, on recorded graphs: sizes in turn, batches, warps. No GPU takes part."""

from __future__ import annotations

import numpy as np
import pytest
import recorded_graphs
from warps import shifted

from mrfs_ros.engine.load import load_model
from mrfs_ros.engine.operators import Operators
from mrfs_ros.engine.torch_engine import GRAPHS_KEPT, CudaEngine, RewrittenEngine
from mrfs_ros.geometry.warp import outside_fused
from mrfs_ros.types import UNLABELLED, FusionResult


@pytest.fixture(scope="module")
def model(tiny_weights):
    return load_model(tiny_weights)


@pytest.fixture
def engine(model, monkeypatch):
    recorded_graphs.use(monkeypatch)
    return CudaEngine(model.network, model.info("torch", "cpu"), "fp32")


@pytest.fixture(scope="module")
def expected(model):
    """The same operations without graphs."""
    return RewrittenEngine(model.network, model.info("torch-plain", "cpu"), Operators())


def pairs(seed: int, size: tuple[int, int], thermal_size: tuple[int, int], count: int = 1):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, *size, 3), np.uint8), rng.integers(0, 256, (count, *thermal_size), np.uint8)


def test_new_frames_reach_a_captured_graph_and_results_are_the_callers_own(engine, expected):
    kept = []
    for seed in range(3):
        rgb, thermal = pairs(seed, (40, 56), (40, 56))
        result, plain = engine(rgb[0], thermal[0]), expected(rgb[0], thermal[0])
        kept.append((result, plain))
    for result, plain in kept:
        assert (result.fused == plain.fused).all() and (result.labels == plain.labels).all()
    assert len(engine._graphs) == 1


def test_sizes_and_batches_in_turn_keep_the_latest_graphs(engine, expected):
    shapes = [((32, 32 + 4 * i), 1 + i % 2) for i in range(GRAPHS_KEPT + 2)]
    for size, count in [*shapes, shapes[0], shapes[-1]]:
        rgb, thermal = pairs(count, size, size, count)
        fused, labels = engine.batch(rgb, thermal)
        plain_fused, plain_labels = expected.batch(rgb, thermal)
        assert (fused == plain_fused).all() and (labels == plain_labels).all()
    assert len(engine._graphs) == GRAPHS_KEPT


def test_confidence_has_graphs_of_its_own(engine, expected):
    size, thermal_size, warp = (48, 64), (40, 50), shifted((48, 64), (40, 50), 3.3, 2.5)
    for seed in range(2):
        rgb, thermal = pairs(seed, size, thermal_size, 2)
        warped = np.stack([warp(one) for one in thermal])
        plain = expected.batch(rgb, warped, confidence=True)
        got = engine.batch(rgb, warped, confidence=True)
        assert all((mine == other).all() for mine, other in zip(got, plain, strict=True))
        cut = engine.registered(rgb, thermal, warp, confidence=True)
        assert (cut[2] == plain[2] * warp.valid).all() and (cut[1][:, ~warp.valid] == UNLABELLED).all()
        assert len(engine.batch(rgb, warped)) == len(engine.registered(rgb, thermal, warp)) == 2
    assert len(engine._graphs) == 4


def test_one_graph_serves_every_warp_between_two_sizes(engine, expected):
    size, thermal_size = (48, 64), (40, 50)
    for seed, right in enumerate((3.3, 9.5, 3.3)):
        warp = shifted(size, thermal_size, right, 2.5)
        for count in (1, 2):
            rgb, thermal = pairs(seed, size, thermal_size, count)
            fused, labels = engine.registered(rgb, thermal, warp)
            warped = expected.batch(rgb, np.stack([warp(one) for one in thermal]))
            for i, plain in enumerate(FusionResult(*result) for result in zip(*warped)):
                cut = outside_fused(plain, rgb[i], warp.valid)
                assert (fused[i] == cut.fused).all() and (labels[i] == cut.labels).all()
    assert len(engine._graphs) == 2  # one for each batch size


def test_aligned_and_registered_pairs_of_the_same_sizes_do_not_meet(engine, expected):
    rgb, thermal = pairs(7, (40, 56), (40, 56))
    warp = shifted((40, 56), (40, 56), 6.25)
    registered = outside_fused(expected(rgb[0], warp(thermal[0])), rgb[0], warp.valid)
    aligned = expected(rgb[0], thermal[0])
    for _ in range(2):
        assert (engine.registered(rgb, thermal, warp)[0][0] == registered.fused).all()
        assert (engine(rgb[0], thermal[0]).fused == aligned.fused).all()
