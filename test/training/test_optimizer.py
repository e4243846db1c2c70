"""What is decayed and what is not, the learning rate's course, and the average against one worked out by hand."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from mrfs_ros.config import NetworkConfig
from mrfs_ros.network import build_network
from mrfs_ros.training.optimizer import adamw, averaged, rate_factor, set_rate


@pytest.fixture(scope="module")
def network():
    return build_network(NetworkConfig(head_width=8))


def groups_by_parameter(optimizer: torch.optim.Optimizer) -> dict[int, dict]:
    return {id(p): group for group in optimizer.param_groups for p in group["params"]}


def test_biases_and_norms_are_not_decayed(network):
    groups = groups_by_parameter(adamw(network, 1e-3, 0.02))
    kinds = {"matrices and kernels": 0, "biases": 0, "norm scales": 0}
    for module in network.modules():
        for name, parameter in module.named_parameters(recurse=False):
            norm = isinstance(module, (nn.LayerNorm, nn.BatchNorm2d))
            kind = "biases" if name == "bias" else "norm scales" if norm else "matrices and kernels"
            kinds[kind] += 1
            decay = 0.02 if kind == "matrices and kernels" else 0.0
            assert groups[id(parameter)]["weight_decay"] == decay, (module, name)
    assert min(kinds.values()) > 20


def test_every_parameter_is_there_once(network):
    listed = [id(p) for g in adamw(network, 1e-3, 0.01).param_groups for p in g["params"]]
    assert sorted(listed) == sorted(id(p) for p in network.parameters())


def test_settings_of_adamw(network):
    for group in adamw(network, 1e-3, 0.01).param_groups:
        assert (group["lr"], group["betas"], group["amsgrad"]) == (1e-3, (0.9, 0.999), False)


def test_heads_have_a_rate_of_their_own(network):
    optimizer = adamw(network, 1e-3, 0.01, head_rate=5.0)
    for factor in (1.0, 0.25, 0.0, 0.5):  # of the full rate, not of the last
        set_rate(optimizer, factor)
        groups = groups_by_parameter(optimizer)
        for name, parameter in network.named_parameters():
            full = 1e-3 if name.startswith("backbone.") else 5e-3
            assert groups[id(parameter)]["lr"] == pytest.approx(full * factor), name


def test_decay_shrinks_matrices_and_leaves_biases_and_scales(network):
    network = deepcopy(network)
    convolution, norm = network.aux_head.CNN_fuse[:2]
    for parameter in (*convolution.parameters(), *norm.parameters()):
        with torch.no_grad():
            parameter.fill_(2.0)
        parameter.grad = torch.zeros_like(parameter)  # AdamW passes over those without
    adamw(network, 0.5, 0.1).step()
    assert torch.equal(convolution.weight, torch.full_like(convolution.weight, 2 * (1 - 0.5 * 0.1)))
    for untouched in (convolution.bias, norm.weight, norm.bias):
        assert (untouched == 2).all()


@pytest.mark.parametrize(
    "step, warmup, progress, power, expected",
    [
        (0, 10, 0.0, 0.9, 0.1),
        (4, 10, 0.0, 0.9, 0.5),
        (9, 10, 0.0, 0.9, 1.0),
        (10, 10, 0.0, 0.9, 1.0),
        (0, 0, 0.0, 0.9, 1.0),
        (500, 10, 0.5, 1.0, 0.5),
        (500, 10, 0.75, 2.0, 0.0625),
        (4, 10, 0.5, 1.0, 0.25),
        (999, 10, 1.0, 0.9, 0.0),
        (999, 10, 1.2, 0.9, 0.0),
        (999, 10, 0.7, 0.0, 1.0),
    ],
)
def test_rate_factor(step, warmup, progress, power, expected):
    assert rate_factor(step, warmup, progress, power) == pytest.approx(expected, abs=1e-12)


@given(st.integers(0, 500), st.integers(0, 500), st.floats(0.1, 3))
def test_the_rate_rises_then_falls_to_zero(step, warmup, power):
    total = 1000
    course = [rate_factor(s, warmup, s / total, power) for s in (step, step + 1)]
    assert 0 < min(course) <= max(course) <= 1
    if step >= warmup:
        assert course[1] < course[0]
    assert rate_factor(total, warmup, 1.0, power) == 0


def norm_network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))


def tensors_of(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}


@pytest.mark.parametrize("decay", [0.0, 0.3, 0.999])
def test_the_average_by_hand(decay):
    """Weights and running statistics are averaged, the first are copied, counters follow."""
    torch.manual_seed(0)
    network = norm_network()
    average = averaged(network, decay)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.5)
    by_hand: dict[str, torch.Tensor] = {}
    for count in range(6):
        optimizer.zero_grad()
        network(torch.randn(8, 3) + count).square().mean().backward()
        optimizer.step()
        average.update_parameters(network)
        kept = min(decay, (1 + count) / (10 + count)) if count else 0.0
        for name, now in tensors_of(network).items():
            old = by_hand.get(name, now)
            by_hand[name] = kept * old.double() + (1 - kept) * now.double() if now.is_floating_point() else now
    result = tensors_of(average.module)
    assert result.keys() == by_hand.keys()
    for name, expected in by_hand.items():
        torch.testing.assert_close(result[name].double(), expected.double(), rtol=1e-6, atol=1e-7, msg=name)
    assert result["1.num_batches_tracked"].item() == 6
    assert result["1.num_batches_tracked"].dtype == torch.int64
    if decay:
        assert not torch.equal(result["1.running_mean"], network[1].running_mean)


def test_an_old_average_keeps_the_decay_it_was_given():
    network = norm_network()
    average = averaged(network, 0.999)
    average.update_parameters(network)
    average.n_averaged.fill_(10**6)
    with torch.no_grad():
        network[0].weight.add_(1)
    average.update_parameters(network)
    moved = average.module[0].weight - (network[0].weight - 1)
    torch.testing.assert_close(moved.detach(), torch.full_like(moved, 0.001), rtol=1e-3, atol=1e-6)


def test_the_average_leaves_the_network_alone():
    network = norm_network()
    average = averaged(network, 0.9)
    before = tensors_of(network)
    average.update_parameters(network)
    with torch.no_grad():
        average.module[0].weight.zero_()
    assert all(torch.equal(before[name], now) for name, now in tensors_of(network).items())
