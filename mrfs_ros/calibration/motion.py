"""Motion in the images of one camera, as signals over time."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

_WIDTH = 160
_BLUR_PX = 1.5


@dataclass(frozen=True)
class Motion:
    """``stamps_s``: (N,) float64, rising. ``moved``: (N, 3) float64, what has come together since the first frame.

    Columns: squared change of the edges [of mean strength 1], shift of the whole image to the right and down [widths].
    """

    stamps_s: np.ndarray
    moved: np.ndarray


class MotionMeter:
    """Takes the frames of one camera in the order of their stamps; frames whose stamp does not rise are left out."""

    def __init__(self) -> None:
        self.frames = 0
        self.left_out = 0
        self._stamps_ns: list[int] = []
        self._steps: list[tuple[float, float, float]] = []
        self._last: np.ndarray | None = None
        self._window = np.zeros((0, 0), np.float32)

    def add(self, stamp_ns: int, grey: np.ndarray) -> None:
        """Take ``grey`` (H, W) uint8 of time ``stamp_ns``."""
        self.frames += 1
        edges = _edges(grey)
        rises = not self._stamps_ns or stamp_ns > self._stamps_ns[-1]
        if not rises or (self._last is not None and edges.shape != self._last.shape):
            self.left_out += 1
            return
        if self._last is None:
            self._window = cv2.createHanningWindow(edges.shape[::-1], cv2.CV_32F)
            self._steps.append((0.0, 0.0, 0.0))
        else:
            change = float(np.square(edges - self._last).mean())
            (right, down), _ = cv2.phaseCorrelate(self._last, edges, self._window)
            self._steps.append((change, right / edges.shape[1], down / edges.shape[1]))
        self._last = edges
        self._stamps_ns.append(stamp_ns)

    def motion(self, origin_ns: int) -> Motion:
        """The signals so far, stamps in seconds after ``origin_ns``."""
        stamps = np.array([stamp - origin_ns for stamp in self._stamps_ns], np.float64) / 1e9
        return Motion(stamps, np.cumsum(np.array(self._steps).reshape(-1, 3), axis=0))

    @property
    def first_ns(self) -> int | None:
        """The first stamp [ns]; None before the first frame."""
        return self._stamps_ns[0] if self._stamps_ns else None


def _edges(grey: np.ndarray) -> np.ndarray:
    """Strength of the edges, of mean 1: a thermal camera that changes its gain does not move."""
    height, width = grey.shape
    if width > _WIDTH:
        grey = cv2.resize(grey, (_WIDTH, max(2, round(height * _WIDTH / width))), interpolation=cv2.INTER_AREA)
    smooth = cv2.GaussianBlur(grey.astype(np.float32), (0, 0), _BLUR_PX)
    slopes = (cv2.Sobel(smooth, cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
    strength = cv2.magnitude(*slopes)
    return strength / max(float(strength.mean()), 1e-3)
