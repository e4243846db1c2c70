"""Shapes, settings and errors of the network in all its variants."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mrfs_ros.config import NetworkConfig
from mrfs_ros.errors import ConfigError, ImageError
from mrfs_ros.network import MRFS, VARIANTS, build_network

PARAMETERS_M = {"mit_b0": 10.9, "mit_b1": 39.6, "mit_b2": 61.7, "mit_b4": 135.0}  # counted on the released definition


@pytest.fixture(scope="module")
def network() -> MRFS:
    return build_network(NetworkConfig(head_width=32)).eval()


@pytest.mark.parametrize("height, width", [(32, 32), (33, 47), (64, 96), (61, 130)])
def test_outputs_have_the_inputs_size(network, height, width):
    with torch.no_grad():
        logits, fused = network(torch.rand(2, 3, height, width), torch.rand(2, 3, height, width))
    assert logits.shape == (2, 9, height, width)
    assert fused.shape == (2, 3, height, width)
    assert fused.min() > 0
    assert fused.max() < 1


@pytest.mark.parametrize("classes", [5, 15])
def test_class_count_is_free(classes):
    network = build_network(NetworkConfig(num_classes=classes, head_width=32)).eval()
    with torch.no_grad():
        assert network(torch.rand(1, 3, 32, 32), torch.rand(1, 1, 32, 32)).logits.shape == (1, classes, 32, 32)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_runs(variant):
    with torch.device("meta"):
        network = MRFS(NetworkConfig(variant=variant)).eval()
        logits, fused = network(torch.rand(1, 3, 480, 640), torch.rand(1, 3, 480, 640))
    assert (logits.shape, fused.shape) == ((1, 9, 480, 640), (1, 3, 480, 640))
    if variant in PARAMETERS_M:
        assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(PARAMETERS_M[variant], abs=0.06)


def test_one_thermal_channel_equals_three(network):
    rgb, thermal = torch.rand(1, 3, 40, 40), torch.rand(1, 1, 40, 40)
    with torch.no_grad():
        assert torch.equal(network(rgb, thermal).logits, network(rgb, thermal.repeat(1, 3, 1, 1)).logits)


def test_layer_norm_eps_by_module():
    """1e-6 in blocks and at the end of stages; 1e-5 in patch embeddings and behind spatial reductions."""
    for name, module in build_network(NetworkConfig()).named_modules():
        if isinstance(module, nn.LayerNorm):
            early = "patch_embed" in name or ".attn.norm" in name or "PCASCs" in name
            assert module.eps == (1e-5 if early else 1e-6), name
        elif isinstance(module, nn.BatchNorm2d):
            assert module.eps == 1e-5, name


def test_drop_path_rises_linearly_and_alike_in_both_encoders():
    backbone = build_network(NetworkConfig(variant="mit_b2")).backbone
    rates = {
        prefix: [block.drop_path.probability for i in range(1, 5) for block in getattr(backbone, f"{prefix}block{i}")]
        for prefix in ("", "extra_")
    }
    assert rates[""] == rates["extra_"]
    assert rates[""] == pytest.approx([0.1 * i / 15 for i in range(16)])


def test_drop_path_is_off_in_eval_and_keeps_the_mean_in_training():
    from mrfs_ros.network.encoder import DropPath

    drop, ones = DropPath(0.25), torch.ones(4000, 2, 3)
    assert torch.equal(drop.eval()(ones), ones)
    torch.manual_seed(0)
    kept = drop.train()(ones)
    assert set(kept.flatten(1).sum(1).tolist()) == {0.0, 8.0}  # whole samples, scaled by 1 / 0.75
    assert kept.mean() == pytest.approx(1.0, abs=0.03)


def test_initialisation_follows_the_rule():
    network = build_network(NetworkConfig())
    linear, conv = network.backbone.block3[0].attn.q, network.backbone.patch_embed3.proj
    depthwise, head = network.backbone.block3[0].mlp.dwconv.dwconv, network.decode_head.linear_fuse[0]
    assert linear.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert conv.weight.std().item() == pytest.approx((2 / (9 * 160)) ** 0.5, rel=0.05)
    assert depthwise.weight.std().item() == pytest.approx((2 / 9) ** 0.5, rel=0.05)
    assert head.weight.std().item() == pytest.approx((2 / 2048) ** 0.5, rel=0.05)
    assert not any(module.bias.any() for module in (linear, conv, depthwise, head))


def test_equal_seeds_give_equal_weights_and_leave_the_callers_generator_alone():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first, second, third = (build_network(NetworkConfig(head_width=32), seed=s) for s in (1, 1, 2))
    assert torch.equal(torch.rand(1), expected)
    assert torch.equal(first.backbone.patch_embed1.proj.weight, second.backbone.patch_embed1.proj.weight)
    assert not torch.equal(first.backbone.patch_embed1.proj.weight, third.backbone.patch_embed1.proj.weight)


def test_gradients_reach_every_parameter(network):
    training = build_network(NetworkConfig(head_width=32)).train()
    logits, fused = training(torch.rand(2, 3, 64, 64), torch.rand(2, 3, 64, 64))
    (logits.mean() + fused.mean()).backward()
    assert [n for n, p in training.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize(
    "rgb, thermal, text",
    [
        ((1, 3, 31, 64), (1, 3, 31, 64), "H, W >= 32"),
        ((3, 64, 64), (1, 64, 64), "expected (B, 3, H, W)"),
        ((1, 1, 64, 64), (1, 1, 64, 64), "rgb: expected"),
        ((1, 3, 64, 64), (1, 3, 64, 65), "thermal: expected (1, 3, 64, 64)"),
        ((2, 3, 64, 64), (1, 1, 64, 64), "thermal: expected (2, 3, 64, 64)"),
    ],
)
def test_wrong_shapes_are_refused(network, rgb, thermal, text):
    with pytest.raises(ImageError) as error:
        network(torch.zeros(rgb), torch.zeros(thermal))
    assert text in str(error.value)


def test_unknown_variant_lists_the_known_ones():
    with pytest.raises(ConfigError, match=r"mit_b9.*mit_b0, mit_b1"):
        build_network(NetworkConfig(variant="mit_b9"))
