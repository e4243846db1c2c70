"""Units of thermal values, so that limits can be given in degrees, and images in degrees be made."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mrfs_ros.camera.thermal_repair import is_value
from mrfs_ros.config import SCALED, NodeConfig

MIN_SPAN_K = 4.0  # a scene of one temperature is not stretched to noise
MIN_SPAN_COUNTS = 100.0
_COLDEST_C = -273.14  # an integer 0 of a kelvin scale, as dead pixels have it, is no temperature


class TemperatureScale(NamedTuple):
    """Linear scale of a camera's values: how many make a kelvin, and the one at 0 degrees Celsius."""

    per_kelvin: float
    at_zero: float

    def value(self, degrees: float) -> float:
        """The camera's value at ``degrees`` Celsius."""
        return degrees * self.per_kelvin + self.at_zero

    def degrees(self, value: float) -> float:
        """Degrees Celsius of a value."""
        return (value - self.at_zero) / self.per_kelvin

    def celsius(self, values: np.ndarray) -> np.ndarray:
        """(H, W) float32 degrees Celsius of (H, W) ``values``; NaN for holes, and at absolute zero or below it."""
        degrees = (values.astype(np.float32) - np.float32(self.at_zero)) / np.float32(self.per_kelvin)
        known = degrees > _COLDEST_C
        if values.dtype == np.float32:
            known &= is_value(values)
        degrees[~known] = np.nan
        return degrees


UNITS = {  # counts have no temperature, scaled ones that of their settings
    "centikelvin": TemperatureScale(100.0, 27315.0),
    "decikelvin": TemperatureScale(10.0, 2731.5),
    "kelvin": TemperatureScale(1.0, 273.15),
    "celsius": TemperatureScale(1.0, 0.0),
}


def scale_of(config: NodeConfig) -> TemperatureScale | None:
    """The temperature scale that ``thermal_unit`` and what belongs to it say; None for counts."""
    if config.thermal_unit == SCALED:
        return TemperatureScale(1 / config.thermal_scale, -config.thermal_offset / config.thermal_scale)
    return UNITS.get(config.thermal_unit)


def unused_scale(config: NodeConfig) -> list[str]:
    """A sentence for each setting of a scale that ``thermal_unit`` makes no use of."""
    if config.thermal_unit == SCALED:
        return []
    set_ones = [
        name for name in ("thermal_scale", "thermal_offset") if getattr(config, name) != getattr(NodeConfig, name)
    ]
    return [f"{name} has no effect: it is for thermal_unit: {SCALED}, not {config.thermal_unit}" for name in set_ones]


def described(low: float, high: float, scale: TemperatureScale | None) -> str:
    """A range of values in words: in degrees where there is a scale."""
    if scale is None:
        return f"{low:.0f} to {high:.0f} counts"
    return f"{scale.degrees(low):.1f} to {scale.degrees(high):.1f} C"


def least_span(scale: TemperatureScale | None, non_integer: bool = False) -> float:
    """The narrowest window of values that is spread over all grey levels.

    ``non_integer``: the values are no integers, so that they are degrees where no scale says so.
    """
    if scale is not None:
        return MIN_SPAN_K * scale.per_kelvin
    return MIN_SPAN_K if non_integer else MIN_SPAN_COUNTS
