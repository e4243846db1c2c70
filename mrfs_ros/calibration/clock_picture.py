"""Both cameras' motion over time, before and after the clocks are set, and the correlation by offset."""

from __future__ import annotations

import cv2
import numpy as np

from mrfs_ros.calibration.clock import ClockFit

_WIDTH, _HEIGHT, _MARGIN = 1200, 240, 40
_RGB, _THERMAL, _FRAME, _INK = (0, 120, 200), (225, 110, 0), (200, 200, 200), (40, 40, 40)
_SHOWN_S = 10.0  # longer curves have no visible details


def clock_picture(fit: ClockFit) -> np.ndarray:
    """(H, W, 3) uint8 RGB: the liveliest ten seconds of the signals as recorded, and shifted; then the correlation."""
    column = int(np.argmax(np.abs((fit.rgb * fit.thermal).sum(axis=0)))) if fit.rgb.shape[1] > 1 else 0
    rgb, thermal = fit.rgb[:, column], fit.thermal[:, column]
    shown = min(_SHOWN_S, fit.times_s[-1] - fit.times_s[0])
    count = max(2, int(shown / (fit.times_s[1] - fit.times_s[0])))
    energy = np.convolve(np.abs(rgb) * (np.abs(thermal) + 0.1), np.ones(count), "valid")
    begin_s = fit.times_s[int(np.argmax(energy))]
    window = begin_s, begin_s + shown
    shifted_s = fit.times_s + fit.offset_s
    before = _panel(
        f"motion of the rgb (blue) and thermal images (orange), stamps as recorded; signal: {fit.signal}",
        [(fit.times_s, rgb, _RGB), (fit.times_s, thermal, _THERMAL)],
        window,
    )
    after = _panel(
        f"the same with {fit.offset_s:+.4f} s added to the thermal stamps",
        [(fit.times_s, rgb, _RGB), (shifted_s, thermal, _THERMAL)],
        window,
    )
    below = _panel(
        f"correlation by offset: {fit.correlation:.2f} at {fit.offset_s:+.4f} s",
        [(fit.lags_s, fit.scores, _INK)],
        (fit.lags_s[0], fit.lags_s[-1]),
        mark=fit.offset_s,
    )
    return np.vstack((before, after, below))


def _panel(
    title: str,
    curves: list[tuple[np.ndarray, np.ndarray, tuple[int, int, int]]],
    window: tuple[float, float],
    mark: float | None = None,
) -> np.ndarray:
    """Curves (x, y, colour) over ``window`` of x, with a time axis and a line at ``mark``."""
    picture = np.full((_HEIGHT, _WIDTH, 3), 255, np.uint8)
    low, high = min(y.min() for _, y, _ in curves), max(y.max() for _, y, _ in curves)
    left, right, top, bottom = _MARGIN, _WIDTH - _MARGIN, _MARGIN, _HEIGHT - _MARGIN

    def across(x: np.ndarray) -> np.ndarray:
        return left + (x - window[0]) / (window[1] - window[0]) * (right - left)

    cv2.rectangle(picture, (left, top), (right, bottom), _FRAME)
    for tick in np.linspace(*window, 11):
        place = round(float(across(tick)))
        cv2.line(picture, (place, bottom), (place, bottom + 5), _INK)
        _write(picture, f"{tick:.1f}", (place - 14, bottom + 20), 0.4)
    _write(picture, "s", (right + 24, bottom + 20), 0.4)
    if mark is not None:
        place = round(float(across(np.float64(mark))))
        cv2.line(picture, (place, top), (place, bottom), _THERMAL)
    for x, y, colour in curves:
        inside = (x >= window[0]) & (x <= window[1])
        heights = bottom - (y[inside] - low) / max(high - low, 1e-9) * (bottom - top)
        points = np.stack((across(x[inside]), heights), axis=1).round().astype(np.int32)
        cv2.polylines(picture, [points], False, colour, 1, cv2.LINE_AA)
    _write(picture, title, (left, top - 12), 0.5)
    return picture


def _write(picture: np.ndarray, text: str, place: tuple[int, int], scale: float) -> None:
    cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, _INK, 1, cv2.LINE_AA)
