"""Thermal values of any depth turned into the 8-bit grey that the network was trained on, without flicker.

A window of values is spread over the grey levels. It stands while the scene does, and passes over what only crosses
the scene; it is carried along when a shutter event moves all values alike; it drifts after slow changes too slowly to
be seen; and it settles anew, within two seconds, when the scene is another one. All times are of stamps, so that
cameras of 9 and 60 Hz are treated alike.
"""

from __future__ import annotations

import math

import numpy as np

from mrfs_ros.config import NodeConfig
from mrfs_ros.errors import ImageError
from mrfs_ros.sensing.thermal_scene import Quantiles, is_value, repaired
from mrfs_ros.sensing.thermal_units import described, from_celsius, least_span

LEVELS = 1024  # of a window; each has its grey
JUMP_BACK_S = 0.2  # of the stamps: a loop or a reset, everything begins anew
LONGEST_STEP_S = 1.0  # a gap between frames counts as this at most
LONGEST_HOLD_S = 1.0  # a flat or frozen image that stays for longer is no shutter but a scene
PERSIST_S = 0.3  # a scene is another one when it has been so for this long
SETTLE_S = 0.2  # time constant of settling
LEAST_SETTLING_S = 0.8  # so that the curve of a plateau settles too
REMEMBER_S = 10.0  # time constant of the memory of what the scene looks like
MARGIN = 0.1  # of the window beyond the percentiles, on each side
BAND = 0.1  # of the window: ends so near to where they should be stay where they are
OTHER = 0.25  # of the window: the bulk of another scene lies further off than this
JUMP = 0.01  # of the window: a smaller move of all values is drift


class ThermalWindow:
    """Call ``grey`` with every frame, in order; ``events``: shutter events so far."""

    def __init__(self, config: NodeConfig):
        self._config = config
        self.events = 0
        self._forget()

    def suits(self, config: NodeConfig) -> bool:
        """Are its settings those of ``config``?"""
        names = [name for name in vars(config) if name.startswith("thermal_")]
        return all(getattr(config, name) == getattr(self._config, name) for name in names)

    def passes(self, dtype: np.dtype) -> bool:
        """Do values of this type stay as they are?"""
        return dtype == np.uint8 and self._config.thermal_window == "auto" and not self._config.thermal_invert

    def grey(self, values: np.ndarray, stamp_ns: int) -> np.ndarray:
        """(H, W) uint8 of (H, W) uint8, uint16, int16 or float32 ``values``; bright is hot, unless inverted.

        ImageError for a frame without a finite value.
        """
        if values.dtype == np.uint8 and self._config.thermal_window == "auto":
            return 255 - values if self._config.thermal_invert else values
        if values.dtype == np.float32 and not is_value(values).any():
            raise ImageError("thermal image: no pixel has a finite value", "thermal_empty")
        seconds = self._seconds_since_last(stamp_ns)
        values = repaired(values, self._high - self._low)
        frame = Quantiles.of(values, self._config.thermal_percentile)
        if self._scene is None:
            self._begin(frame)
        elif self._config.thermal_window != "fixed":
            self._follow(frame, values, seconds)
        if self._config.thermal_window == "plateau":
            self._bend(values, seconds)
        self._previous = values
        return self._mapped(values)

    @property
    def state(self) -> str:
        """The window in words, for diagnostics."""
        if self._scene is None:
            return "none: 8-bit images are taken as they come"
        return f"{described(self._low, self._high, self._config.thermal_unit)}, {self._doing}"

    def _forget(self) -> None:
        self._scene: Quantiles | None = None  # which the window is right for
        self._newest: Quantiles | None = None
        self._previous: np.ndarray | None = None
        self._curve: np.ndarray | None = None
        self._low, self._high = 0.0, math.inf
        self._stamp_ns: int | None = None
        self._other_s = self._held_s = self._settling_s = 0.0
        self._doing = "standing"

    def _seconds_since_last(self, stamp_ns: int) -> float:
        if self._stamp_ns is not None and stamp_ns < self._stamp_ns - JUMP_BACK_S * 1e9:
            self._forget()
        last_ns, self._stamp_ns = self._stamp_ns, stamp_ns
        return 0.0 if last_ns is None else min(max((stamp_ns - last_ns) / 1e9, 0.0), LONGEST_STEP_S)

    def _begin(self, frame: Quantiles) -> None:
        self._scene = self._newest = frame
        self._low, self._high = self._wanted(frame)

    def _wanted(self, frame: Quantiles) -> tuple[float, float]:
        """The window that would suit ``frame`` alone."""
        config = self._config
        if config.thermal_window == "fixed":
            return tuple(from_celsius(end, config.thermal_unit) for end in (config.thermal_low, config.thermal_high))
        low, high = frame.ends
        margin = MARGIN * (high - low)
        missing = max(0.0, least_span(config.thermal_unit) - (high - low + 2 * margin)) / 2
        return low - margin - missing, high + margin + missing

    def _follow(self, frame: Quantiles, values: np.ndarray, seconds: float) -> None:
        if self._is_shutter(frame, values) and self._held_s < LONGEST_HOLD_S:
            self.events += self._doing != "held: shutter"
            self._held_s += seconds
            self._doing = "held: shutter"
            return
        self._carry(frame)
        if self._is_other(frame):
            self._other_s += seconds + self._held_s
        else:
            self._other_s = 0.0
        self._held_s = 0.0
        self._newest = frame
        if self._doing == "settling" or self._other_s > PERSIST_S:
            self._settle(frame, seconds)
        else:
            self._drift(frame, seconds)

    def _is_shutter(self, frame: Quantiles, values: np.ndarray) -> bool:
        """Frozen to the last bit, or flat where there was a scene."""
        return frame.is_flat_beside(self._newest) or np.array_equal(values, self._previous)

    def _carry(self, frame: Quantiles) -> None:
        """Move the window along when all values jumped alike, as after a shutter event."""
        width = self._high - self._low
        slack = 0.1 if self._held_s else 0.003  # while it was held, the scene went on
        offset = frame.offset_from(self._newest, slack * width)
        if offset is not None and abs(offset) > JUMP * width:
            self.events += not self._held_s
            self._low, self._high = self._low + offset, self._high + offset
            self._scene = self._scene.moved(offset)

    def _is_other(self, frame: Quantiles) -> bool:
        width = self._high - self._low
        moved = np.abs(frame.middle - self._scene.middle).max() > OTHER * width
        ratio = (frame.spread + 0.02 * width) / (self._scene.spread + 0.02 * width)
        return bool(moved or not 0.5 < ratio < 2.0)

    def _settle(self, frame: Quantiles, seconds: float) -> None:
        low, high = self._wanted(frame)
        if self._doing != "settling":
            self._doing, self._settling_s = "settling", 0.0
            if low > self._high or high < self._low:  # nothing to see at the moment, so nothing that could jump
                self._low, self._high = low, high
        part = 1 - math.exp(-seconds / SETTLE_S)
        self._low += part * (low - self._low)
        self._high += part * (high - self._high)
        self._settling_s += seconds
        off = max(abs(low - self._low), abs(high - self._high))
        if off < 0.02 * (high - low) and self._settling_s > LEAST_SETTLING_S:
            self._doing, self._scene, self._other_s = "standing", frame, 0.0

    def _drift(self, frame: Quantiles, seconds: float) -> None:
        width = self._high - self._low
        step = self._config.thermal_rate * width * seconds
        low, high = (
            end + math.copysign(min(abs(wanted - end), step), wanted - end) * (abs(wanted - end) > BAND * width)
            for end, wanted in zip((self._low, self._high), self._wanted(frame))
        )
        self._doing = "standing" if (low, high) == (self._low, self._high) else "drifting"
        self._low, self._high = low, high
        if not self._other_s:
            self._scene = self._scene.towards(frame, 1 - math.exp(-seconds / REMEMBER_S))

    def _bend(self, values: np.ndarray, seconds: float) -> None:
        """Spread the levels by how many pixels each has, none counting for more than the plateau."""
        counts = np.bincount(self._levels(values[::2, ::2]).reshape(-1), minlength=LEVELS)
        counts = np.minimum(counts, max(1.0, self._config.thermal_plateau * counts.sum()))
        curve = np.cumsum(counts) / counts.sum()
        if self._curve is None:
            self._curve = curve
        elif self._doing == "settling":
            self._curve = self._curve + (1 - math.exp(-seconds / SETTLE_S)) * (curve - self._curve)
        elif self._doing != "held: shutter":
            step = self._config.thermal_rate * seconds
            self._curve = self._curve + np.clip(curve - self._curve, -step, step)

    def _levels(self, values: np.ndarray) -> np.ndarray:
        scale = np.float32((LEVELS - 1) / (self._high - self._low))
        levels = (values.astype(np.float32) - np.float32(self._low)) * scale
        return np.clip(levels, 0, LEVELS - 1).astype(np.uint16)

    def _mapped(self, values: np.ndarray) -> np.ndarray:
        curve = np.linspace(0, 1, LEVELS) if self._curve is None else self._curve
        grey = np.rint(255 * curve).astype(np.uint8)
        return (255 - grey if self._config.thermal_invert else grey)[self._levels(values)]
