"""Thermal values to degrees: values of every unit, what is none, and which settings have no effect."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrfs_ros.camera.thermal_units import UNITS, TemperatureScale, described, least_span, scale_of, unused_scale
from mrfs_ros.config import THERMAL_UNITS, NodeConfig, check_settings
from mrfs_ros.errors import ConfigError


def scaled(scale: float, offset: float) -> TemperatureScale:
    return scale_of(NodeConfig(thermal_unit="scaled", thermal_scale=scale, thermal_offset=offset))


def test_every_unit_that_can_be_set_is_known():
    assert {"counts", *UNITS, "scaled"} == set(THERMAL_UNITS)
    for unit in THERMAL_UNITS:
        assert (scale_of(NodeConfig(thermal_unit=unit)) is None) == (unit == "counts")


@pytest.mark.parametrize(
    "scale, kind, value, degrees",
    [
        (UNITS["centikelvin"], np.uint16, 29315, 20.0),
        (UNITS["decikelvin"], np.uint16, 2932, 20.05),
        (UNITS["kelvin"], np.float32, 293.15, 20.0),
        (UNITS["celsius"], np.float32, -40.0, -40.0),
        (UNITS["celsius"], np.int16, -40, -40.0),
        (scaled(0.04, -273.15), np.uint16, 7329, 20.01),
        (scaled(0.5, -20.0), np.uint8, 255, 107.5),
        (scaled(100.0, -100.0), np.float32, 1.5, 50.0),
    ],
)
def test_values_are_degrees(scale, kind, value, degrees):
    image = scale.celsius(np.full((2, 3), value).astype(kind))
    assert image.shape == (2, 3) and image.dtype == np.float32
    np.testing.assert_allclose(image, degrees, atol=2e-4)
    assert scale.degrees(value) == pytest.approx(degrees) and scale.value(degrees) == pytest.approx(value)


@given(
    scale=st.floats(1e-3, 1e3),
    offset=st.floats(-1e3, 1e3),
    values=st.lists(st.integers(0, 2**16 - 1), min_size=1, max_size=20),
)
def test_scaled_is_a_straight_line_above_absolute_zero(scale, offset, values):
    got = scaled(scale, offset).celsius(np.array([values], np.uint16))[0]
    exact = scale * np.array(values, np.float64) + offset
    sure = np.abs(exact + 273.14) > 1
    tolerance = 1e-6 * (np.abs(exact) + abs(offset) + 1)
    right = np.where(exact > -273.14, np.abs(got - exact) <= tolerance, np.isnan(got))
    assert right[sure].all()


@pytest.mark.parametrize("unit", UNITS)
def test_what_is_no_temperature_is_none(unit):
    """Holes; the integer 0 of dead pixels on a kelvin scale; below absolute zero."""
    values = np.array([[np.nan, np.inf, -np.inf, 3e8, -300.0, 300.0]], np.float32)
    assert np.isfinite(UNITS[unit].celsius(values)).tolist() == [[*[False] * 5, True]]
    dead = UNITS[unit].celsius(np.zeros((2, 2), np.uint16))
    assert (dead == 0).all() if unit == "celsius" else np.isnan(dead).all()


def test_the_narrowest_window_is_4_kelvin_in_values():
    assert least_span(scaled(0.04, -273.15)) == 100.0 and least_span(scaled(1.0, 0.0), True) == 4.0
    assert least_span(UNITS["centikelvin"], True) == 400.0
    assert least_span(None) == 100.0 and least_span(None, True) == 4.0


def test_ranges_in_words():
    assert described(6828.75, 7328.75, scaled(0.04, -273.15)) == "0.0 to 20.0 C"
    assert described(6828.75, 7329, None) == "6829 to 7329 counts"


@pytest.mark.parametrize(
    "settings, told",
    [
        ({}, []),
        ({"thermal_unit": "scaled", "thermal_scale": 0.04, "thermal_offset": 3.0}, []),
        ({"thermal_scale": 0.04}, ["thermal_scale has no effect: it is for thermal_unit: scaled, not counts"]),
        (
            {"thermal_unit": "kelvin", "thermal_offset": 3.0},
            ["thermal_offset has no effect: it is for thermal_unit: scaled, not kelvin"],
        ),
    ],
)
def test_a_scale_without_effect_is_told(settings, told):
    assert unused_scale(NodeConfig(**settings)) == told


@pytest.mark.parametrize("name", ["thermal_scale", "thermal_offset"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 0.0, -1.0])
def test_a_scale_that_is_none_is_refused(name, value):
    if name == "thermal_offset" and np.isfinite(value):
        return check_settings(NodeConfig(thermal_offset=value))
    with pytest.raises(ConfigError, match=f"{name}: expected .* got {value}"):
        check_settings(NodeConfig(**{name: value}))
