"""Overlays and rows of pictures."""

from __future__ import annotations

import numpy as np

from mrfs_ros.draw import no_wider, overlay, side_by_side
from mrfs_ros.types import MFNET

FUSED = np.full((64, 80, 3), 100, np.uint8)


def labels_with(*ids: int) -> np.ndarray:
    labels = np.zeros((64, 80), np.uint8)
    for row, value in enumerate(ids):
        labels[row] = value
    return labels


def test_only_classes_are_coloured():
    picture = overlay(FUSED, labels_with(1, 255), MFNET, opacity=0.5)
    assert picture[0, 0].tolist() == [82, 50, 114]  # half of (100, 100, 100) and of car's (64, 0, 128)
    assert (picture[1:] == 100).all()
    assert (FUSED == 100).all()


def test_opacity_goes_from_fused_to_colour():
    labels = labels_with(2)
    assert (overlay(FUSED, labels, MFNET, opacity=0.0) == FUSED).all()
    assert overlay(FUSED, labels, MFNET, opacity=1.0)[0, 0].tolist() == [64, 64, 0]


def test_notice_is_readable_and_leaves_the_upper_part_alone():
    plain = overlay(FUSED, labels_with(), MFNET)
    noted = overlay(FUSED, labels_with(), MFNET, notice="UNTRAINED network")
    assert noted.shape == plain.shape
    assert (noted[:38] == plain[:38]).all()
    assert len(np.unique(noted[38:].reshape(-1, 3), axis=0)) > 10  # letters with soft edges


def test_panels_stand_side_by_side():
    row = side_by_side({"rgb": FUSED, "thermal": labels_with(7)})
    assert row.shape[1:] == (160, 3)
    assert (row[-64:, :80] == FUSED).all()
    assert (row[-64, 80:] == 7).all()


def test_only_pictures_that_are_too_wide_shrink():
    assert no_wider(FUSED, 80) is FUSED
    assert no_wider(FUSED, 40).shape == (32, 40, 3)
    assert no_wider(FUSED[:1, :, 0], 10).shape == (1, 10)
