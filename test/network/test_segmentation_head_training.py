"""The segmentation head mixes before it upsamples while training: same values, gradients, statistics as in order."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from mrfs_ros.network.heads import SegmentationHead

CHANNELS = (6, 10, 14, 18)
SIZES = [  # of the four semantic maps, then of the logits
    ([(24, 32), (12, 16), (6, 8), (3, 4)], (96, 128)),
    ([(17, 23), (9, 12), (5, 6), (3, 3)], (65, 91)),
    ([(9, 8), (5, 4), (3, 2), (2, 1)], (33, 32)),
    ([(13, 5), (7, 3), (4, 2), (2, 1)], (49, 17)),
    ([(8, 8), (8, 8), (1, 1), (1, 1)], (8, 8)),
    ([(2, 9), (2, 5), (2, 3), (2, 2)], (7, 35)),
]


@pytest.fixture
def head() -> SegmentationHead:
    """In float64, with no parameter at the value that it starts with."""
    torch.manual_seed(3)
    head = SegmentationHead(CHANNELS, num_classes=5, width=12, dropout=0.0, eps=1e-5).double()
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.normal_()
    return head


def semantic_maps(sizes) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(4)
    maps = [torch.randn(2, c, *size, generator=generator, dtype=torch.float64) for c, size in zip(CHANNELS, sizes)]
    return [m.requires_grad_() for m in maps]


def in_the_papers_order(head: SegmentationHead, maps, size, dropout: float = 0.0) -> torch.Tensor:
    """Project, upsample, concatenate 4, 3, 2, 1, mix, norm with the batch's statistics, drop, classify, upsample."""

    def up(x, to):
        return functional.interpolate(x, size=to, mode="bilinear", align_corners=False)

    finest = tuple(maps[0].shape[2:])
    scales = []
    for number in (4, 3, 2, 1):
        linear = getattr(head, f"linear_c{number}").proj
        projected = functional.linear(maps[number - 1].permute(0, 2, 3, 1), linear.weight, linear.bias)
        scales.append(up(projected.permute(0, 3, 1, 2), finest))
    fuse, norm = head.linear_fuse[0], head.linear_fuse[1]
    mixed = functional.conv2d(torch.cat(scales, dim=1), fuse.weight, fuse.bias)
    normed = functional.batch_norm(mixed, None, None, norm.weight, norm.bias, training=True, eps=norm.eps)
    kept = functional.dropout2d(functional.relu(normed), dropout)
    logits = functional.conv2d(kept, head.linear_pred.weight, head.linear_pred.bias)
    return up(logits, size)


def gradients(loss: torch.Tensor, inputs: list[torch.Tensor]) -> list[torch.Tensor]:
    return list(torch.autograd.grad(loss, inputs))


@pytest.mark.parametrize("sizes, size", SIZES, ids=str)
def test_values_and_gradients(head, sizes, size):
    maps = semantic_maps(sizes)
    inputs = [*maps, *head.parameters()]
    early, plain = head.train()(maps, size), in_the_papers_order(head, maps, size)
    assert early.shape == (2, 5, *size)
    torch.testing.assert_close(early, plain, rtol=1e-9, atol=1e-9)
    direction = torch.randn(early.shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    for got, expected in zip(
        gradients((early * direction).sum(), inputs), gradients((plain * direction).sum(), inputs)
    ):
        torch.testing.assert_close(got, expected, rtol=1e-8, atol=1e-8 * max(1.0, expected.abs().max().item()))


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_dropout_drops_what_it_drops_in_the_papers_order(head, rate):
    """Same random numbers, same maps gone: a run's seed means what it meant."""
    maps, size = semantic_maps(SIZES[0][0]), SIZES[0][1]
    head.dropout.p = rate
    torch.manual_seed(6)
    early = head.train()(maps, size)
    torch.manual_seed(6)
    torch.testing.assert_close(early, in_the_papers_order(head, maps, size, rate), rtol=1e-9, atol=1e-9)
    torch.manual_seed(7)
    assert not torch.allclose(early, head(maps, size))


@pytest.mark.parametrize("sizes, size", SIZES, ids=str)
def test_training_and_inference_agree(head, sizes, size):
    """With running statistics in both, what is trained is what is run."""
    maps = semantic_maps(sizes)
    head.train()(maps, size)  # running statistics other than 0 and 1
    head.linear_fuse[1].eval()
    trained = head(maps, size)
    assert head.training
    torch.testing.assert_close(head.eval()(maps, size), trained, rtol=1e-9, atol=1e-9)


def test_running_statistics_are_those_of_the_mixed_map(head):
    maps = semantic_maps(SIZES[0][0])
    head.linear_fuse[1].momentum = 1.0
    head.train()(maps, (96, 128))
    mixed = head.eval()._mixed(head.linear_fuse[0], maps)
    torch.testing.assert_close(head.linear_fuse[1].running_mean, mixed.mean(dim=(0, 2, 3)))
    torch.testing.assert_close(head.linear_fuse[1].running_var, mixed.var(dim=(0, 2, 3)))
