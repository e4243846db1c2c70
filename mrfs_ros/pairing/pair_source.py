"""Two cameras' messages in, pairs out: through bag loops, constant offsets and the loss of a camera."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from mrfs_ros.types import CAMERAS, RGB, THERMAL

JUMP_NS = 200_000_000  # stamps that fall back further than this come from a loop or a reset, not from jitter

SAME_JUMP_S = 0.5
CATCH_UP_S = 1.0  # within this time the other camera jumps too, if the cause is a loop


class Pairing(Protocol):
    """What ``ApproximateTime`` does; see there."""

    def add(self, index: int, stamp_ns: int, message: Any) -> tuple[Any, Any] | None: ...

    def drop_after(self, stamp_ns: int) -> None: ...

    def forget(self, index: int) -> None: ...


class PairSource:
    """Pairs messages of camera ``RGB`` and ``THERMAL``; ``say`` gets one line per event that a user should know.

    ``now_s`` arguments are seconds of a clock that never jumps.
    """

    def __init__(self, make_pairing: Callable[[], Pairing], *, start_s: float, say: Callable[[str], None]):
        self.restart(make_pairing)
        self._thermal_offset_ns = 0
        self.on_missing = "drop"
        self.missing_timeout_s = 1.0
        self.best_gap_s: float | None = None  # thermal minus rgb stamp, the smallest seen since the last pair
        self.jumps = 0
        self._jump_told_s = float("-inf")
        self._say = say
        self._last_s = [start_s, start_s]
        self._ever = [False, False]
        self._missing = [False, False]
        self._newest_ns: list[int | None] = [None, None]
        self._pair_gaps_s: deque[float] = deque(maxlen=31)
        self._recent_ns: tuple[deque[int], deque[int]] = (deque(maxlen=64), deque(maxlen=64))

    def restart(self, make_pairing: Callable[[], Pairing]) -> None:
        """Pair by a new rule from now on; what waits is forgotten."""
        self._make_pairing = make_pairing
        self._pairing = make_pairing()
        self._old_pairing: Pairing | None = None  # for the camera that has not jumped back yet
        self._behind: int | None = None  # which camera that is
        self._jump_s = 0.0

    @property
    def thermal_offset_ns(self) -> int:
        """What is added to thermal stamps before pairing; a change of it is no jump of the time."""
        return self._thermal_offset_ns

    @thermal_offset_ns.setter
    def thermal_offset_ns(self, offset_ns: int) -> None:
        moved_ns, self._thermal_offset_ns = offset_ns - self._thermal_offset_ns, offset_ns
        if not moved_ns:
            return
        for pairing in filter(None, (self._pairing, self._old_pairing)):
            pairing.forget(THERMAL)  # those that wait do so under the old offset
        self.best_gap_s = None
        self._pair_gaps_s.clear()
        self._recent_ns[THERMAL].clear()
        if self._newest_ns[THERMAL] is not None:
            self._newest_ns[THERMAL] += moved_ns

    def add(self, camera: int, stamp_ns: int, message: Any, now_s: float) -> tuple[Any | None, Any | None] | None:
        """Take a message; return (rgb, thermal) if it completes a pair, with None for a camera that is missing."""
        if camera == THERMAL:
            stamp_ns += self._thermal_offset_ns
        self._notice_jump(camera, stamp_ns, now_s)
        self.heard(camera, now_s)
        if self._missing[1 - camera] and self.on_missing == f"{CAMERAS[camera]}_only":
            return (message, None) if camera == RGB else (None, message)
        pairing = self._old_pairing if camera == self._behind else self._pairing
        pair = pairing.add(camera, stamp_ns, (stamp_ns, message))
        if pair is None:
            self._note_gap(camera, stamp_ns)
            return None
        (rgb_ns, rgb), (thermal_ns, thermal) = pair
        self._pair_gaps_s.append((thermal_ns - rgb_ns) / 1e9)
        self.best_gap_s = None
        return rgb, thermal

    def pair_gap_s(self) -> float | None:
        """Median of thermal minus rgb stamp over the last pairs; None before the first."""
        gaps = sorted(self._pair_gaps_s)
        return gaps[len(gaps) // 2] if gaps else None

    def heard(self, camera: int, now_s: float) -> None:
        """Note that ``camera`` lives; ``add`` does so too, this is for images that cannot be used."""
        self.note_heard(camera, now_s)
        self.watch(now_s)

    def note_heard(self, camera: int, at_s: float) -> None:
        """As ``heard``, but say nothing yet."""
        self._last_s[camera] = max(self._last_s[camera], at_s)
        self._ever[camera] = True

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

    def clock_jumped_back(self, by_s: float, now_s: float) -> None:
        """Tell it, no more: an image still on its way is not stale, and the stamps of the new time will follow."""
        self._tell_jump(by_s, "the clock", now_s)

    def _notice_jump(self, camera: int, stamp_ns: int, now_s: float) -> None:
        """See to it that a jump back loses no pair: neither of before it, nor of after, however the cameras overlap.

        The camera that jumps first begins a new pairing; the other one goes on in the old one until it jumps as well.
        """
        if self._behind is not None and now_s - self._jump_s > CATCH_UP_S:
            self._behind = self._old_pairing = None  # only one camera jumped: its clock was set
        newest_ns = self._newest_ns[camera]
        if newest_ns is None or stamp_ns >= newest_ns - JUMP_NS:
            self._newest_ns[camera] = stamp_ns if newest_ns is None else max(newest_ns, stamp_ns)
            return
        self._newest_ns[camera] = stamp_ns
        self._recent_ns[camera].clear()
        self.best_gap_s = None
        if camera == self._behind:
            self._behind = self._old_pairing = None
            return
        other_ns = self._newest_ns[1 - camera]
        if other_ns is not None and other_ns > stamp_ns + JUMP_NS:
            self._behind, self._old_pairing, self._jump_s = 1 - camera, self._pairing, now_s
            self._pairing = self._make_pairing()
        else:  # it has jumped already, or never went so far
            self._pairing.drop_after(stamp_ns + JUMP_NS)
        self._tell_jump((newest_ns - stamp_ns) / 1e9, f"{CAMERAS[camera]} stamps", now_s)

    def _tell_jump(self, by_s: float, what: str, now_s: float) -> None:
        """One line a jump: clock and stamps tell of the same one."""
        if now_s - self._jump_told_s > SAME_JUMP_S:
            self._jump_told_s = now_s
            self.jumps += 1
            self._say(f"time jumped back by {by_s:.2f} s ({what}; a bag that loops?): waiting images cleared, going on")

    def _note_gap(self, camera: int, stamp_ns: int) -> None:
        self._recent_ns[camera].append(stamp_ns)
        others = self._recent_ns[1 - camera]
        if others:
            nearest = min(others, key=lambda other: abs(other - stamp_ns))
            gap_s = (stamp_ns - nearest if camera == THERMAL else nearest - stamp_ns) / 1e9
            if self.best_gap_s is None or abs(gap_s) < abs(self.best_gap_s):
                self.best_gap_s = gap_s
