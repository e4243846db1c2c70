"""The offset of the clocks: known ones come back within 5 ms, ambiguous ones are refused."""

from __future__ import annotations

import numpy as np
import pytest
from made_scenes import ShakenCameras

from mrfs_ros.calibration.clock import fit_clock
from mrfs_ros.calibration.clock_picture import clock_picture
from mrfs_ros.calibration.motion import MotionMeter
from mrfs_ros.errors import ConfigError

pytestmark = pytest.mark.slow  # seconds together: not for the core suite


def motions(kind: str, offset_s: float, rgb_hz: float, thermal_hz: float, **rest):
    """Of both cameras; thermal stamps are such that ``offset_s`` has to be added."""
    cameras = ShakenCameras(kind)
    made = []
    for rate_hz, late_s, thermal in ((rgb_hz, 0.0, False), (thermal_hz, -offset_s, True)):
        meter = MotionMeter()
        for stamp_ns, image in cameras.stream(rate_hz=rate_hz, late_s=late_s, thermal=thermal, **rest):
            meter.add(stamp_ns, image)
        made.append(meter.motion(1_700_000_000 * 10**9))
    return made


@pytest.mark.parametrize(
    "offset_s, rgb_hz, thermal_hz, jitter_s",
    [(0.037, 30, 9, 0.003), (-0.120, 9, 30, 0.004), (0.0, 10, 10, 0.0), (0.8, 15, 25, 0.01)],
)
def test_known_offsets(offset_s, rgb_hz, thermal_hz, jitter_s):
    fit = fit_clock(*motions("shaken", offset_s, rgb_hz, thermal_hz, jitter_s=jitter_s))
    assert fit.offset_s == pytest.approx(offset_s, abs=0.005)
    assert fit.spread_s < 0.005 and fit.segments == 4
    assert fit.correlation > 0.8 and fit.peak_ratio > 2
    picture = clock_picture(fit)
    assert picture.dtype == np.uint8 and picture.ndim == 3 and len(np.unique(picture.reshape(-1, 3), axis=0)) > 3


@pytest.mark.parametrize(
    "kind, expected",
    [("still", "nothing in common|ambiguous|cannot be confirmed"), ("repeating", "ambiguous.*repeats")],
)
def test_motion_that_tells_nothing(kind, expected):
    with pytest.raises(ConfigError, match=expected):
        fit_clock(*motions(kind, 0.05, 20, 20))


def test_an_offset_beyond_the_search():
    with pytest.raises(ConfigError, match="--longest"):
        fit_clock(*motions("shaken", 0.9, 20, 20), longest_s=0.5)


def test_too_little_to_go_by():
    rgb, thermal = motions("shaken", 0.0, 20, 20, length_s=3.0)
    with pytest.raises(ConfigError, match=r"recorded together for 2\.\d s: expected at least 4\.0 s"):
        fit_clock(rgb, thermal)
    rgb, _ = motions("shaken", 0.0, 5, 20, length_s=3.0)
    with pytest.raises(ConfigError, match="rgb: 15 frames, expected at least 20"):
        fit_clock(rgb, thermal)


def test_blank_images_do_not_move():
    meters = MotionMeter(), MotionMeter()
    for i in range(100):
        for meter in meters:
            meter.add(i * 50_000_000, np.full((48, 64), 80, np.uint8))
    with pytest.raises(ConfigError, match="rgb: nothing moves in these images"):
        fit_clock(*(meter.motion(0) for meter in meters))


def test_stamps_that_do_not_rise_are_left_out():
    meter = MotionMeter()
    for stamp_ns in (10, 20, 20, 15, 30):
        meter.add(stamp_ns, np.zeros((48, 64), np.uint8))
    meter.add(40, np.zeros((24, 64), np.uint8))
    assert (meter.frames, meter.left_out, meter.first_ns) == (6, 3, 10)
    assert meter.motion(0).stamps_s.tolist() == pytest.approx([1e-8, 2e-8, 3e-8])
