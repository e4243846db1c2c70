"""Area averaging against OpenCV's, and what an average keeps."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mrfs_ros.network.area_average import area_average

examples = settings(max_examples=40, deadline=None, derandomize=True)
sides = st.integers(1, 70)


@st.composite
def lengths(draw) -> tuple[int, int]:
    """A length and a shorter or equal one."""
    length = draw(sides)
    return length, draw(st.integers(1, length))


def opencv(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA).reshape(*size, image.shape[2])


@examples
@given(lengths(), lengths(), st.integers(1, 3), st.integers(0, 9))
def test_it_is_opencvs_area_interpolation(rows, columns, channels, seed):
    image = np.random.default_rng(seed).random((rows[0], columns[0], channels))
    size = rows[1], columns[1]
    result = area_average(torch.from_numpy(image).permute(2, 0, 1)[None], size)
    assert result.shape == (1, channels, *size)
    np.testing.assert_allclose(result[0].permute(1, 2, 0).numpy(), opencv(image, size), atol=2e-7)  # its weights: float


@examples
@given(lengths(), lengths(), st.integers(0, 9))
def test_the_mean_of_the_image_stays(rows, columns, seed):
    image = torch.rand(1, 1, rows[0], columns[0], generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    torch.testing.assert_close(area_average(image, (rows[1], columns[1])).mean(), image.mean())


def test_halves_are_means_of_four_pixels():
    image = torch.arange(24.0).reshape(1, 1, 4, 6)
    assert torch.equal(area_average(image, (2, 3)), torch.nn.functional.avg_pool2d(image, 2))


def test_a_pixel_on_a_border_counts_in_both_areas():
    result = area_average(torch.tensor([[[[0.0, 3.0, 6.0]]]]), (1, 2))
    torch.testing.assert_close(result.flatten(), torch.tensor([1.0, 5.0]))  # (0 + 3 / 2) / 1.5, (3 / 2 + 6) / 1.5


def test_the_same_size_is_the_same_image():
    image = torch.rand(2, 3, 5, 7)
    assert torch.equal(area_average(image, (5, 7)), image)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_averaged_in_single(dtype):
    image = torch.rand(1, 3, 61, 75, generator=torch.Generator().manual_seed(0)).to(dtype)
    result = area_average(image, (7, 9))
    assert result.dtype == dtype
    assert torch.equal(result, area_average(image.float(), (7, 9)).to(dtype))
