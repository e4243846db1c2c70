"""Engines: arrays in, results out, and refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from mrfs_ros import FusionResult, load_engine, load_network
from mrfs_ros.camera.gray import to_gray
from mrfs_ros.config import BACKENDS
from mrfs_ros.errors import CheckpointError, ConfigError, ImageError
from mrfs_ros.types import MFNET


@pytest.fixture(scope="module")
def engine(tiny_weights):
    return load_engine(tiny_weights, device="cpu", backend="eager")


def test_result_is_the_networks_rounded_output(engine, tiny_weights, small_pair):
    rgb, thermal = small_pair
    result = engine(rgb, thermal)
    network = load_network(tiny_weights)
    with torch.no_grad():
        logits, fused = network(
            torch.from_numpy(rgb).permute(2, 0, 1)[None] / 255, torch.from_numpy(thermal)[None, None] / 255
        )
    assert isinstance(result, FusionResult)
    expected = fused[0].permute(1, 2, 0).numpy() * 255
    assert np.abs(result.fused - expected).max() <= 0.5 + 1e-3
    agree = result.labels == logits[0].argmax(0).numpy()
    assert agree.mean() > 0.999
    assert len(np.unique(result.labels)) > 1


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (96, 100)])
def test_any_size_from_32_up(engine, size):
    result = engine(np.zeros((*size, 3), np.uint8), np.zeros(size, np.uint8))
    assert result.fused.shape == (*size, 3)
    assert result.labels.shape == size


def test_read_only_and_strided_inputs_give_the_same(engine, small_pair):
    rgb, thermal = small_pair
    expected = engine(rgb, thermal)
    frozen = np.frombuffer(rgb.tobytes(), np.uint8).reshape(rgb.shape)
    wide = np.repeat(thermal, 2, axis=1)[:, ::2]
    result = engine(frozen, wide)
    assert not frozen.flags.writeable
    assert not wide.flags.c_contiguous
    assert (result.fused == expected.fused).all()
    assert (result.labels == expected.labels).all()


@pytest.mark.parametrize(
    "rgb, thermal, reason, text",
    [
        (np.zeros((64, 64), np.uint8), np.zeros((64, 64), np.uint8), "rgb_type", "got (64, 64) uint8"),
        (np.zeros((64, 64, 3), np.float32), np.zeros((64, 64), np.uint8), "rgb_type", "float32"),
        (np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64, 1), np.uint8), "thermal_type", "(64, 64, 1)"),
        (np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64), np.uint16), "thermal_type", "uint16"),
        (np.zeros((64, 64, 3), np.uint8), np.zeros((64, 65), np.uint8), "size_mismatch", "rgb is 64x64 (HxW)"),
        (np.zeros((1, 1, 3), np.uint8), np.zeros((1, 1), np.uint8), "too_small", "at least 32x32 pixels, got 1x1"),
        ([1, 2], np.zeros((64, 64), np.uint8), "rgb_type", "got list"),
    ],
)
def test_other_pairs_are_refused(engine, rgb, thermal, reason, text):
    with pytest.raises(ImageError) as error:
        engine(rgb, thermal)
    assert error.value.reason == reason
    assert text in str(error.value)


def test_info_says_what_runs(engine, tiny_weights):
    assert (engine.info.variant, engine.info.classes, engine.info.backend) == ("mit_b0", MFNET, "eager")
    assert not engine.info.untrained
    assert str(tiny_weights) in str(engine.info)
    assert engine.device_report() == {"torch threads": str(torch.get_num_threads())}


def test_random_weights_say_that_they_are_untrained():
    engine = load_engine("untrained", classes="FMB")
    assert engine.info.untrained
    assert "UNTRAINED" in str(engine.info)
    assert len(engine.info.classes) == 15


def test_without_weights_it_is_the_model_that_comes_along(sample_pair):
    engine = load_engine(device="cpu")
    assert not engine.info.untrained
    assert Path(engine.info.weights).name == "mrfs_b0_street.safetensors"
    assert engine.info.classes == MFNET
    rgb, thermal = sample_pair
    result = engine(rgb, thermal)
    # It has learnt to fuse, and to find the people and cars of this frame; no class that it never saw.
    brighter = np.maximum(to_gray(rgb), thermal)
    assert np.corrcoef(to_gray(result.fused).ravel(), brighter.ravel())[0, 1] > 0.9
    assert set(np.unique(result.labels)) <= {0, 1, 2, 3, 7}
    assert (result.labels == 1).mean() > 0.005
    assert (result.labels == 2).mean() > 0.005


@pytest.mark.parametrize(
    "arguments, error, text",
    [
        ({"weights": "nowhere.pth"}, CheckpointError, "no weights file at"),
        ({"backend": "magic"}, ConfigError, f"unknown backend 'magic': expected one of {', '.join(BACKENDS)}"),
        ({"device": "abacus"}, ConfigError, "unknown device 'abacus': expected auto, cpu, cuda or cuda:N"),
        ({"device": "mps"}, ConfigError, "device 'mps' is not supported"),
        ({"device": "cuda:99"}, ConfigError, "device 'cuda:99' is not there"),
        ({"weights": "untrained", "classes": "Mars"}, ConfigError, "unknown class set 'Mars'"),
    ],
)
def test_wishes_that_cannot_be_met(arguments, error, text):
    with pytest.raises(error) as raised:
        load_engine(**arguments)
    assert text in str(raised.value)
