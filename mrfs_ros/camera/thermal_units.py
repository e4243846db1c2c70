"""Units of thermal values, so that limits can be given in degrees."""

from __future__ import annotations

UNITS = {  # name: (values in a kelvin, value at 0 degrees Celsius); counts have no temperature
    "counts": None,
    "centikelvin": (100.0, 27315.0),
    "decikelvin": (10.0, 2731.5),
    "kelvin": (1.0, 273.15),
    "celsius": (1.0, 0.0),
}
MIN_SPAN_K = 4.0  # a scene of one temperature is not stretched to noise
MIN_SPAN_COUNTS = 100.0


def from_celsius(degrees: float, unit: str) -> float:
    """The camera's value at ``degrees`` Celsius; ``degrees`` itself where the unit is counts."""
    scale = UNITS[unit]
    return degrees if scale is None else degrees * scale[0] + scale[1]


def described(low: float, high: float, unit: str) -> str:
    """A range of values in words: in degrees where the unit tells them."""
    scale = UNITS[unit]
    if scale is None:
        return f"{low:.0f} to {high:.0f} counts"
    return f"{(low - scale[1]) / scale[0]:.1f} to {(high - scale[1]) / scale[0]:.1f} C"


def least_span(unit: str, non_integer: bool = False) -> float:
    """The narrowest window of values that is spread over all grey levels.

    ``non_integer``: the values are no integers, so that they are degrees where ``unit`` says nothing of it.
    """
    scale = UNITS[unit] or ((1.0, 0.0) if non_integer else None)
    return MIN_SPAN_COUNTS if scale is None else MIN_SPAN_K * scale[0]
