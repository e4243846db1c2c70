"""Thermal values of any depth turned into the 8-bit grey that the network was trained on, without flicker.

A window of values is spread over the grey levels. It stands while the scene does, and passes over what only crosses
the scene; it is carried along when a shutter event moves all values alike; it drifts after slow changes too slowly to
be seen; and it settles anew, within two seconds, when the scene is another one or fills little of it. All times are
of stamps, so that cameras of 9 and 60 Hz are treated alike.
"""

from __future__ import annotations

import math

import numpy as np

from mrfs_ros.config import NodeConfig
from mrfs_ros.errors import ImageError
from mrfs_ros.sensing.thermal_repair import is_value, neighbourhood, repaired, without_holes
from mrfs_ros.sensing.thermal_scene import Scene
from mrfs_ros.sensing.thermal_units import described, from_celsius, least_span

LEVELS = 1024  # of a window; each has its grey
JUMP_BACK_S = 0.2  # of the stamps: a loop or a reset, everything begins anew
JUMP_AHEAD_S = 10.0  # likewise: who knows what happened meanwhile
LONGEST_STEP_S = 1.0  # a gap between frames counts as this at most
LONGEST_HOLD_S = 1.0  # a flat or frozen image that stays for longer is no shutter but a scene
REPEATS = 1.5  # times a camera's usual interval between images: the same one for longer is frozen, not sent again
OFTEN = 2.5  # likewise, where a driver sends most images more than once, and one may be lost
SLOWEST_S = 0.2  # such an interval, at most
QUIET_S = 1.0  # after an event; what moves within it belongs to it
PERSIST_S = 0.6  # a scene is another one when it has been so for this long
PATIENCE_S = 10.0  # for what lies outside the window in a scene that is the same, and until it is forgotten
SETTLE_S = 0.2  # time constant of settling
SETTLING_S = (0.8, 2.0)  # so that the curve of a plateau settles too; and no longer, whatever crosses meanwhile
REMEMBER_S = 10.0  # time constant of the memory of what the scene looks like
USUAL_S = 1.0  # likewise, pixel by pixel
MARGIN = 0.1  # of the window beyond the percentiles, on each side
BAND = 0.1  # of the window: ends so near to where they should be stay where they are
FAR = 0.2  # of the window: ends so far from where they should be are wrong
OTHER = 0.25  # of the window: the bulk of another scene lies further off than this
NARROW = 0.7  # of the window: a scene that fills less wastes grey levels
CUT = 0.6  # of the pixels: where so many are not what they were, it is another scene
PIXEL = 0.06  # of the window: by so much
FILLED = (0.1, 0.7)  # of the narrowest window: a scene that fills less is noise, one that fills more is none
JUMP = 0.01  # of the window: a smaller move of all values is drift
HELD = "held: shutter"


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
        values, holes = without_holes(values)
        around = neighbourhood(values)
        frame = Scene.of(around, holes, self._config.thermal_percentile)
        self._parts_of_one |= values.dtype == np.float32 and bool((frame.sample != np.rint(frame.sample)).any())
        if self._scene is None:
            self._begin(frame)
        elif self._config.thermal_window != "fixed":
            self._follow(frame, np.array_equal(values, self._previous), seconds)
        self._previous = values
        values = repaired(values, around, holes, self._high - self._low)
        if self._config.thermal_window == "plateau":
            self._bend(values, frame, seconds)
        return self._mapped(values)

    @property
    def state(self) -> str:
        """The window in words, for diagnostics."""
        if self._scene is None:
            return "none: 8-bit images are taken as they come"
        return f"{described(self._low, self._high, self._config.thermal_unit)}, {self._doing}"

    def _forget(self) -> None:
        self._scene: Scene | None = None  # which the window is right for
        self._newest: Scene | None = None
        self._usual: np.ndarray | None = None  # a sample, the mean of the last second's
        self._unrest = 0.0  # how far pixels usually are from it
        self._previous: np.ndarray | None = None
        self._curve: np.ndarray | None = None
        self._low, self._high = 0.0, math.inf
        self._parts_of_one = False  # were there values that are no integers?
        self._stamp_ns: int | None = None
        self._interval_s = SLOWEST_S  # between images that differ
        self._same_s = self._still_s = self._waited_s = 0.0
        self._quiet_s = math.inf
        self._other_s = self._far_s = self._bent = 0.0
        self._settling_s: float | None = None
        self._widened = False  # for what stayed outside for long?
        self._doing = "standing"

    def _seconds_since_last(self, stamp_ns: int) -> float:
        last_ns = self._stamp_ns
        passed = 0.0 if last_ns is None else (stamp_ns - last_ns) / 1e9
        if not -JUMP_BACK_S <= passed <= JUMP_AHEAD_S:
            self._forget()
        self._stamp_ns = stamp_ns
        return min(max(passed, 0.0), LONGEST_STEP_S)

    def _begin(self, frame: Scene) -> None:
        self._scene = self._newest = frame
        self._usual = frame.sample
        self._low, self._high = self._wanted(frame)

    def _wanted(self, frame: Scene) -> tuple[float, float]:
        """The window that would suit ``frame`` alone."""
        config = self._config
        if config.thermal_window == "fixed":
            return tuple(from_celsius(end, config.thermal_unit) for end in (config.thermal_low, config.thermal_high))
        low, high = frame.ends
        margin = MARGIN * (high - low)
        missing = max(0.0, self._least - (high - low + 2 * margin)) / 2
        return low - margin - missing, high + margin + missing

    @property
    def _least(self) -> float:
        return least_span(self._config.thermal_unit, self._parts_of_one)

    def _follow(self, frame: Scene, same: bool, seconds: float) -> None:
        was_held = self._doing == HELD
        self._same_s += seconds
        self._quiet_s += seconds
        if self._waits(frame, same, seconds):
            self._waited_s += seconds
            return
        passed, self._waited_s = seconds + self._waited_s, 0.0
        if not same:
            if not was_held:
                self._interval_s += 0.2 * (min(self._same_s, SLOWEST_S) - self._interval_s)
            self._same_s = 0.0
        self._carry(frame, was_held)
        self._newest = frame
        if was_held and not self._still_s:  # a shutter: what it hid counts for nothing
            passed = seconds
        self._judge(frame, passed)
        if self._settling_s is not None or self._other_s > PERSIST_S or self._far_s > PATIENCE_S:
            self._settle(frame, passed)
        else:
            self._drift(frame, passed)

    def _waits(self, frame: Scene, same: bool, seconds: float) -> bool:
        """Is it flat where there was a scene, or the last image once more, so that nothing can be learnt from it?"""
        flat = frame.is_flat_beside(self._newest)
        if not (flat or (same and self._settling_s is None)):
            self._still_s = 0.0
            return False
        self._still_s += seconds
        limit_s = self._interval_s * (OFTEN if self._interval_s > 1.5 * seconds else REPEATS)
        held = flat or self._still_s > limit_s
        if held:
            self._event()
        if self._still_s > LONGEST_HOLD_S:
            return False
        if held:
            self._doing = HELD
        return True

    def _event(self) -> None:
        """Count a shutter event, unless it goes on."""
        self.events += self._quiet_s > QUIET_S
        self._quiet_s = 0.0

    def _carry(self, frame: Scene, was_held: bool) -> None:
        """Move the window along when all values jumped alike, as after a shutter event."""
        width = self._high - self._low
        slack = 0.1 if was_held else 0.003  # while it was held, the scene went on
        offset = frame.offset_from(self._newest, slack * width)
        if offset is not None and abs(offset) > JUMP * width:
            self._event()
            self._low, self._high = self._low + offset, self._high + offset
            self._scene = self._scene.moved(offset)
            self._usual = self._usual + np.float32(offset)

    def _judge(self, frame: Scene, seconds: float) -> None:
        """For how long it has been another scene, or the window wrong for this one."""
        width = self._high - self._low
        low, high = self._wanted(frame)
        narrow = high - low < NARROW * width
        cut = self._is_cut(frame, seconds)
        if cut and self._settling_s:  # yet another one
            self._settling_s, self._usual = 0.0, frame.sample
        other = cut or self._is_other(frame) or self._bent > OTHER
        other |= narrow and not self._widened
        far = narrow or max(abs(low - self._low), abs(high - self._high)) > FAR * width or self._bent > FAR
        self._other_s = self._other_s + seconds if other else 0.0
        self._far_s = self._far_s + seconds if far else 0.0

    def _is_cut(self, frame: Scene, seconds: float) -> bool:
        """Are most pixels further from what they usually are than they usually are?"""
        if frame.changed(self._usual, max(PIXEL * (self._high - self._low), 3 * self._unrest)) > CUT:
            return True
        part = np.float32(1 - math.exp(-seconds / USUAL_S))
        off = frame.sample - self._usual
        self._unrest += float(part) * (float(np.median(np.abs(off))) - self._unrest)
        self._usual = self._usual + part * off
        return False

    def _is_other(self, frame: Scene) -> bool:
        """Has the bulk of the values left its place?"""
        return bool(np.abs(frame.middle - self._scene.middle).max() > OTHER * (self._high - self._low))

    def _settle(self, frame: Scene, seconds: float) -> None:
        low, high = self._wanted(frame)
        if self._settling_s is None:
            self._settling_s = 0.0
            self._widened = self._other_s <= PERSIST_S and high - low > self._high - self._low
            if low > self._high or high < self._low:  # nothing to see at the moment, so nothing that could jump
                self._low, self._high = low, high
        part = 1 - math.exp(-seconds / SETTLE_S)
        self._low += part * (low - self._low)
        self._high += part * (high - self._high)
        self._settling_s += seconds
        self._doing = "settling"
        off = max(abs(low - self._low), abs(high - self._high)) / (high - low)
        least_s, most_s = SETTLING_S
        if (max(off, self._bent) < 0.02 and self._settling_s > least_s) or self._settling_s > most_s:
            self._scene, self._usual = frame, frame.sample
            self._settling_s, self._other_s, self._far_s, self._doing = None, 0.0, 0.0, "standing"

    def _drift(self, frame: Scene, seconds: float) -> None:
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

    def _bend(self, values: np.ndarray, frame: Scene, seconds: float) -> None:
        """Spread the levels by how many pixels each has, none counting for more than the plateau.

        The less a scene fills even the narrowest window, the less so: what is left of it then is noise.
        """
        if self._doing == HELD and self._curve is not None:
            return
        counts = np.bincount(self._levels(values[::2, ::2]).reshape(-1), minlength=LEVELS)
        counts = np.minimum(counts, max(1.0, self._config.thermal_plateau * counts.sum()))
        low, high = FILLED
        part = min(max(((frame.ends[1] - frame.ends[0]) / self._least - low) / (high - low), 0.0), 1.0)
        curve = part * np.cumsum(counts) / counts.sum() + (1 - part) * np.linspace(0, 1, LEVELS)
        if self._curve is None:
            self._curve = curve
        elif self._settling_s is not None:
            self._curve = self._curve + (1 - math.exp(-seconds / SETTLE_S)) * (curve - self._curve)
        else:
            step = self._config.thermal_rate * seconds
            self._curve = self._curve + np.clip(curve - self._curve, -step, step)
        self._bent = float(np.abs(curve - self._curve).max())

    def _levels(self, values: np.ndarray) -> np.ndarray:
        scale = np.float32((LEVELS - 1) / (self._high - self._low))
        levels = (values.astype(np.float32) - np.float32(self._low)) * scale
        return np.clip(levels, 0, LEVELS - 1).astype(np.uint16)

    def _mapped(self, values: np.ndarray) -> np.ndarray:
        curve = np.linspace(0, 1, LEVELS) if self._curve is None else self._curve
        grey = np.rint(255 * curve).astype(np.uint8)
        return (255 - grey if self._config.thermal_invert else grey)[self._levels(values)]
