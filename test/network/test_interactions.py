"""The modules of the paper's ablations: shapes, what they compute against plain formulas, what they are made of."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from mrfs_ros.config import SEMANTIC_ATTENTIONS, VISUAL_ATTENTIONS, NetworkConfig
from mrfs_ros.errors import ConfigError
from mrfs_ros.network import build_network
from mrfs_ros.network.interactions import semantic_attention, visual_attention
from mrfs_ros.network.pc_att import CrossAttention

SHAPE = 8, 2, 2  # channels, heads, reduction


def features(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(2, 8, 4, 6, generator=draw), torch.randn(2, 8, 4, 6, generator=draw)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("kind", VISUAL_ATTENTIONS)
def test_visual_features_keep_their_shape(kind):
    x1, x2 = features()
    y1, y2 = visual_attention(kind, *SHAPE)(x1, x2)
    assert y1.shape == x1.shape and y2.shape == x2.shape


@pytest.mark.parametrize("kind", SEMANTIC_ATTENTIONS)
def test_semantic_features_have_the_shape_of_one_modality(kind):
    x1, x2 = features()
    assert semantic_attention(kind, *SHAPE)(x1, x2).shape == x1.shape


def test_without_exchange_nothing_changes_and_without_cycle_features_add_up():
    x1, x2 = features()
    y1, y2 = visual_attention("none", *SHAPE)(x1, x2)
    assert torch.equal(y1, x1) and torch.equal(y2, x2)
    assert torch.equal(semantic_attention("none", *SHAPE)(x1, x2), x1 + x2)


def test_pooled_exchange_is_squeeze_and_excitation_across_modalities():
    torch.manual_seed(0)
    module = visual_attention("pooled", *SHAPE).double()
    x1, x2 = (x.double() for x in features())
    y1, y2 = (y.detach().numpy() for y in module(x1, x2))
    first, _, second = module.mlp
    a, b = x1.numpy(), x2.numpy()
    averages = np.concatenate((a.mean((2, 3)), b.mean((2, 3))), axis=1)
    hidden = np.maximum(averages @ first.weight.detach().numpy().T + first.bias.detach().numpy(), 0)
    weights = sigmoid(hidden @ second.weight.detach().numpy().T + second.bias.detach().numpy())
    np.testing.assert_allclose(y1, a + weights[:, 8:, None, None] * b, rtol=1e-12)
    np.testing.assert_allclose(y2, b + weights[:, :8, None, None] * a, rtol=1e-12)


@pytest.mark.parametrize("module", ["visual transformer", "semantic cross"])
def test_transformer_modules_let_each_modality_ask_the_other(module):
    """Values of the other modality alone: with output Linears of one and no residual they are all that is left."""
    torch.manual_seed(0)
    visual = module.startswith("visual")
    built = visual_attention("transformer", *SHAPE) if visual else semantic_attention("cross", *SHAPE)
    x1, x2 = features()
    before = built(x1, x2)
    for part in (built.rgb_to_thermal, built.thermal_to_rgb):
        assert isinstance(part, CrossAttention)
    nn.init.zeros_(built.rgb_to_thermal.kv2.weight)  # rgb hears nothing of thermal any more
    after = built(x1, x2)
    if visual:
        assert not torch.allclose(before[0], after[0]) and torch.equal(before[1], after[1])
        tokens = x1.flatten(2).transpose(1, 2)
        alone = built.rgb_to_thermal.proj(tokens).transpose(1, 2).reshape(x1.shape)
        torch.testing.assert_close(after[0], alone)
    else:
        assert not torch.allclose(before, after)


def test_the_cycle_of_convolutions_goes_the_way_of_pc_att():
    """Thermal into rgb's answer, and rgb into that: without its last step's second input, thermal has no effect."""
    torch.manual_seed(0)
    module = semantic_attention("convolution", *SHAPE)
    x1, x2 = features()
    other = x2 + 1
    assert not torch.allclose(module(x1, x2), module(x1, other))
    with torch.no_grad():
        module.answer_into_rgb.mix.weight[:, 8:] = 0
    torch.testing.assert_close(module(x1, x2), module(x1, other))
    torch.testing.assert_close(module(x1, x2), module.out(module.answer_into_rgb(module.rgb(x1), x2)))


def test_unknown_kinds_are_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match="visual_attention: expected one of igm, pooled, transformer, none, got 'se'"):
        visual_attention("se", *SHAPE)
    with pytest.raises(ConfigError, match="semantic_attention: expected one of pc, cross, convolution, none, got ''"):
        semantic_attention("", *SHAPE)
    with pytest.raises(ConfigError, match="visual_attention"):
        build_network(NetworkConfig(visual_attention="se"))


@pytest.mark.parametrize("visual", VISUAL_ATTENTIONS)
@pytest.mark.parametrize("semantic", SEMANTIC_ATTENTIONS)
def test_fresh_networks_pass_a_signal_on(visual, semantic):
    """Two different pairs give clearly different features at every stage: nothing vanishes at the start of training."""
    network = build_network(NetworkConfig(visual_attention=visual, semantic_attention=semantic, head_width=16)).eval()
    draw = torch.Generator().manual_seed(1)
    rgb, thermal = torch.rand(2, 3, 32, 64, generator=draw), torch.rand(2, 1, 32, 64, generator=draw)
    with torch.no_grad():
        features = network.features(rgb, thermal)
    for maps in features:
        for x in maps:
            assert (x[0] - x[1]).std() > 0.02
