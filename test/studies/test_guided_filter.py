"""The guided filter against a fit in every window, and on images that have a simple answer."""

from __future__ import annotations

import numpy as np
import pytest
from plain_fusion import plain_guided_filter

from mrfs_ros.studies.guided_filter import guided_filter


@pytest.mark.parametrize("shape, radius, epsilon", [((9, 12), 2, 0.01), ((7, 5), 1, 0.3), ((6, 8), 20, 1e-6)])
def test_it_is_the_penalized_fit_of_every_window(shape, radius, epsilon):
    guide, image = np.random.default_rng(0).random((2, *shape))
    expected = plain_guided_filter(guide, image, radius, epsilon)
    np.testing.assert_allclose(guided_filter(guide, image, radius, epsilon), expected, atol=1e-7)


def test_a_constant_stays_and_a_line_in_the_guide_is_kept():
    guide = np.random.default_rng(1).random((20, 30))
    np.testing.assert_allclose(guided_filter(guide, np.full_like(guide, 3.0), 4, 0.1), 3.0, atol=1e-12)
    np.testing.assert_allclose(guided_filter(guide, 2 * guide - 1, 4, 0.0), 2 * guide - 1, atol=1e-9)


def test_a_flat_guide_has_no_edges_to_keep():
    image = np.random.default_rng(2).random((15, 15))
    smooth = guided_filter(np.zeros_like(image), image, 2, 0.1)
    assert smooth.std() < image.std() / 2
    means = [image[y - 2 : y + 3, x - 2 : x + 3].mean() for y in range(5, 10) for x in range(5, 10)]
    assert smooth[7, 7] == pytest.approx(np.mean(means))
