"""Thermal values of any depth turned into the 8-bit grey that the network was trained on, without flicker.

A window of values is spread over the grey levels. It stands while the scene does, and passes over what only crosses
the scene; it is held during a flat-field correction (FFC, NUC) and carried along when that moves all values alike; it
drifts after slow changes too slowly to be seen; and it settles anew, within two seconds, when the scene is another one
or fills little of it. All times are of stamps, so that cameras of 9 and 60 Hz are treated alike.
"""

from __future__ import annotations

import math

import numpy as np

from mrfs_ros.camera.flat_field_correction import FlatFieldCorrection
from mrfs_ros.camera.thermal_plateau import Plateau
from mrfs_ros.camera.thermal_repair import is_value, neighbourhood, repaired, without_holes
from mrfs_ros.camera.thermal_scene import Scene
from mrfs_ros.camera.thermal_units import described, least_span, scale_of
from mrfs_ros.config import NodeConfig
from mrfs_ros.errors import ImageError

LEVELS = 1024  # of a window; each has its grey
JUMP_BACK_S = 0.2  # of the stamps: a loop or a reset, everything begins anew
JUMP_AHEAD_S = 10.0  # likewise: who knows what happened meanwhile
LONGEST_STEP_S = 1.0  # a gap between frames counts as this at most
PERSIST_S = 0.6  # a scene is another one when it has been so for this long
PATIENCE_S = 10.0  # for what lies outside the window in a scene that is the same, and until it is forgotten
SETTLE_S = 0.2  # time constant of settling
SETTLING_S = (0.8, 2.0)  # so that the curve of a plateau settles too; and no longer, whatever crosses meanwhile
REMEMBER_S = 10.0  # time constant of the memory of what the scene looks like
BACKGROUND_S = 1.0  # likewise, pixel by pixel
MARGIN = 0.1  # of the window beyond the percentiles, on each side
BAND = 0.1  # of the window: ends so near to where they should be stay where they are
FAR = 0.2  # of the window: ends so far from where they should be are wrong
OTHER = 0.25  # of the window: the bulk of another scene lies further off than this
NARROW = 0.7  # of the window: a scene that fills less wastes grey levels
CUT = 0.6  # of the pixels: where so many are not what they were, it is another scene
PIXEL = 0.06  # of the window: by so much
JUMP = 0.01  # of the window: a smaller move of all values is drift


class ThermalWindow:
    """Call ``grey`` with every frame, in order."""

    def __init__(self, config: NodeConfig):
        self._config = config
        self._scale = scale_of(config)
        self._correction = FlatFieldCorrection()
        self._forget()

    @property
    def corrections(self) -> int:
        """Flat-field corrections so far."""
        return self._correction.count

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
        if self._newest is None or self._config.thermal_window != "fixed":
            self._look(Scene.of(around, holes, self._config.thermal_percentile), values, seconds)
        values = repaired(values, around, holes, self._high - self._low)
        if self._config.thermal_window == "plateau" and not (self._plateau and self._correction.closed):
            self._follow_curve(values, seconds)
        return self._mapped(values)

    @property
    def state(self) -> str:
        """The window in words, for diagnostics."""
        if self._newest is None:
            return "none: 8-bit images are taken as they come"
        return f"{described(self._low, self._high, self._scale)}, {self._doing}"

    def _forget(self) -> None:
        self._correction.forget()
        self._newest: Scene | None = None
        self._middle = np.zeros(3)  # of the values of the scene that the window is right for
        self._background: np.ndarray | None = None  # mean of the samples of the last second
        self._noise = 0.0  # median distance of the pixels from it
        self._previous: np.ndarray | None = None
        self._plateau: Plateau | None = None
        self._low, self._high = 0.0, math.inf
        self._non_integer = False  # were there values that are no integers?
        self._stamp_ns: int | None = None
        self._waited_s = 0.0
        self._other_s = self._far_s = 0.0
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

    def _look(self, frame: Scene, values: np.ndarray, seconds: float) -> None:
        """Place the window for a first frame, let it follow the others."""
        self._non_integer |= values.dtype == np.float32 and bool((frame.sample != np.rint(frame.sample)).any())
        if self._newest is None:
            self._newest, self._middle, self._background = frame, frame.middle, frame.sample
            self._low, self._high = self._wanted(frame)
        else:
            self._follow(frame, np.array_equal(values, self._previous), seconds)
        self._previous = values

    def _wanted(self, frame: Scene) -> tuple[float, float]:
        """The window that would suit ``frame`` alone."""
        config = self._config
        if config.thermal_window == "fixed":
            ends = config.thermal_low, config.thermal_high
            return ends if self._scale is None else tuple(map(self._scale.value, ends))
        low, high = frame.ends
        margin = MARGIN * (high - low)
        missing = max(0.0, self._least - (high - low + 2 * margin)) / 2
        return low - margin - missing, high + margin + missing

    @property
    def _least(self) -> float:
        return least_span(self._scale, self._non_integer)

    def _follow(self, frame: Scene, same: bool, seconds: float) -> None:
        was_closed = self._correction.closed
        flat, settling = frame.is_flat_beside(self._newest), self._settling_s is not None
        if self._correction.waits(flat=flat, same=same, settling=settling, seconds=seconds):
            self._waited_s += seconds
            self._doing = "held: flat-field correction" if self._correction.closed else self._doing
            return
        passed, self._waited_s = seconds + self._waited_s, 0.0
        if was_closed and not self._correction.is_scene:  # what the closed shutter hid counts for nothing
            passed = seconds
        self._carry(frame, was_closed)
        self._newest = frame
        self._judge(frame, passed)
        if self._settling_s is not None or self._other_s > PERSIST_S or self._far_s > PATIENCE_S:
            self._settle(frame, passed)
        else:
            self._drift(frame, passed)

    def _carry(self, frame: Scene, was_closed: bool) -> None:
        """Move the window along when all values jumped alike, as after a flat-field correction."""
        width = self._high - self._low
        slack = 0.1 if was_closed else 0.003  # while it was, the scene went on
        if offset := frame.offset_from(self._newest, least=JUMP * width, slack=slack * width):
            self._correction.tell()
            self._low, self._high = self._low + offset, self._high + offset
            self._middle = self._middle + offset
            self._background = self._background + np.float32(offset)

    def _judge(self, frame: Scene, seconds: float) -> None:
        """For how long it has been another scene, or the window wrong for this one."""
        width = self._high - self._low
        low, high = self._wanted(frame)
        narrow = high - low < NARROW * width
        cut = self._is_cut(frame, seconds)
        if cut and self._settling_s:  # yet another one
            self._settling_s, self._background = 0.0, frame.sample
        moved = np.abs(frame.middle - self._middle).max() > OTHER * width
        curve_error = self._plateau.off if self._plateau else 0.0
        other = cut or moved or curve_error > OTHER or (narrow and not self._widened)
        far = narrow or max(abs(low - self._low), abs(high - self._high)) > FAR * width or curve_error > FAR
        self._other_s = self._other_s + seconds if other else 0.0
        self._far_s = self._far_s + seconds if far else 0.0

    def _is_cut(self, frame: Scene, seconds: float) -> bool:
        """Are most pixels further from the background than its noise explains?"""
        if frame.changed(self._background, max(PIXEL * (self._high - self._low), 3 * self._noise)) > CUT:
            return True
        part = np.float32(1 - math.exp(-seconds / BACKGROUND_S))
        off = frame.sample - self._background
        self._noise += float(part) * (float(np.median(np.abs(off))) - self._noise)
        self._background = self._background + part * off
        return False

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
        curve_error = self._plateau.off if self._plateau else 0.0
        least_s, most_s = SETTLING_S
        if (max(off, curve_error) < 0.02 and self._settling_s > least_s) or self._settling_s > most_s:
            self._middle, self._background = frame.middle, frame.sample
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
            self._middle = self._middle + (1 - math.exp(-seconds / REMEMBER_S)) * (frame.middle - self._middle)

    def _follow_curve(self, values: np.ndarray, seconds: float) -> None:
        low, high = self._newest.ends
        levels = np.bincount(self._levels(values[::2, ::2]).reshape(-1), minlength=LEVELS)
        of = levels, self._config.thermal_plateau, (high - low) / self._least
        if self._plateau is None:
            self._plateau = Plateau(*of)
        elif self._settling_s is not None:
            self._plateau.follow(*of, part=1 - math.exp(-seconds / SETTLE_S))
        else:
            self._plateau.follow(*of, step=self._config.thermal_rate * seconds)

    def _levels(self, values: np.ndarray) -> np.ndarray:
        scale = np.float32((LEVELS - 1) / (self._high - self._low))
        levels = (values.astype(np.float32) - np.float32(self._low)) * scale
        return np.clip(levels, 0, LEVELS - 1).astype(np.uint16)

    def _mapped(self, values: np.ndarray) -> np.ndarray:
        curve = self._plateau.curve if self._plateau else np.linspace(0, 1, LEVELS)
        grey = np.rint(255 * curve).astype(np.uint8)
        return (255 - grey if self._config.thermal_invert else grey)[self._levels(values)]
