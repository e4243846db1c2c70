"""Files of MiT weights, as SegFormer's and others are laid out, end in both encoders or in one clear error."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from safetensors.torch import save_file

from mrfs_ros.config import NetworkConfig
from mrfs_ros.errors import CheckpointError
from mrfs_ros.network import build_network
from mrfs_ros.training.pretrained import load_encoders

ENCODER = ("patch_embed", "block", "norm")


@pytest.fixture(scope="module")
def fresh():
    return build_network(NetworkConfig(head_width=8))


@pytest.fixture
def network(fresh):
    return deepcopy(fresh)


@pytest.fixture(scope="module")
def mit(fresh) -> dict[str, torch.Tensor]:
    """An encoder's tensors under SegFormer's names, unlike any fresh network's."""
    generator = torch.Generator().manual_seed(5)
    state = fresh.backbone.state_dict()
    return {n: torch.randn(t.shape, generator=generator) for n, t in state.items() if n.startswith(ENCODER)}


def save(path, weights):
    if path.suffix == ".safetensors":
        save_file(weights, path)
    else:
        torch.save(weights, path)
    return path


def assert_loaded(network, mit):
    state = network.backbone.state_dict()
    for name, tensor in mit.items():
        assert torch.equal(state[name], tensor), name
        assert torch.equal(state[f"extra_{name}"], tensor), name


def test_the_names_are_segformers(mit):
    assert {"patch_embed1.proj.weight", "block1.0.attn.kv.weight", "block4.1.mlp.dwconv.dwconv.bias", "norm4.bias"} < (
        mit.keys()
    )
    assert len(mit) > 100


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_both_encoders_get_the_weights_and_nothing_else_does(network, mit, tmp_path, suffix):
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    head = {"head.weight": torch.randn(1000, 256), "head.bias": torch.randn(1000)}
    load_encoders(network, save(tmp_path / f"mit_b0{suffix}", mit | head))
    assert_loaded(network, mit)
    changed = {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed == {f"backbone.{extra}{name}" for name in mit for extra in ("", "extra_")}


@pytest.mark.parametrize("prefix", ["", "backbone.", "encoder.", "module."])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_prefixes_of_other_training_codes(network, mit, tmp_path, prefix, suffix):
    load_encoders(network, save(tmp_path / f"mit{suffix}", {prefix + name: t for name, t in mit.items()}))
    assert_loaded(network, mit)


@pytest.mark.parametrize("wrapper", ["model", "state_dict"])
def test_weights_inside_a_training_state(network, mit, tmp_path, wrapper):
    load_encoders(network, str(save(tmp_path / "mit.pth", {wrapper: mit, "epoch": 3})))
    assert_loaded(network, mit)


def test_half_precision_files(network, mit, tmp_path):
    half = {name: tensor.half() for name, tensor in mit.items()}
    load_encoders(network, save(tmp_path / "mit.safetensors", half))
    assert_loaded(network, {name: tensor.float() for name, tensor in half.items()})


def test_the_encoders_go_apart_afterwards(network, mit, tmp_path):
    load_encoders(network, save(tmp_path / "mit.pth", mit))
    with torch.no_grad():
        network.backbone.norm1.weight.add_(1)
    assert torch.equal(network.backbone.extra_norm1.weight, mit["norm1.weight"])


def test_a_missing_tensor(network, mit, tmp_path):
    path = save(tmp_path / "mit.pth", {name: t for name, t in mit.items() if name != "block2.0.norm1.weight"})
    with pytest.raises(CheckpointError, match=r"mit.pth: block2.0.norm1.weight: expected \(64,\) of a mit_b0, got not"):
        load_encoders(network, path)


def test_a_larger_encoder(network, mit, tmp_path):
    path = save(tmp_path / "mit_b1.safetensors", {**mit, "patch_embed1.proj.weight": torch.zeros(64, 3, 7, 7)})
    with pytest.raises(
        CheckpointError, match=r"patch_embed1.proj.weight: expected \(32, 3, 7, 7\) of a mit_b0, got \(64, 3, 7, 7\)"
    ):
        load_encoders(network, path)


def test_a_file_of_something_else(network, tmp_path):
    path = save(tmp_path / "resnet.pth", {"conv1.weight": torch.zeros(64, 3, 7, 7)})
    with pytest.raises(
        CheckpointError, match=r"resnet\.pth: holds no MiT encoder: patch_embed1\.proj\.weight is missing"
    ):
        load_encoders(network, path)


def test_no_file(network, tmp_path):
    with pytest.raises(CheckpointError, match=r"no weights file at .*nowhere\.pth"):
        load_encoders(network, tmp_path / "nowhere.pth")
