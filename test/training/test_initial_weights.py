"""Weights that a training run begins with: of another run, or of pretrained encoders."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from toy_run import CLASSES, one_step, trainer_of, weights

from mrfs_ros.checkpoint import read_checkpoint, save_checkpoint
from mrfs_ros.config import NetworkConfig
from mrfs_ros.errors import ConfigError
from mrfs_ros.network import build_network
from mrfs_ros.training.logit_shift import KEY
from mrfs_ros.types import ClassSet, numbered_hues

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small_encoders", "tidy")]

OWN = ClassSet("own", tuple(CLASSES), numbered_hues(len(CLASSES)))


@pytest.fixture(scope="module")
def given(tmp_path_factory, small_encoders) -> Path:
    """Weights for three classes, of another seed than the settings'."""
    path = tmp_path_factory.mktemp("given") / "given.safetensors"
    save_checkpoint(path, build_network(NetworkConfig(num_classes=3, head_width=8), seed=99), OWN, {})
    return path


def test_a_run_begins_with_given_weights(settings, given):
    expected = weights(given)
    fresh, _ = trainer_of(settings())
    assert not torch.equal(fresh.network.aux_head.CNN_fuse[3].weight, expected["aux_head.CNN_fuse.3.weight"])
    trainer, datasets = trainer_of(settings(init=str(given)))
    assert all(torch.equal(tensor, expected[name]) for name, tensor in trainer.network.state_dict().items())
    one_step(trainer, datasets)
    assert not torch.equal(trainer.network.aux_head.CNN_fuse[3].weight, expected["aux_head.CNN_fuse.3.weight"])


@pytest.mark.parametrize(
    "changes, text",
    [
        ({"class_names": ["a", "b", "c", "d"]}, "has num_classes 3, the settings ask for 4"),
        ({"variant": "mit_b1"}, "has variant mit_b0, the settings ask for mit_b1"),
        ({"head_width": 16}, "has head_width 8, the settings ask for 16"),
    ],
)
def test_given_weights_of_another_network(settings, given, changes, text):
    with pytest.raises(ConfigError, match=rf"^init: .*given\.safetensors {text}"):
        trainer_of(settings(init=str(given), **changes))


def test_pretrained_encoders_go_into_both(tmp_path, settings):
    donor = build_network(NetworkConfig(head_width=8), seed=7).backbone
    torch.save({n: t for n, t in donor.state_dict().items() if not n.startswith("extra")}, tmp_path / "mit_b0.pth")
    trainer, _ = trainer_of(settings(pretrained="mit_b0.pth"))
    for encoder in ("block3", "extra_block3"):
        weight = getattr(trainer.network.backbone, encoder)[0].mlp.fc1.weight
        assert torch.equal(weight, donor.block3[0].mlp.fc1.weight)


@pytest.fixture
def shifted(tmp_path, given) -> Path:
    """The given weights with shifted logits, as ``shift_logits`` leaves them."""
    checkpoint = read_checkpoint(given)
    network = checkpoint.network()
    with torch.no_grad():
        network.decode_head.linear_pred.bias[1] += 2.5
    path = tmp_path / "shifted.safetensors"
    save_checkpoint(path, network, checkpoint.classes, {KEY: {"warm": 2.5}})
    return path


def test_a_run_goes_on_without_the_shifts_of_its_start(settings, given, shifted):
    plain, again = (trainer_of(settings(init=str(path)))[0] for path in (given, shifted))
    assert torch.allclose(again.network.decode_head.linear_pred.bias, plain.network.decode_head.linear_pred.bias)
    assert KEY not in again.provenance({}, [], {})


def test_a_segmentation_head_that_does_not_learn_keeps_its_shifts(settings, given, shifted):
    trainer, _ = trainer_of(settings(init=str(shifted), learn=["fusion_head"]))
    before = read_checkpoint(shifted).network().decode_head.linear_pred.bias
    assert torch.equal(trainer.network.decode_head.linear_pred.bias, before)
    assert trainer.provenance({}, [], {})[KEY] == {"warm": 2.5}
