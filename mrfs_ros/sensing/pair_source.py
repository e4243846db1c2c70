"""Two cameras' messages in, pairs out: through bag loops, constant offsets and the loss of a camera."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

RGB, THERMAL = 0, 1
CAMERAS = ("rgb", "thermal")
JUMP_NS = 200_000_000  # stamps that fall back further than this come from a loop or a reset, not from jitter


class Pairing(Protocol):
    """What ``ApproximateTime`` does; see there."""

    def add(self, index: int, stamp_ns: int, message: Any) -> tuple[Any, Any] | None: ...

    def clear(self, index: int) -> None: ...

    def drop_after(self, stamp_ns: int) -> None: ...


class PairSource:
    """Pairs messages of camera ``RGB`` and ``THERMAL``; ``say`` gets one line per event that a user should know.

    ``now_s`` arguments are seconds of a clock that never jumps.
    """

    def __init__(self, pairing: Pairing, *, start_s: float, say: Callable[[str], None]):
        self.pairing = pairing
        self.thermal_offset_ns = 0
        self.on_missing = "drop"
        self.missing_timeout_s = 1.0
        self.best_gap_s: float | None = None  # thermal minus rgb stamp, the smallest seen since the last pair
        self.jumps = 0
        self._say = say
        self._last_s = [start_s, start_s]
        self._ever = [False, False]
        self._missing = [False, False]
        self._newest_ns: list[int | None] = [None, None]
        self._recent_ns: tuple[deque[int], deque[int]] = (deque(maxlen=64), deque(maxlen=64))
        self._jump_said_s = float("-inf")

    def add(self, camera: int, stamp_ns: int, message: Any, now_s: float) -> tuple[Any | None, Any | None] | None:
        """Take a message; return (rgb, thermal) if it completes a pair, with None for a camera that is missing."""
        if camera == THERMAL:
            stamp_ns += self.thermal_offset_ns
        self._notice_jump(camera, stamp_ns, now_s)
        self.heard(camera, now_s)
        if self._missing[1 - camera] and self.on_missing == f"{CAMERAS[camera]}_only":
            return (message, None) if camera == RGB else (None, message)
        pair = self.pairing.add(camera, stamp_ns, message)
        if pair is None:
            self._note_gap(camera, stamp_ns)
        else:
            self.best_gap_s = None
        return pair

    def heard(self, camera: int, now_s: float) -> None:
        """Note that ``camera`` lives; ``add`` does so too, this is for images that cannot be used."""
        self._last_s[camera] = now_s
        self._ever[camera] = True
        self.watch(now_s)

    def watch(self, now_s: float) -> None:
        """Notice cameras that fell silent or came back; call it from time to time when no message comes."""
        for camera, name in enumerate(CAMERAS):
            silence_s = now_s - self._last_s[camera]
            missing = silence_s > self.missing_timeout_s
            if missing != self._missing[camera]:
                self._missing[camera] = missing
                if missing:
                    self._say_missing(camera, silence_s)
                elif self._ever[camera]:
                    self._say(f"{name} camera is there")

    def _say_missing(self, camera: int, silence_s: float) -> None:
        other = CAMERAS[1 - camera]
        goes_on = self.on_missing == f"{other}_only"
        if self._ever[camera] or goes_on:  # at the start, silence is normal, and the watchdog explains a long one
            then = f"going on with {other} alone" if goes_on else "nothing is published until it returns"
            self._say(
                f"{CAMERAS[camera]} camera lost: no image for {silence_s:.1f} s; {then} (on_missing: {self.on_missing})"
            )

    def silence_s(self, camera: int, now_s: float) -> float:
        """Seconds since the last message of ``camera``, or since the start."""
        return now_s - self._last_s[camera]

    def missing(self) -> list[str]:
        """Names of the cameras that are silent for longer than ``missing_timeout_s``."""
        return [name for name, missing in zip(CAMERAS, self._missing) if missing]

    def clock_jumped_back(self, now_ns: int) -> None:
        """Forget the waiting messages that the new time ``now_ns`` of the node's clock puts into the future."""
        self.pairing.drop_after(now_ns + JUMP_NS)

    def _notice_jump(self, camera: int, stamp_ns: int, now_s: float) -> None:
        newest = self._newest_ns[camera]
        if newest is not None and stamp_ns < newest - JUMP_NS:
            # Each camera clears its own queue at its own first message after the jump: clearing both would throw
            # away the other's first message from after the jump, where that came first.
            self.pairing.clear(camera)
            self._recent_ns[camera].clear()
            self.best_gap_s = None
            newest = None
            if now_s - self._jump_said_s > 1.0:  # the other camera's jump of the same loop is no news
                self.jumps += 1
                self._say(
                    f"time jumped back by {(self._newest_ns[camera] - stamp_ns) / 1e9:.2f} s ({CAMERAS[camera]} "
                    "stamps; a bag that loops?): waiting images cleared, going on"
                )
                self._jump_said_s = now_s
        self._newest_ns[camera] = stamp_ns if newest is None else max(newest, stamp_ns)

    def _note_gap(self, camera: int, stamp_ns: int) -> None:
        self._recent_ns[camera].append(stamp_ns)
        others = self._recent_ns[1 - camera]
        if others:
            nearest = min(others, key=lambda other: abs(other - stamp_ns))
            gap_s = (stamp_ns - nearest if camera == THERMAL else nearest - stamp_ns) / 1e9
            if self.best_gap_s is None or abs(gap_s) < abs(self.best_gap_s):
                self.best_gap_s = gap_s
