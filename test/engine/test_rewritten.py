"""The rewritten network against the paper's graph, and the products of affine maps that it is made of."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from network_differences import differences, images
from reference import reference_network
from torch import Tensor, nn
from torch.nn import functional

from mrfs_ros.config import NetworkConfig
from mrfs_ros.engine.eager import EagerEngine
from mrfs_ros.engine.load import load_model
from mrfs_ros.engine.operators.native import NativeOperators
from mrfs_ros.engine.operators.plain import PlainOperators
from mrfs_ros.engine.protocol import EngineInfo
from mrfs_ros.engine.rewritten import RewrittenMRFS
from mrfs_ros.engine.rewritten.folding import affine, chain, identity, scaled, sum_of_inputs
from mrfs_ros.engine.rewritten.image_pipeline import Pipeline
from mrfs_ros.errors import MissingPackageError
from mrfs_ros.network import MRFS
from mrfs_ros.types import MFNET

SMALL = NetworkConfig(head_width=48)


@pytest.fixture(scope="module", params=["native", "plain"])
def operators(request) -> PlainOperators:
    if request.param == "plain":
        return PlainOperators()
    try:
        return NativeOperators(SMALL)
    except MissingPackageError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def network() -> MRFS:
    return reference_network(SMALL)


@pytest.fixture(scope="module")
def rewritten(network, operators) -> RewrittenMRFS:
    return RewrittenMRFS(network, operators)


@pytest.mark.parametrize("shape", [(1, 32, 32), (1, 33, 47), (1, 97, 131), (2, 64, 90), (1, 35, 250)])
def test_it_is_the_papers_graph(network, rewritten, shape):
    result = differences(network, rewritten, *images(*shape))
    assert result.are_rounding, result


def test_a_wider_encoder(operators):
    network = reference_network(NetworkConfig(variant="mit_b1", head_width=32))
    result = differences(network, RewrittenMRFS(network, operators), *images(1, 49, 70))
    assert result.are_rounding, result


def test_in_float64_only_the_rounding_of_the_weights_is_left():
    network = reference_network(SMALL)
    rewritten = RewrittenMRFS(network, PlainOperators()).double()
    result = differences(network.double(), rewritten, *(x.double() for x in images(1, 65, 90)))
    assert result.logits <= 2e-6
    assert result.fused <= 2e-7


@pytest.mark.parametrize("entry", ["running_mean", "running_var", "weight", "bias", "eps"])
def test_batch_norms_count(entry):
    network = reference_network(SMALL)
    before, pair = RewrittenMRFS(network, PlainOperators()), images(1, 40, 56)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d) and entry == "eps":
            module.eps = 0.3
        elif isinstance(module, nn.BatchNorm2d):
            getattr(module, entry).data.mul_(1.5).add_(0.1)
    assert not differences(network, before, *pair).are_rounding  # what was built earlier has the old ones
    result = differences(network, RewrittenMRFS(network, PlainOperators()), *pair)
    assert result.are_rounding, result


def test_no_parameter_of_the_reference_is_zero(network):
    """Or one that is forgotten would not be missed."""
    assert all(parameter.count_nonzero() > 0.99 * parameter.numel() for parameter in network.parameters())


def test_building_and_converting_leave_the_trained_network_alone(network):
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    RewrittenMRFS(network, PlainOperators()).bfloat16()
    for name, tensor in network.state_dict().items():
        assert tensor.dtype == state[name].dtype, name
        assert torch.equal(tensor, state[name]), name
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_a_batch_is_its_frames_one_by_one(rewritten):
    rgb, thermal = images(2, 45, 50)
    logits, fused = rewritten(rgb, thermal)
    for i in range(2):
        one_logits, one_fused = rewritten(rgb[i : i + 1], thermal[i : i + 1])
        torch.testing.assert_close(one_logits[0], logits[i], atol=1e-5, rtol=0)
        torch.testing.assert_close(one_fused[0], fused[i], atol=1e-6, rtol=0)


def test_inputs_are_left_alone(rewritten):
    pair = images(1, 40, 40)
    copies = [x.clone() for x in pair]
    rewritten(*pair)
    assert all(torch.equal(x, copy) for x, copy in zip(pair, copies))


def test_pipeline_on_bytes(network, operators):
    generator = np.random.default_rng(0)
    rgb = generator.integers(0, 256, (2, 61, 83, 3), dtype=np.uint8)
    thermal = generator.integers(0, 256, (2, 61, 83), dtype=np.uint8)
    fused, labels = Pipeline(network, operators)(torch.from_numpy(rgb), torch.from_numpy(thermal))
    eager = EagerEngine(network, EngineInfo("eager", "cpu", "mit_b0", MFNET, ""))
    expected_fused, expected_labels = eager.batch(rgb, thermal)
    assert fused.dtype == labels.dtype == torch.uint8
    assert np.abs(fused.numpy().astype(int) - expected_fused).max() <= 1
    assert (fused.numpy() == expected_fused).mean() > 0.999
    assert (labels.numpy() == expected_labels).mean() >= 0.9999


def test_the_model_that_comes_along(operators, sample_pair):
    model = load_model("")
    rgb, thermal = (torch.from_numpy(x[100:260, 384:576].copy())[None] for x in sample_pair)  # people and cars
    pair = rgb.float() / 255, thermal[..., None].float() / 255
    result = differences(model.network, RewrittenMRFS(model.network, operators), *pair)
    assert result.fused <= 1 / 255
    assert result.same_labels >= 0.9999


widths = st.integers(1, 6)
seeds = st.integers(0, 2**31)
examples = settings(max_examples=25, deadline=None, derandomize=True)


def trained(module: nn.Module, seed: int) -> nn.Module:
    """The module in float64 and eval mode with random parameters and statistics."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in module.double().state_dict().items():
        if tensor.is_floating_point():
            tensor.normal_(generator=generator)
            if name == "running_var":
                tensor.abs_().add_(0.1)
    return module.eval()


def numbers(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def close(result: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(result, expected, atol=1e-10, rtol=1e-10)


@examples
@given(seeds, widths, widths, st.booleans())
def test_affine_of_a_linear(seed, inputs, outputs, bias):
    module, x = trained(nn.Linear(inputs, outputs, bias), seed), numbers(seed, 7, inputs)
    close(functional.linear(x, *affine(module)), module(x))


@examples
@given(seeds, widths, widths, st.integers(1, 4), st.booleans())
def test_affine_of_a_convolution_takes_taps_row_by_row_channels_last(seed, inputs, outputs, kernel, bias):
    module = trained(nn.Conv2d(inputs, outputs, kernel, bias=bias), seed)
    x = numbers(seed, 3, inputs, kernel, kernel)  # one patch each
    close(functional.linear(x.permute(0, 2, 3, 1).flatten(1), *affine(module)), module(x).flatten(1))


@examples
@given(seeds, widths)
def test_affine_of_a_batch_norm(seed, channels):
    module, x = trained(nn.BatchNorm2d(channels, eps=0.01), seed), numbers(seed, 2, channels, 3, 4)
    result = functional.linear(x.permute(0, 2, 3, 1), *affine(module))
    close(result.permute(0, 3, 1, 2), module(x))


@examples
@given(seeds, st.integers(2, 6))
def test_affine_of_a_layer_norm_takes_standardised_rows(seed, channels):
    module, x = trained(nn.LayerNorm(channels), seed), numbers(seed, 5, channels)
    standardised = functional.layer_norm(x, (channels,), eps=module.eps)
    close(functional.linear(standardised, *affine(module)), module(x))


@examples
@given(seeds, widths, widths, widths, widths, st.integers(1, 3))
def test_chain_is_one_after_the_other(seed, inputs, first_width, second_width, outputs, kernel):
    linear = trained(nn.Linear(inputs, first_width), seed)
    patches = trained(nn.Conv2d(first_width, second_width, kernel, stride=kernel), seed + 1)
    norm = trained(nn.BatchNorm2d(second_width), seed + 2)
    last = trained(nn.Conv2d(second_width, outputs, 1), seed + 3)
    x = numbers(seed, 3, kernel, kernel, inputs)  # one patch each
    expected = last(norm(patches(linear(x).permute(0, 3, 1, 2)))).flatten(1)
    maps = [affine(module) for module in (linear, patches, norm, last)]
    close(functional.linear(x.flatten(1), *chain(*maps)), expected)
    close(functional.linear(x.flatten(1), *chain(chain(*maps[:2]), chain(*maps[2:]))), expected)


@examples
@given(seeds, widths, widths, st.floats(-3, 3))
def test_scaled_and_identity(seed, inputs, outputs, factor):
    module, x = trained(nn.Linear(inputs, outputs), seed), numbers(seed, 7, inputs)
    close(functional.linear(x, *scaled(affine(module), factor)), module(x) * factor)
    close(functional.linear(x, *chain(identity(inputs), affine(module), identity(outputs))), module(x))


@examples
@given(seeds, widths, widths, st.integers(1, 4))
def test_sum_of_inputs_takes_one_of_equal_channels(seed, channels, outputs, kernel):
    module, x = trained(nn.Conv2d(channels, outputs, kernel), seed), numbers(seed, 3, 1, kernel, kernel)
    result = functional.linear(x.flatten(1), *sum_of_inputs(affine(module), channels))
    close(result, module(x.expand(-1, channels, -1, -1)).flatten(1))
