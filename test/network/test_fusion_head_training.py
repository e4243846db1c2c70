"""The fusion head convolves before it upsamples while training: same values, gradients, statistics as the paper's."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from mrfs_ros.network.heads import FusionHead

CHANNELS = (6, 10, 14, 18)
SIZES = [  # of the four pairs of visual maps, then of the images
    ([(24, 32), (12, 16), (6, 8), (3, 4)], (96, 128)),
    ([(17, 23), (9, 12), (5, 6), (3, 3)], (65, 91)),
    ([(9, 8), (5, 4), (3, 2), (2, 1)], (33, 32)),
    ([(13, 5), (7, 3), (4, 2), (2, 1)], (49, 17)),
    ([(8, 8), (8, 8), (1, 1), (1, 1)], (8, 8)),
    ([(2, 9), (2, 5), (2, 3), (2, 2)], (7, 35)),
]


def fusion_head(dtype: torch.dtype) -> FusionHead:
    """With no parameter at the value that it starts with."""
    torch.manual_seed(3)
    head = FusionHead(CHANNELS, eps=1e-5).to(dtype)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.normal_(std=0.5)
    return head


def visual_maps(sizes, dtype: torch.dtype, seed: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    maps = [torch.randn(2, c, *size, generator=generator, dtype=torch.float64) for c, size in zip(CHANNELS, sizes)]
    return [m.to(dtype).requires_grad_() for m in maps]


def image(size, dtype: torch.dtype, seed: int) -> torch.Tensor:
    return torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def in_the_papers_order(head: FusionHead, rgb_maps, thermal_maps, rgb, thermal) -> torch.Tensor:
    """Project, upsample, concatenate rgb1, thermal1, ... rgb, thermal, 3x3, norm with the batch's statistics, 1x1."""

    def norm(x, layer):
        return functional.batch_norm(x, None, None, layer.weight, layer.bias, training=True, eps=layer.eps)

    maps = []
    for number, pair in enumerate(zip(rgb_maps, thermal_maps), start=1):
        for x, modality in zip(pair, ("rgb", "ir")):
            projection, layer, _ = getattr(head, f"PointConv_{number}_{modality}").pconv
            small = functional.relu(norm(functional.conv2d(x, projection.weight, projection.bias), layer))
            maps.append(functional.interpolate(small, size=rgb.shape[2:], mode="bilinear", align_corners=False))
    stacked = torch.cat((*maps, rgb, thermal), dim=1)
    convolution, layer, _, last, _ = head.CNN_fuse
    mixed = functional.conv2d(stacked, convolution.weight, convolution.bias, padding=1)
    return torch.sigmoid(functional.conv2d(functional.relu(norm(mixed, layer)), last.weight, last.bias))


def all_inputs(sizes, size, dtype: torch.dtype):
    return visual_maps(sizes, dtype, 4), visual_maps(sizes, dtype, 5), image(size, dtype, 6), image(size, dtype, 7)


@pytest.mark.parametrize("sizes, size", SIZES, ids=str)
def test_values_and_gradients(sizes, size):
    head = fusion_head(torch.float64).train()
    inputs = all_inputs(sizes, size, torch.float64)
    leaves = [*inputs[0], *inputs[1], *head.parameters()]
    early, plain = head(*inputs), in_the_papers_order(head, *inputs)
    assert early.shape == (2, 3, *size)
    torch.testing.assert_close(early, plain, rtol=1e-9, atol=1e-9)
    direction = torch.randn(early.shape, generator=torch.Generator().manual_seed(8), dtype=torch.float64)
    got, expected = (torch.autograd.grad((out * direction).sum(), leaves) for out in (early, plain))
    for one, other in zip(got, expected):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-8 * max(1.0, other.abs().max().item()))


@pytest.mark.parametrize("sizes, size", SIZES, ids=str)
def test_in_single_precision_the_image_is_the_papers(sizes, size):
    head = fusion_head(torch.float32).train()
    inputs = all_inputs(sizes, size, torch.float32)
    torch.testing.assert_close(head(*inputs), in_the_papers_order(head, *inputs), rtol=0, atol=1e-5)


def test_under_bf16_the_image_is_as_near_to_the_papers_as_the_papers_own_order():
    """bf16 keeps 8 bits: both orders are as far from single precision, within a factor of two."""
    head = fusion_head(torch.float32).train()
    inputs = all_inputs(*SIZES[0], torch.float32)
    exact = in_the_papers_order(head, *inputs)
    with torch.autocast("cpu", torch.bfloat16):
        early, plain = head(*inputs), in_the_papers_order(head, *inputs)
    plain_error = (plain - exact).square().mean().sqrt()
    assert 0 < plain_error < 0.02
    assert (early - exact).square().mean().sqrt() < 2 * plain_error


@pytest.mark.parametrize("sizes, size", SIZES, ids=str)
def test_training_and_inference_agree(sizes, size):
    """With running statistics in both, what is trained is what is run."""
    head = fusion_head(torch.float64)
    inputs = all_inputs(sizes, size, torch.float64)
    head.train()(*inputs)  # running statistics other than 0 and 1
    for module in head.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval()
    trained = head(*inputs)
    assert head.training
    torch.testing.assert_close(head.eval()(*inputs), trained, rtol=1e-9, atol=1e-9)


def test_running_statistics_are_those_of_the_convolved_map():
    head = fusion_head(torch.float64)
    inputs = all_inputs(*SIZES[0], torch.float64)
    for module in head.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    seen = []
    head.CNN_fuse[1].register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0]))
    head.train()(*inputs)
    torch.testing.assert_close(head.CNN_fuse[1].running_mean, seen[0].mean(dim=(0, 2, 3)))
    torch.testing.assert_close(head.CNN_fuse[1].running_var, seen[0].var(dim=(0, 2, 3)))
