"""Overlays and rows of pictures."""

from __future__ import annotations

import numpy as np

from mrfs_ros.draw import alignment, class_colors, no_wider, overlay, side_by_side, with_colours
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


def test_every_id_has_its_colour():
    labels = np.arange(256, dtype=np.uint8).repeat(20).reshape(64, 80)
    assert (class_colors(labels, MFNET) == MFNET.palette()[labels]).all()
    assert (class_colors(labels[:, ::2], MFNET) == MFNET.palette()[labels[:, ::2]]).all()


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


def test_grey_takes_the_colours_of_rgb():
    grey = np.tile(np.arange(90, 170, dtype=np.uint8), (64, 1))
    assert (with_colours(grey, FUSED) == grey[:, :, None]).all()  # grey has no colour to lend
    tinted = with_colours(grey, np.full((64, 80, 3), (130, 110, 90), np.uint8))
    luma = tinted @ np.array([0.299, 0.587, 0.114])
    assert np.abs(luma - grey).max() < 1.5
    assert (tinted[:, :, 0] > tinted[:, :, 1]).all()
    assert (tinted[:, :, 1] > tinted[:, :, 2]).all()


def test_panels_stand_side_by_side():
    row = side_by_side({"rgb": FUSED, "thermal": labels_with(7)})
    assert row.shape[1:] == (160, 3)
    assert (row[-64:, :80] == FUSED).all()
    assert (row[-64, 80:] == 7).all()


def test_only_pictures_that_are_too_wide_shrink():
    assert no_wider(FUSED, 80) is FUSED
    assert no_wider(FUSED, 40).shape == (32, 40, 3)
    assert no_wider(FUSED[:1, :, 0], 10).shape == (1, 10)


def edges_of(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where a picture of ``alignment`` has thermal edges, where rgb edges: (H, W) bool each."""
    return (picture == (255, 150, 0)).all(axis=2), (picture == (0, 220, 255)).all(axis=2)


def test_alignment_shows_each_cameras_edges_on_the_other():
    thermal = np.full((64, 80), 40, np.uint8)
    thermal[16:48, 20:60] = 200
    rgb = np.repeat(255 - thermal[:, :, None], 3, axis=2)
    orange, cyan = edges_of(alignment(rgb, thermal))
    assert orange.any() and cyan.any() and not (orange & cyan).any()
    rows, columns = np.nonzero(orange | cyan)
    on_border = np.minimum(np.abs(rows - 15.5), np.abs(rows - 47.5)) < 2.5
    on_border |= np.minimum(np.abs(columns - 19.5), np.abs(columns - 59.5)) < 2.5
    assert on_border.all()
    tiles = np.add.outer(np.arange(64) // 10, np.arange(80) // 10) % 2
    assert (tiles[orange] == 0).all() and (tiles[cyan] == 1).all()


def test_alignment_outside_the_overlap_is_rgb_without_edges():
    rng = np.random.default_rng(0)
    rgb, thermal = rng.integers(0, 256, (64, 80, 3), np.uint8), np.zeros((64, 80), np.uint8)
    valid = np.zeros((64, 80), bool)
    valid[:, :40] = True
    thermal[:, :40] = 255
    orange, cyan = edges_of(alignment(rgb, thermal, valid))
    assert not orange.any()  # the border of the overlap is none of the thermal image's edges
    assert not cyan[:, 40:].any() and cyan[:, :40].any()
    flat = alignment(np.zeros((64, 80, 3), np.uint8), np.zeros((64, 80), np.uint8))
    assert flat.shape == (64, 80, 3) and not flat.any()
