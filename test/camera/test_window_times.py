"""Time constants and thresholds of the thermal window, each with a scene on either side of it."""

from __future__ import annotations

import numpy as np
import pytest
from thermal_scenes import S, background

from mrfs_ros.camera.flat_field_correction import FlatFieldCorrection
from mrfs_ros.camera.thermal_window import ThermalWindow
from mrfs_ros.config import NodeConfig

BLOCKS = 12, 16  # of 10 x 10 pixels
RNG = np.random.default_rng(5)
LEVELS = RNG.uniform(7000, 8000, BLOCKS)
SIGNS = np.where(RNG.random(BLOCKS) < 0.5, -1.0, 1.0)
TWO_LEVELS = 7500 + 500 * SIGNS


def pixels(blocks: np.ndarray) -> np.ndarray:
    return np.kron(blocks, np.ones((10, 10)))


def states(scene, seconds: float, hz: float = 10.0) -> dict[float, str]:
    """What the window does (standing, drifting, settling, held) at each time of ``scene(time)``."""
    window, found = ThermalWindow(NodeConfig()), {}
    rng = np.random.default_rng(3)
    for i in range(round(seconds * hz)):
        values = scene(i / hz) + rng.normal(0, 3, (120, 160))
        window.grey(values.round().astype(np.uint16), round(i / hz * S))
        found[i / hz] = window.state.rpartition(", ")[2]
    return found


@pytest.mark.parametrize("hz", [9.0, 30.0])
@pytest.mark.parametrize("flat, same", [(True, False), (False, True), (True, True)])
def test_the_window_is_held_for_one_second(flat, same, hz):
    """A flat or frozen image that stays for longer is a scene."""
    correction, seconds = FlatFieldCorrection(), 1 / hz
    for _ in range(round(2 * hz)):
        assert not correction.waits(flat=False, same=False, settling=False, seconds=seconds)
    held = 0
    while correction.waits(flat=flat, same=same, settling=False, seconds=seconds):
        held += 1
        assert held < 10 * hz
    assert held / hz == pytest.approx(1.0, abs=seconds + 1e-6)


def test_a_flat_image_holds_the_window_for_one_second_and_is_a_scene_then():
    found = states(lambda time_s: np.full((120, 160), 7900.0) if time_s >= 3 else background(), 6.0)
    held = [time_s for time_s, state in found.items() if state == "held: flat-field correction"]
    assert 2.9 < min(held) < 3.1 and 3.85 < max(held) < 4.05


@pytest.mark.parametrize("share, cut", [(0.5, False), (0.66, True), (0.75, True)])
def test_a_cut_is_where_more_than_three_fifths_of_the_pixels_are_others(share, cut):
    """The two levels of some blocks are exchanged, so that the histogram stays as it was."""
    order = np.random.default_rng(6).permutation(SIGNS.size)
    moved = np.zeros(SIGNS.size, bool)
    for sign in (-1.0, 1.0):  # as many up as down
        moved[order[SIGNS.ravel()[order] == sign][: round(share * SIGNS.size / 2)]] = True
    after = np.where(moved.reshape(BLOCKS), 15000 - TWO_LEVELS, TWO_LEVELS)
    found = states(lambda time_s: pixels(after if time_s >= 3 else TWO_LEVELS), 6.0)
    assert ("settling" in found.values()) == cut


def test_what_changes_within_seconds_is_no_cut():
    """Pixels are compared with their mean of about the last second: 33 counts a second in a window of 1,200 are few."""
    found = states(lambda time_s: pixels(LEVELS + 33 * SIGNS * min(max(time_s - 3, 0.0), 4.5)), 9.0)
    assert "settling" not in found.values()


def test_a_drift_of_the_whole_scene_is_followed_for_minutes():
    """0.8 % of the window a second: what is remembered of the scene (10 s) follows, so it never is another one."""
    found = states(lambda time_s: pixels(LEVELS) + 9.0 * time_s, 90.0, hz=4.0)
    assert "settling" not in found.values() and "drifting" in found.values()


def test_another_scene_is_taken_for_one_after_six_tenths_of_a_second():
    """And not before: what crosses the image for half a second changes nothing."""
    other = 12000 + 4 * (background() - 7800)
    for seconds, settles in ((0.4, False), (1.2, True)):
        found = states(lambda time_s, s=seconds: other if 3 <= time_s < 3 + s else background(), 3 + seconds, hz=20.0)
        assert ("settling" in found.values()) == settles


@pytest.mark.parametrize("passed_s, anew", [(-0.15, False), (-0.25, True), (9.5, False), (10.5, True)])
def test_a_jump_of_the_stamps_begins_anew(passed_s, anew):
    """A little more contrast leaves the window where it stands; only one that begins anew is another one."""
    first, second = (pixels(7500 + factor * (LEVELS - 7500)).astype(np.uint16) for factor in (1.0, 1.06))
    window, fresh = ThermalWindow(NodeConfig()), ThermalWindow(NodeConfig())
    for i in range(30):
        before = window.grey(first, i * S // 10)
    grey = window.grey(second, round((2.9 + passed_s) * S))
    expected = fresh.grey(second, 0)
    assert np.abs(expected.astype(int) - before).mean() < 3 and (expected != before).any()
    assert (grey == expected).all() == anew


def test_a_gap_counts_as_one_second():
    """The window drifts as far after five seconds without an image as after one."""
    first, second = (pixels(7500 + factor * (LEVELS - 7500)).astype(np.uint16) for factor in (1.0, 1.3))
    greys = {}
    for gap_s in (0.1, 1.0, 5.0):
        window = ThermalWindow(NodeConfig(thermal_rate=0.05))
        for i in range(30):
            window.grey(first, i * S // 10)
        greys[gap_s] = window.grey(second, round((2.9 + gap_s) * S))
        assert window.state.endswith("drifting")
    assert (greys[5.0] == greys[1.0]).all()
    assert (greys[1.0] != greys[0.1]).any()


def settled_at(changed: np.ndarray, seconds: float) -> list[float]:
    """Times [s] after a change of the scene's blocks at which the window settles."""
    found = states(lambda time_s: pixels(changed if time_s >= 3 else LEVELS), 3 + seconds)
    assert not any(state == "settling" for time_s, state in found.items() if 2 <= time_s < 3)
    return [time_s - 3 for time_s, state in found.items() if time_s >= 3 and state == "settling"]


@pytest.mark.parametrize("beyond, far", [(0.12, False), (0.4, True)])
def test_what_stays_far_outside_is_let_in_after_ten_seconds(beyond, far):
    """The hottest twentieth of the image, beyond the window by this share of it: nearer, the window drifts there."""
    hotter = np.where(np.quantile(LEVELS, 0.95) < LEVELS, 8000 + beyond * 1200, LEVELS)
    times = settled_at(hotter, 12)
    assert bool(times) == far
    assert all(time_s > 9.8 for time_s in times)


@pytest.mark.parametrize("half, narrow", [(300, True), (420, False)])
def test_a_scene_that_fills_less_than_seven_tenths_is_settled_soon(half, narrow):
    times = settled_at(np.clip(LEVELS, 7500 - half, 7500 + half), 4)
    assert bool(times) == narrow
    assert all(0.5 < time_s < 3 for time_s in times)


@pytest.mark.parametrize("share, cut", [(0.03, False), (0.1, True)])
def test_pixels_that_move_by_a_sixteenth_of_the_window_are_others(share, cut):
    """As many up as down, all of them: the histogram stays."""
    times = settled_at(LEVELS + share * 1200 * SIGNS, 4)
    assert bool(times) == cut


def corrections(*images: tuple[bool, bool], seconds: float = 0.1) -> FlatFieldCorrection:
    """After three seconds of a scene, and images that are (flat, same as the one before)."""
    correction = FlatFieldCorrection()
    for flat, same in (*[(False, False)] * round(3 / seconds), *images):
        correction.waits(flat=flat, same=same, settling=False, seconds=seconds)
    return correction


@pytest.mark.parametrize("images_between, count", [(7, 1), (12, 2)])
def test_flat_images_within_a_second_are_one_correction(images_between, count):
    assert corrections((True, False), *[(False, False)] * images_between, (True, False)).count == count


def test_a_slow_camera_is_frozen_with_the_first_image_that_is_the_same():
    """An image that is sent again comes within 0.2 s."""
    assert corrections((False, True), seconds=0.5).closed
    assert not corrections((False, True), seconds=0.1).closed


def test_one_lost_image_does_not_make_a_slow_camera():
    """After it, at 10 Hz, the second image that is the same is still a frozen one."""
    correction = corrections()
    correction.waits(flat=False, same=False, settling=False, seconds=0.2)
    closed = []
    for _ in range(2):
        correction.waits(flat=False, same=True, settling=False, seconds=0.1)
        closed.append(correction.closed)
    assert closed == [False, True]
