"""Every field of ``NetworkConfig`` changes something that can be observed of the network; a new field fails here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pytest
import torch
from torch import nn

from mrfs_ros.config import NetworkConfig
from mrfs_ros.network import build_network

NARROW = {"head_width": 8}
STEADY = {"head_width": 8, "dropout": 0.0, "drop_path": 0.0}


def shapes(part: str) -> Callable[[NetworkConfig], Any]:
    """The names and shapes of the weights of one part."""

    def observe(config: NetworkConfig) -> Any:
        weights = build_network(config).get_submodule(part).state_dict()
        return {name: tensor.shape for name, tensor in weights.items()}

    return observe


def logits_shape(config: NetworkConfig) -> Any:
    with torch.no_grad():
        return build_network(config).eval()(torch.zeros(1, 3, 32, 32), torch.zeros(1, 1, 32, 32)).logits.shape


def norms(config: NetworkConfig) -> Any:
    """What all BatchNorms make of one."""
    network = build_network(config).eval()
    layers = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    with torch.no_grad():
        (value,) = {module(torch.ones(1, module.num_features, 1, 1))[0, 0, 0, 0].item() for module in layers}
    return value


def answers(config: NetworkConfig, *, head: int) -> Any:
    """One head's output in training, where chance plays a part; 0 = segmentation, 1 = fusion."""
    network = build_network(config).train()
    torch.manual_seed(1)
    rgb, thermal = torch.rand(2, 3, 32, 32), torch.rand(2, 1, 32, 32)
    with torch.no_grad():
        return network(rgb, thermal)[head].tolist()


# Field: what it changes, the settings beside it, and its other value.
OBSERVED: dict[str, tuple[Callable[[NetworkConfig], Any], dict[str, Any], Any]] = {
    "variant": (shapes("backbone.block1"), NARROW, "mit_b1"),
    "num_classes": (logits_shape, NARROW, 5),
    "head_width": (shapes("decode_head"), NARROW, 16),
    "batch_norm_eps": (norms, NARROW, 1e-2),
    "dropout": (lambda config: answers(config, head=0), STEADY, 0.5),
    "drop_path": (lambda config: answers(config, head=1), STEADY, 0.5),
    "visual_attention": (shapes("backbone.IGMAVCs"), NARROW, "none"),
    "semantic_attention": (shapes("backbone.PCASCs"), NARROW, "none"),
}


@pytest.mark.usefixtures("small_encoders")
@pytest.mark.parametrize("name", [spec.name for spec in fields(NetworkConfig)])
def test_a_setting_changes_what_is_observed(name):
    assert name in OBSERVED, f"a setting that no test observes: say in OBSERVED what {name} changes"
    observe, beside, other = OBSERVED[name]
    config = NetworkConfig(**beside)
    assert observe(config) == observe(config)
    assert observe(config) != observe(replace(config, **{name: other}))


def test_nothing_is_left_over():
    assert OBSERVED.keys() == {spec.name for spec in fields(NetworkConfig)}
