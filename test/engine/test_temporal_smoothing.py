"""Temporal smoothing of the logits: against its formula, and when it starts anew."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from reference import reference_network

from mrfs_ros.config import NetworkConfig
from mrfs_ros.engine import load_engine
from mrfs_ros.engine.eager import EagerEngine
from mrfs_ros.engine.encoder_side import EncoderSide
from mrfs_ros.engine.operators.plain import PlainOperators
from mrfs_ros.engine.protocol import EngineInfo
from mrfs_ros.engine.temporal_smoothing import TemporalSmoothing, smoothed
from mrfs_ros.engine.torch_engine import RewrittenEngine
from mrfs_ros.errors import ConfigError
from mrfs_ros.preprocess import PairImages
from mrfs_ros.process import process_pairs
from mrfs_ros.types import MFNET

SECOND_NS = 10**9
CPU = torch.device("cpu")


def averages(smoothing: TemporalSmoothing, values: list[float], stamps_ns=()) -> list[float]:
    """The running average of one number."""
    smoothing.follow(stamps_ns)
    return smoothed(torch.tensor(values)[:, None], smoothing.average(len(values), (1,), CPU)).flatten().tolist()


def test_it_is_an_exponential_average():
    smoothing = TemporalSmoothing(0.75)
    assert averages(smoothing, [4.0]) == [4.0]
    assert averages(smoothing, [8.0, 0.0]) == [5.0, 3.75]
    assert averages(smoothing, [3.75]) == [3.75]


@pytest.mark.parametrize(
    "stamps_ns, expected",
    [
        ((0, SECOND_NS, 2 * SECOND_NS), [4, 6, 3]),
        ((0, 0, 0), [4, 6, 3]),  # twice the same stamp is no jump
        ((None, None, None), [4, 6, 3]),
        ((0, SECOND_NS + 1, SECOND_NS + 2), [4, 8, 4]),  # a gap
        ((5, 6, 4), [4, 6, 0]),  # back in time: a bag that loops
        ((0, None, SECOND_NS + 1), [4, 6, 0]),
    ],
)
@pytest.mark.parametrize("at_once", [True, False])
def test_it_starts_anew_after_a_jump_or_gap_of_the_stamps(stamps_ns, expected, at_once):
    smoothing, values = TemporalSmoothing(0.5), [4.0, 8.0, 0.0]
    if at_once:
        assert averages(smoothing, values, stamps_ns) == expected
    else:
        assert [averages(smoothing, [x], [stamp])[0] for x, stamp in zip(values, stamps_ns)] == expected


@pytest.mark.parametrize("share", [-0.1, 0.96, 1.0, float("nan")])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(ConfigError, match=r"temporal_smoothing: expected 0 \(off\) to 0\.95, got"):
        TemporalSmoothing(share)


@pytest.fixture(scope="module")
def network():
    return reference_network(NetworkConfig(head_width=32))


@pytest.fixture(params=["eager", "torch-plain"])
def engine(request, network):
    info = EngineInfo(request.param, "cpu", "mit_b0", MFNET, "")
    return EagerEngine(network, info) if request.param == "eager" else RewrittenEngine(network, info, PlainOperators())


def frames(count: int, seed: int = 0) -> list[PairImages]:
    rng = np.random.default_rng(seed)
    shapes = ((48, 64, 3), (48, 64))
    return [PairImages(*(rng.integers(0, 256, s, dtype=np.uint8) for s in shapes), stamp_ns=i) for i in range(count)]


def test_labels_are_those_of_the_averaged_logits(engine, network):
    pairs, share = frames(3), 0.5
    average, expected = None, []
    for pair in pairs:
        images = (torch.from_numpy(x).float().div(255) for x in (pair.rgb.transpose(2, 0, 1), pair.thermal[None]))
        with torch.no_grad():
            logits = network(*(x[None] for x in images)).logits
        average = logits if average is None else share * average + (1 - share) * logits
        expected.append(average.argmax(1)[0].numpy())
    plain = [done.result.labels for done in process_pairs(engine, pairs)]
    engine.use_temporal_smoothing(share)
    for at_once in (True, False):
        batches = [pairs] if at_once else [[pair] for pair in pairs]
        labels = [done.result.labels for batch in batches for done in process_pairs(engine, batch)]
        assert all((a == b).mean() > 0.999 for a, b in zip(labels, expected))
        assert (labels[2] != plain[2]).mean() > 0.01  # it does something here
        # The second round begins with a stamp that falls back, and so anew.


def test_the_fused_image_is_left_alone(engine):
    pairs = frames(2)
    before = [done.result.fused for done in process_pairs(engine, pairs)]
    engine.use_temporal_smoothing(0.9)
    after = [done.result.fused for done in process_pairs(engine, pairs)]
    assert np.array_equal(before, after)


def test_images_or_encoders_of_another_size_start_anew(engine):
    pairs = frames(2)
    alone = process_pairs(engine, pairs[1:])[0].result.labels
    engine.use_temporal_smoothing(0.9)
    process_pairs(engine, pairs[:1])
    assert not np.array_equal(process_pairs(engine, pairs[1:])[0].result.labels, alone)
    process_pairs(engine, [PairImages(pairs[0].rgb[:40], pairs[0].grey[:40], stamp_ns=1)])
    assert np.array_equal(process_pairs(engine, pairs[1:])[0].result.labels, alone)
    if engine.info.backend == "torch-plain":  # eager averages logits of the image's size, whatever the encoders see
        engine.use_encoder_side(EncoderSide(32))
        process_pairs(engine, pairs[:1])
        engine.use_encoder_side(EncoderSide(0))
        assert np.array_equal(process_pairs(engine, pairs[1:])[0].result.labels, alone)


def test_off_is_off(engine):
    pairs = frames(2)
    expected = [done.result.labels for done in process_pairs(engine, pairs)]
    engine.use_temporal_smoothing(0.9)
    engine.use_temporal_smoothing(0)
    assert np.array_equal([done.result.labels for done in process_pairs(engine, pairs)], expected)


def test_load_engine_passes_it_on_and_auto_takes_a_backend_that_can(tiny_weights):
    engine = load_engine(tiny_weights, device="cpu", temporal_smoothing=0.5)
    assert engine.smoothing.share == 0.5
    assert engine.has_logits
    assert load_engine(tiny_weights, device="cpu", backend="eager").smoothing is None


def test_a_backend_that_gives_labels_refuses_it(tiny_weights):
    pytest.importorskip("onnxruntime", reason="needs ONNX Runtime: pip install 'mrfs_ros[onnx]'")
    with pytest.raises(ConfigError, match="temporal_smoothing: backend onnx gives labels, no logits: use backend"):
        load_engine(tiny_weights, device="cpu", backend="onnx", temporal_smoothing=0.5)
