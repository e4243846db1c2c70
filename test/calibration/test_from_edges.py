"""A homography from scene edges: known warps come back, and what cannot be known is refused."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from made_scenes import distance_px, distances_px, pseudo_thermal, sample_pairs, seen_through, truth

from mrfs_ros.calibration.from_edges import fit_edges
from mrfs_ros.errors import ConfigError
from mrfs_ros.geometry.camera_models import Homography

pytestmark = pytest.mark.slow  # seconds together: not for the core suite

SIZE, FULL_SIZE, PART_SIZE = (256, 320), (512, 640), (462, 550)
BELOW = np.array([(1, 0, 0), (0, 1, 50), (0, 0, 1)], float)  # a thermal image cut off at the top and the right
TRUTHS = {
    "a little off": truth(SIZE, (1.05, 12, -10, 1.0), (0.01, 0.005)),
    "smaller, turned": truth(SIZE, (0.82, 30, 20, -3.0), (0.02, -0.02)),
    "larger, turned": truth(SIZE, (1.22, -32, -16, 3.0), (-0.02, 0.03)),
}


@pytest.fixture(scope="module")
def scenes():
    """Four real pairs of one camera; LLVIP has registered them to some pixels, not exactly."""
    return sample_pairs(["190001", "190003", "190004", "190006"], SIZE[1])


@pytest.fixture(scope="module")
def own(scenes) -> np.ndarray:
    """What is left of misregistration in the pairs themselves."""
    return np.array(fit_edges(scenes).homography.matrix)


@pytest.mark.parametrize("name", ["smaller, turned", "larger, turned"])
def test_real_frames_with_a_known_warp(scenes, own, name):
    warped = [(rgb, seen_through(thermal, TRUTHS[name])) for rgb, thermal in scenes]
    fit = fit_edges(warped)
    found = np.array(fit.homography.matrix)
    assert distance_px(found, own @ TRUTHS[name], SIZE) < 0.5
    assert distance_px(found, TRUTHS[name], SIZE) < 2.5  # with the frames' own error
    assert fit.score_after > 3 * fit.score_before and fit.held_out == 1
    assert fit.residual.median_px(SIZE[1]) < 2.0


def test_full_size_frames_with_a_known_warp():
    """To a part of a pixel in every corner: the warped thermal camera still sees all that the rgb camera sees."""
    pairs = sample_pairs(["190001", "190006"])
    known = truth(FULL_SIZE, (1.22, -64, -32, 3.0), (-0.02, 0.03))
    own = np.array(fit_edges(pairs).homography.matrix)
    found = fit_edges([(rgb, seen_through(thermal, known)) for rgb, thermal in pairs]).homography.matrix
    assert distances_px(found, own @ known, FULL_SIZE).max() < 0.5


def test_full_size_frames_that_share_three_quarters():
    """Parallax gives each part of the frames a registration of its own: that of the part in view is the truth."""
    pairs = sample_pairs(["200002", "200007"])
    shifted = truth(FULL_SIZE, (1.0, -90, 50))
    found = fit_edges([(rgb, seen_through(thermal, shifted)) for rgb, thermal in pairs]).homography.matrix
    part = fit_edges([(rgb, thermal[50:, :550]) for rgb, thermal in pairs], Homography(BELOW, PART_SIZE, FULL_SIZE))
    into_part = np.array([(1, 0, -90), (0, 1, 0), (0, 0, 1)])
    assert distances_px(found, np.array(part.homography.matrix) @ into_part, FULL_SIZE).max() < 0.5


def test_the_frames_themselves_are_nearly_aligned(own):
    assert distance_px(own, np.eye(3), SIZE) < 2.5


@pytest.mark.parametrize("name", TRUTHS)
def test_an_exact_truth_is_found_exactly(scenes, name):
    made = [(rgb, seen_through(pseudo_thermal(rgb), TRUTHS[name])) for rgb, _ in scenes[:2]]
    done = []
    fit = fit_edges(made, on_progress=lambda *progress: done.append(progress))
    assert distance_px(fit.homography.matrix, TRUTHS[name], SIZE) < 0.5
    assert done[-1][0] == done[-1][1] == len(done)


def test_a_start_that_cannot_be_improved_is_kept(scenes):
    rgb = scenes[0][0]
    fit = fit_edges([(rgb, pseudo_thermal(rgb))])
    assert distance_px(fit.homography.matrix, np.eye(3), SIZE) < 0.3
    assert fit.score_after >= fit.score_before > 0.5


def test_other_resolutions_and_a_start(scenes):
    """A thermal camera with half the view and half the resolution is far from where the search begins by itself."""
    far = truth(SIZE, (0.5, 40, -20, 0.0))
    rgb = scenes[0][0]
    thermal = cv2.resize(seen_through(pseudo_thermal(rgb), far), (160, 128), interpolation=cv2.INTER_AREA)
    start = Homography(truth(SIZE, (0.55, 30, -10)), SIZE, SIZE)
    fit = fit_edges([(rgb, thermal)], start)
    assert (fit.homography.thermal_size, fit.held_out) == ((128, 160), 0)
    assert distance_px(fit.homography.scaled_to(SIZE, SIZE).matrix, far, SIZE) < 1.0


@pytest.mark.parametrize("wrong", ["noise", "blank", "dark", "mirrored"])
def test_what_cannot_be_known_is_refused(scenes, wrong):
    rgb, thermal = scenes[0]
    pair = {
        "noise": (rgb, np.random.default_rng(0).integers(0, 256, SIZE, np.uint8)),
        "blank": (rgb, np.full(SIZE, 90, np.uint8)),
        "dark": (np.zeros_like(rgb), thermal),
        "mirrored": (rgb, thermal[:, ::-1].copy()),
    }[wrong]
    with pytest.raises(ConfigError, match=r"more edges .*--initial.*--pattern chessboard"):
        fit_edges([pair])


def rectangles(rng: np.random.Generator) -> np.ndarray:
    """(120, 160) uint8: nothing that another one of them knows of."""
    image = np.full((120, 160), 60, np.uint8)
    for _ in range(12):
        corners = rng.integers(0, (160, 120), (2, 2)).tolist()
        cv2.rectangle(image, *corners, int(rng.integers(0, 255)), -1)
    return cv2.GaussianBlur(image, (3, 3), 0)


@pytest.mark.parametrize("seed", [0, 5, 15, 17])
def test_scenes_that_have_nothing_in_common_are_refused(seed):
    """Of the first, a place seems to fit; the others' frames held out fit worse than not at all."""
    rng = np.random.default_rng(seed)
    pairs = [(np.dstack([rectangles(rng)] * 3), rectangles(rng)) for _ in range(4)]
    with pytest.raises(ConfigError, match=r"no alignment stands out: .* \(expected at least "):
        fit_edges(pairs)


def test_pairs_must_be_alike(scenes):
    with pytest.raises(ConfigError, match="no pairs"):
        fit_edges([])
    with pytest.raises(ConfigError, match="different sizes"):
        fit_edges([scenes[0], (scenes[1][0], scenes[1][1][:100])])
