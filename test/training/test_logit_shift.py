"""Shifts of the classes' logits: found where they help, nowhere else, and only once a file."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mrfs_ros.checkpoint import load_network, read_checkpoint, save_checkpoint
from mrfs_ros.data.dataset import DatasetConfig, PairDataset
from mrfs_ros.training.logit_shift import KEY, choose_shifts, shift_file
from mrfs_ros.types import MFNET

pytestmark = pytest.mark.slow  # seconds together: not for the core suite


def separable(seed: int = 0, pixels: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """Logits of four classes that are right everywhere, class 3 never occurring, and the labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, pixels)
    return 1.5 * np.eye(4)[labels] + rng.uniform(-0.1, 0.1, (pixels, 4)), labels


def test_right_logits_stay_as_they_are():
    assert choose_shifts(*separable()) == [0, 0, 0, 0]


@pytest.mark.parametrize("bias", [-2.5, 2.5])
def test_a_bias_is_found_and_taken_back(bias):
    logits, labels = separable()
    logits[:, 2] += bias
    shifts = choose_shifts(logits, labels)
    assert ((logits + shifts).argmax(axis=1) == labels).all()
    assert shifts[2] * bias < 0
    assert shifts[0] == shifts[1] == shifts[3] == 0


@given(st.integers(0, 100))
@settings(max_examples=20, deadline=None)
def test_the_mean_iou_never_falls(seed):
    rng = np.random.default_rng(seed)
    logits, labels = rng.normal(size=(200, 3)), rng.integers(0, 3, 200)

    def mean_iou(predicted):
        return np.mean([
            ((predicted == c) & (labels == c)).sum() / ((predicted == c) | (labels == c)).sum() for c in range(3)
        ])  # fmt: skip

    shifted = logits + choose_shifts(logits, labels)
    assert mean_iou(shifted.argmax(1)) >= mean_iou(logits.argmax(1))


def test_pixels_that_count_more_decide():
    """Half of the pixels want class 1 raised, half want it as it is: the weights decide."""
    labels = np.repeat([0, 1, 0, 1], 100)
    logits = np.zeros((400, 2))
    logits[:200, 1] = np.where(labels[:200] == 1, -1.0, -3.0)  # right after a shift of 2
    logits[200:, 1] = np.where(labels[200:] == 1, 1.0, -1.0)  # right as they are
    first = choose_shifts(logits, labels, np.repeat([1.0, 0.01], 200))
    second = choose_shifts(logits, labels, np.repeat([0.01, 1.0], 200))
    assert 1 < first[1] < 3
    assert second[1] == 0


def test_a_file_is_shifted_once(tiny_weights, tmp_path, small_pair):
    rgb, thermal = small_pair
    label = np.full_like(thermal, 2)  # people nearly everywhere
    label[:8] = 0
    for folder, image in (("rgb", rgb), ("thermal", thermal), ("label", label)):
        (tmp_path / folder).mkdir()
        assert cv2.imwrite(str(tmp_path / folder / "a.png"), image)
    datasets = [PairDataset(DatasetConfig(root=str(tmp_path), split="all"), MFNET)]
    path = tmp_path / "w.safetensors"
    network = load_network(tiny_weights)  # that says background, by one, whatever it sees
    with torch.no_grad():
        network.decode_head.linear_pred.weight.zero_()
        network.decode_head.linear_pred.bias.copy_(torch.tensor([1.0] + 8 * [0.0]))
    save_checkpoint(path, network, MFNET, {"made by": "this test"})
    named = shift_file(path, datasets, lambda network: {"mIoU": 0.25}, torch.device("cpu"))
    assert named == {"person": 1.25}
    checkpoint = read_checkpoint(path)
    assert checkpoint.provenance == {"made by": "this test", "scores": {"mIoU": 0.25}, KEY: named}
    assert load_network(path).decode_head.linear_pred.bias.tolist() == [1, 0, 1.25, 0, 0, 0, 0, 0, 0]
    again = path.read_bytes()
    assert shift_file(path, datasets, lambda network: {}, torch.device("cpu")) == named
    assert path.read_bytes() == again
