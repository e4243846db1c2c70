"""Flat-field corrections (FFC, NUC) of a thermal camera: its image freezes, or is flat where there was a scene."""

from __future__ import annotations

import math

LONGEST_HOLD_S = 1.0  # a flat or frozen image that stays for longer is no shutter but a scene
REPEATS = 1.5  # times a camera's own interval between images: the same one for longer is frozen, not sent again
OFTEN = 2.5  # likewise, where a driver sends most images more than once, and one may be lost
SLOWEST_S = 0.2  # such an interval, at most
QUIET_S = 1.0  # after a correction; what moves within it belongs to it
_LEARN = 0.2  # of the way from that interval to the newest


class FlatFieldCorrection:
    """Call ``waits`` with every frame but the first, in order.

    ``closed``: is the shutter closed now? ``count``: corrections so far.
    """

    def __init__(self) -> None:
        self.count = 0
        self.forget()

    def forget(self) -> None:
        """Begin anew; the corrections stay counted."""
        self.closed = False
        self._interval_s = SLOWEST_S  # between images that differ
        self._same_s = 0.0  # since the last one that differed
        self._still_s = 0.0  # of frozen or flat images
        self._quiet_s = math.inf

    @property
    def is_scene(self) -> bool:
        """Has what looks like a closed shutter stayed for too long to be one?"""
        return self._still_s > LONGEST_HOLD_S

    def waits(self, *, flat: bool, same: bool, settling: bool, seconds: float) -> bool:
        """Is there nothing to be learnt from a frame, ``seconds`` after the one before?

        ``flat``: where there was a scene. ``same``: to the last bit as the one before: frozen, or sent once more;
        while the window is ``settling``, as good as any other.
        """
        was_closed, self.closed = self.closed, False
        self._same_s += seconds
        self._quiet_s += seconds
        if not same:
            if not (flat or was_closed):
                self._interval_s += _LEARN * (min(self._same_s, SLOWEST_S) - self._interval_s)
            self._same_s = 0.0
        if not (flat or (same and not settling)):
            self._still_s = 0.0
            return False
        self._still_s += seconds
        frozen = self._still_s > self._interval_s * (OFTEN if self._interval_s > 1.5 * seconds else REPEATS)
        if flat or frozen:
            self.tell()
        if self.is_scene:
            return False
        self.closed = flat or frozen
        return True

    def tell(self) -> None:
        """Count a correction, unless it is the last one that goes on."""
        self.count += self._quiet_s > QUIET_S
        self._quiet_s = 0.0
