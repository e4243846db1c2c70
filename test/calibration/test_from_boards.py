"""A homography from boards that both cameras see, dark on light and light on dark."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from made_scenes import chessboard, circles, distance_px

from mrfs_ros.calibration.from_boards import Board, find_board, fit_boards
from mrfs_ros.errors import ConfigError

SIZE = (384, 480)
PLACES = [
    np.array([(0.62, 0.05, 60), (-0.03, 0.6, 70), (1e-4, -5e-5, 1)]),
    np.array([(0.7, -0.08, 90), (0.06, 0.66, 20), (-8e-5, 1e-4, 1)]),
]
TRUTH = np.array([(0.93, 0.02, 14.0), (-0.015, 0.95, 9.0), (2e-5, -3e-5, 1)])  # thermal to rgb


def pair(draw, place: np.ndarray, inverted: bool = True):
    """The board in both images; the thermal one inverted, as a heated board often is."""
    thermal = draw(np.linalg.inv(TRUTH) @ place, SIZE)
    return np.repeat(draw(place, SIZE)[:, :, None], 3, axis=2), 255 - thermal if inverted else thermal


@pytest.mark.parametrize("inverted", [True, False])
def test_a_chessboard_to_a_fifth_of_a_pixel(inverted):
    fit = fit_boards([pair(chessboard, place, inverted) for place in PLACES], Board("chessboard", 9, 6))
    assert distance_px(fit.homography.matrix, TRUTH, SIZE) < 0.2
    assert fit.error_px < 0.1 and fit.worst_px < 0.5
    assert (fit.boards, fit.pairs, fit.inliers) == (2, 2, 1.0)
    assert 0.15 < fit.coverage < 0.25


def test_one_pair_is_enough_and_more_without_boards_do_no_harm():
    empty = np.full((*SIZE, 3), 128, np.uint8), np.full(SIZE, 128, np.uint8)
    done = []
    fit = fit_boards([empty, pair(chessboard, PLACES[0])], Board("chessboard", 9, 6), lambda *n: done.append(n))
    assert distance_px(fit.homography.matrix, TRUTH, SIZE) < 0.2
    assert (fit.boards, fit.pairs) == (1, 2)
    assert done == [(1, 2), (2, 2)]


def test_circles():
    place = np.array([(0.8, 0.03, 60), (-0.02, 0.8, 20), (0, 0, 1.0)])
    fit = fit_boards([pair(circles, place)], Board("circles", 4, 11))
    assert distance_px(fit.homography.matrix, TRUTH, SIZE) < 0.4


def test_small_images_are_enlarged():
    place = np.diag((0.25, 0.25, 1.0)) @ PLACES[0]
    small = chessboard(place, (96, 120))
    points = find_board(small, Board("chessboard", 9, 6))
    expected = place @ [40 * 2 - 0.5, 40 * 2 - 0.5, 1]  # the first inner corner
    ends = [points[0], points[-1]]
    assert min(np.hypot(*(end - expected[:2] / expected[2])) for end in ends) < 0.3


def test_no_board_says_where_it_was_not_seen():
    rgb, _ = pair(chessboard, PLACES[0])
    with pytest.raises(ConfigError, match=r"found in 1 rgb and 0 thermal images of 1: hold the board flat"):
        fit_boards([(rgb, np.full(SIZE, 100, np.uint8))], Board("chessboard", 9, 6))


def test_boards_at_different_distances_are_refused():
    """A second board, with the parallax of another distance."""
    shifted = np.array([(1, 0, 25.0), (0, 1, 0), (0, 0, 1)])
    near = np.repeat(chessboard(shifted @ PLACES[1], SIZE)[:, :, None], 3, axis=2), pair(chessboard, PLACES[1])[1]
    with pytest.raises(ConfigError, match="one homography is right at one distance"):
        fit_boards([pair(chessboard, PLACES[0]), near], Board("chessboard", 9, 6))


def test_a_lens_that_bends_lines_is_refused():
    """Barrel distortion of the thermal lens: where the boards are it is small, outside it would be 20 pixels."""
    rows, columns = np.indices(SIZE, np.float32)
    x, y = (columns - SIZE[1] / 2) / SIZE[1], (rows - SIZE[0] / 2) / SIZE[1]
    radial = 1 + 0.5 * (x**2 + y**2)
    maps = (
        (x * radial * SIZE[1] + SIZE[1] / 2).astype(np.float32),
        (y * radial * SIZE[1] + SIZE[0] / 2).astype(np.float32),
    )
    pairs = [pair(chessboard, place) for place in PLACES]
    bent_pairs = [(rgb, cv2.remap(thermal, *maps, cv2.INTER_LINEAR, borderValue=128)) for rgb, thermal in pairs]
    with pytest.raises(ConfigError, match=r"pixels off \(at most .*kind: stereo"):
        fit_boards(bent_pairs, Board("chessboard", 9, 6))


def test_boards_by_name():
    assert Board.named(["chessboard", "9x6"]) == Board("chessboard", 9, 6)
    for words in (["chessboard"], ["chessboard", "9"], ["charuco", "9x6"], ["circles", "4x2"], ["none", "9x6"]):
        with pytest.raises(ConfigError, match="--pattern: expected none, chessboard"):
            Board.named(words)
