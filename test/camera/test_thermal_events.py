"""What happens to a thermal camera: shutters, corrections, images sent again, jumps of its clock."""

from __future__ import annotations

import numpy as np
import pytest
from thermal_scenes import SIZE, S, background, changes, drive, rms, shown

from mrfs_ros.camera.thermal_window import ThermalWindow
from mrfs_ros.config import NodeConfig


def test_the_shutter_is_an_event_and_holds_the_window():
    window = ThermalWindow(NodeConfig())
    states = []
    for time_s, values in drive(30, 0.05):
        window.grey(values, round(time_s * S))
        states.append((time_s, window.state))
    held = [time_s for time_s, state in states if "held: flat-field correction" in state]
    assert 7.9 < min(held) < 8.1 and 8.3 < max(held) < 8.45
    low, high = (float(word) for word in states[-1][1].split(" counts")[0].split(" to "))
    before = next(state for time_s, state in states if time_s > 7.5)
    assert low == pytest.approx(float(before.split(" to ")[0]) + 60, abs=3)  # carried along
    assert high - low > 600


@pytest.mark.parametrize("again", [1, 2, 3, 6])
@pytest.mark.parametrize("mode", ["percentile", "plateau"])
def test_images_sent_again_are_no_shutter(mode, again):
    """A core of 9 Hz behind a driver of 9 to 54: it does not flicker, it settles, and nothing is an event."""
    rng = np.random.default_rng(0)
    window = ThermalWindow(NodeConfig(thermal_window=mode))
    greys, kept = [], None
    for i in range(9 * 16):
        scene = background() if i < 9 * 4 else 3000 + 2 * (background() - 7800)
        if i > 9 * 8 and i % 18 < 9:
            scene[80:, 100:130] += 4000
        values = (scene + rng.normal(0, 8, SIZE)).round().astype(np.uint16)
        if i % 27 == 13:  # the core's image was lost, the one before it comes once more
            values = kept
        kept = values
        for j in range(again):
            greys.append(window.grey(values, round((i + j / again) * S / 9)))
    fresh = shown(ThermalWindow(NodeConfig(thermal_window=mode)), 3000 + 2 * (background() - 7800), 0.0, 0.3)
    assert np.abs(greys[9 * 6 * again][:70].astype(float) - fresh[:70]).mean() < 8
    assert rms(changes(greys[9 * 7 * again :])) < 0.2
    assert window.events == 0


def test_a_simulator_without_noise_stands():
    window = ThermalWindow(NodeConfig())
    values = background().round().astype(np.uint16)
    greys = [window.grey(values, i * S // 30) for i in range(300)]
    assert window.events <= 1 and window.state.endswith("standing")
    assert all((grey == greys[0]).all() for grey in greys)


def test_a_correction_that_differs_over_the_image_is_an_event():
    """As a shutter leaves it: 100 counts more on the whole, 60 on the left, 140 on the right."""
    window = ThermalWindow(NodeConfig())
    before = shown(window, background(), 0.0, 3.0)
    after = shown(window, background() + 100 + np.linspace(-40, 40, SIZE[1])[None], 3.0, 1.0)
    assert window.events == 1
    assert abs(after.astype(float).mean() - before.mean()) < 2


def test_a_jump_back_in_time_begins_anew():
    window = ThermalWindow(NodeConfig())
    window.grey(background().astype(np.uint16), 100 * S)
    cold = (3000 + 0.5 * (background() - 7800)).astype(np.uint16)
    assert window.grey(cold, 100 * S + S // 10).max() == 0  # below the window
    assert window.grey(cold, 5 * S).std() > 30


def test_a_jump_ahead_in_time_begins_anew():
    """An hour later nothing is known of the scene; three seconds later much is."""
    wider = (7800 + 1.08 * (background() - 7800)).astype(np.uint16)
    fresh = ThermalWindow(NodeConfig()).grey(wider, 0)
    for gap_s, anew in ((3600, True), (3, False)):
        window = ThermalWindow(NodeConfig())
        window.grey(background().astype(np.uint16), 100 * S)
        assert (window.grey(wider, (100 + gap_s) * S) == fresh).all() == anew


def played(window: ThermalWindow, scene, seconds: float, hz: float = 30.0, begin_s: float = 0.0):
    """(time, grey, state) of ``scene(time)`` (None: the image before it once more) with noise."""
    rng = np.random.default_rng(2)
    values = None
    for i in range(round(seconds * hz)):
        time_s = begin_s + i / hz
        counts = scene(time_s)
        if counts is not None:
            values = (counts + rng.normal(0, 8, counts.shape)).round().astype(np.uint16)
        yield time_s, window.grey(values, round(time_s * S)), window.state


def flat(level: float) -> np.ndarray:
    return np.full(SIZE, level)


def with_object() -> np.ndarray:
    """On more than a third of the image."""
    scene = background()
    scene[30:, 50:130] = 11500
    return scene


@pytest.mark.parametrize("closed", [lambda: None, lambda: flat(7900)], ids=["frozen", "flat"])
@pytest.mark.parametrize("mode", ["percentile", "plateau"])
def test_what_a_shutter_hides_is_no_other_scene(mode, closed):
    """A bus came in while it was closed for 0.7 s, and leaves soon: the background never moves."""
    window = ThermalWindow(NodeConfig(thermal_window=mode))

    def scene(time_s):
        return background() if time_s < 5 or time_s > 6.1 else closed() if time_s < 5.7 else with_object()

    greys = [grey for time_s, grey, _ in played(window, scene, 8.0) if not 5 <= time_s < 5.7]
    assert np.abs(changes(greys)).max() < 0.6
    assert window.events == 1


@pytest.mark.parametrize("hz", [9.0, 30.0])
@pytest.mark.parametrize("mode", ["percentile", "plateau"])
def test_a_shutter_closes_while_the_window_settles(mode, hz):
    window = ThermalWindow(NodeConfig(thermal_window=mode))
    cold = 3000 + 2 * (background() - 7800)

    def scene(time_s):
        return background() if time_s < 3 else flat(2900) if 4 < time_s < 4.6 else cold

    right = shown(ThermalWindow(NodeConfig(thermal_window=mode)), cold, 0.0, 0.5).astype(float)
    off = {time_s: np.abs(grey - right).mean() for time_s, grey, _ in played(window, scene, 6.0, hz)}
    assert max(value for time_s, value in off.items() if time_s > 4.61) < 10


@pytest.mark.parametrize("seconds", [1.2, 1.8, 3.0])
@pytest.mark.parametrize("mode", ["percentile", "plateau"])
def test_a_long_shutter_is_a_scene_and_the_street_comes_back_within_two_seconds(mode, seconds):
    window = ThermalWindow(NodeConfig(thermal_window=mode))

    def scene(time_s):
        return flat(7900) if 4 <= time_s < 4 + seconds else background() + 60 * (time_s > 4)

    right = shown(ThermalWindow(NodeConfig(thermal_window=mode)), background() + 60, 0.0, 0.5).astype(float)
    late = [
        np.abs(grey - right).mean() for time_s, grey, _ in played(window, scene, 7 + seconds) if time_s > 6 + seconds
    ]
    assert max(late) < 10
    assert window.events == 1


def test_a_freeze_for_longer_with_a_correction_after_it_is_one_event():
    window = ThermalWindow(NodeConfig())
    scene = lambda time_s: background() if time_s < 4 else None if time_s < 5.5 else background() + 60  # noqa: E731
    steps = changes([grey for _, grey, _ in played(window, scene, 8.0)])
    assert window.events == 1 and np.abs(steps).max() < 0.6


def test_a_camera_that_moves_while_its_shutter_is_closed_is_carried_along():
    """Another part of a long street comes back, 60 counts higher."""
    window = ThermalWindow(NodeConfig())
    x = np.arange(2 * SIZE[1])
    street = 7800 + 300 * (1 + x / 1000) * np.sin(x / 25)[None] + np.linspace(-150, 150, SIZE[0])[:, None]
    here, there = street[:, : SIZE[1]], street[:, SIZE[1] :] + 60

    def scene(time_s):
        return here if time_s < 4 else None if time_s < 4.5 else there

    states = {time_s: state for time_s, _, state in played(window, scene, 5.5)}
    lows = [float(state.split(" to ")[0]) for time_s, state in states.items() if 4.4 < time_s < 4.6]
    assert lows[-1] - lows[0] == pytest.approx(60, abs=15)
    assert window.events == 1


def blinking(time_s: float) -> np.ndarray:
    """From 3 s on another scene, in which something hot is to be seen every 0.8 s for 0.4 s."""
    if time_s < 3:
        return background()
    scene = 3000 + 2 * (background() - 7800)
    scene[60:100, 50:90] += 4000 * (time_s % 0.8 < 0.4)
    return scene


@pytest.mark.parametrize("again_s", [5.2, 5.3, 5.4, 5.5, 5.55, 5.6])
def test_another_scene_at_the_end_of_settling_is_settled_too(again_s):
    window = ThermalWindow(NodeConfig())
    third = 12000 + 0.5 * (background() - 7800)
    right = shown(ThermalWindow(NodeConfig()), third, 0.0, 0.5).astype(float)
    scene = lambda time_s: blinking(time_s) if time_s < again_s else third  # noqa: E731
    frames = [(time_s, grey) for time_s, grey, _ in played(window, scene, again_s + 3)]
    assert max(np.abs(grey - right).mean() for time_s, grey in frames if time_s > again_s + 2) < 10


def test_what_blinks_does_not_keep_the_window_settling():
    frames = list(played(ThermalWindow(NodeConfig()), blinking, 9.0))
    states = {time_s: state for time_s, _, state in frames}
    assert not any("settling" in state for time_s, state in states.items() if 6 < time_s < 9)
    assert rms(changes([grey for time_s, grey, _ in frames if 6 < time_s < 9])) < 0.2


def test_a_camera_that_tilts_over_a_gradient_has_no_shutter_in_every_frame():
    window = ThermalWindow(NodeConfig())
    sky = np.linspace(7000, 10000, 1200)[:, None] + np.linspace(-300, 300, SIZE[1])[None]
    list(played(window, lambda time_s: sky[round(100 * time_s) :][: SIZE[0]], 10.0))
    assert window.events <= 3
