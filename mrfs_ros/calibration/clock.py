"""Clock offset of the thermal camera: the shift in time under which both cameras see the same motion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mrfs_ros.calibration.motion import Motion
from mrfs_ros.calibration.residual import parabola
from mrfs_ros.errors import ConfigError

_SIGNALS = {"pan": (1, 2), "pan and activity": (0, 1, 2), "activity": (0,)}  # the most exact first
_LEAST_FRAMES = 20
_LEAST_OVERLAP_S = 4.0
_SEGMENTS = 4
_SLOW_S = 4.0  # slower changes than this say nothing of the time
_LEAST_CORRELATION, _LEAST_PEAK_RATIO = 0.3, 1.5
_CLEAR_CORRELATION, _CLEAR_PEAK_RATIO = 0.5, 2.0
_LARGEST_SPREAD = 0.15  # of the window that the signals are averaged over
_CLIPPED = 4.0  # standard deviations
_ADVICE = (
    "record 20 s or more in which both cameras are moved by hand, unevenly (turn left and right, stop, tilt), "
    "before a scene with edges that both see"
)


@dataclass(frozen=True)
class ClockFit:
    """``offset_s``: to be added to thermal stamps [s]; negative if thermal stamps are late.

    ``spread_s``: standard deviation of the offset over ``segments`` parts of the recording. ``correlation``: of the
    signals at the offset, 0 to 1; ``peak_ratio``: over that of the next peak. ``signal``: what they are.
    ``times_s`` (N,), ``rgb`` (N, C), ``thermal`` (N, C): the signals on a common grid, stamps as recorded;
    ``lags_s`` (M,), ``scores`` (M,): the correlation by offset.
    """

    offset_s: float
    spread_s: float
    segments: int
    correlation: float
    peak_ratio: float
    signal: str
    times_s: np.ndarray
    rgb: np.ndarray
    thermal: np.ndarray
    lags_s: np.ndarray
    scores: np.ndarray


def fit_clock(rgb: Motion, thermal: Motion, longest_s: float = 1.0) -> ClockFit:
    """The offset of the clocks, up to ``longest_s`` either way; ConfigError, with what to do, if it cannot be told."""
    _check(rgb, thermal)
    periods = [float(np.median(np.diff(motion.stamps_s))) for motion in (rgb, thermal)]
    window_s = max(1.5 * max(periods), 0.1)
    step_s = min(max(min(periods) / 5, 0.002), 0.01)
    begin = max(rgb.stamps_s[0], thermal.stamps_s[0]) + window_s / 2
    end = min(rgb.stamps_s[-1], thermal.stamps_s[-1]) - window_s / 2
    if end - begin < max(_LEAST_OVERLAP_S, 3 * longest_s):
        raise ConfigError(
            f"both cameras were recorded together for {max(end - begin, 0):.1f} s: expected at least "
            f"{max(_LEAST_OVERLAP_S, 3 * longest_s):.1f} s (three times --longest): {_ADVICE}"
        )
    times_s = np.arange(begin, end, step_s)
    both = [_rates(motion, times_s, window_s, step_s) for motion in (rgb, thermal)]
    fits = [_fit(name, columns, times_s, both, longest_s, window_s) for name, columns in _SIGNALS.items()]
    clear = [fit for fit in fits if fit.correlation > _CLEAR_CORRELATION and fit.peak_ratio > _CLEAR_PEAK_RATIO]
    fit = clear[0] if clear else max(fits, key=lambda fit: fit.peak_ratio * fit.correlation)
    _refuse_poor(fit, longest_s, window_s)
    return fit


def _check(rgb: Motion, thermal: Motion) -> None:
    for name, motion in (("rgb", rgb), ("thermal", thermal)):
        if len(motion.stamps_s) < _LEAST_FRAMES:
            raise ConfigError(f"{name}: {len(motion.stamps_s)} frames, expected at least {_LEAST_FRAMES}: {_ADVICE}")
        if not np.ptp(np.diff(motion.moved, axis=0), axis=0).any():
            raise ConfigError(f"{name}: nothing moves in these images: {_ADVICE}")


def _rates(motion: Motion, times_s: np.ndarray, window_s: float, step_s: float) -> np.ndarray:
    """(N, 3) motion around each time, averaged over ``window_s``, without its slow part, standard deviation 1.

    What came together is sampled, not the motion between frames: so neither camera's frame rate shifts it in time.
    """
    rates = np.empty((len(times_s), motion.moved.shape[1]))
    for column, moved in enumerate(motion.moved.T):
        after, before = (_between(times_s + side * window_s / 2, motion.stamps_s, moved) for side in (1, -1))
        rate = (after - before) / window_s
        rate -= _moving_mean(rate, round(_SLOW_S / step_s))
        scale = 1.4826 * np.median(np.abs(rate)) or rate.std()
        rate = np.clip(rate, -_CLIPPED * scale, _CLIPPED * scale)
        rates[:, column] = rate / max(rate.std(), 1e-12)
    return rates


def _between(times_s: np.ndarray, stamps_s: np.ndarray, values: np.ndarray) -> np.ndarray:
    """``values`` at other times: a cubic through them, whose slope at each is that of the parabola through three."""
    gaps, rises = np.diff(stamps_s), np.diff(values)
    speeds = rises / gaps
    slopes = np.concatenate(
        (speeds[:1], (speeds[:-1] * gaps[1:] + speeds[1:] * gaps[:-1]) / (gaps[1:] + gaps[:-1]), speeds[-1:])
    )
    at = np.clip(np.searchsorted(stamps_s, times_s, "right") - 1, 0, len(gaps) - 1)
    gap, part = gaps[at], (times_s - stamps_s[at]) / gaps[at]
    bow = part * (1 - part) * gap * ((slopes[at] - speeds[at]) * (1 - part) + (speeds[at] - slopes[at + 1]) * part)
    return values[at] + part * rises[at] + bow


def _moving_mean(values: np.ndarray, count: int) -> np.ndarray:
    ones = np.ones(min(count, len(values)))
    return np.convolve(values, ones, "same") / np.convolve(np.ones(len(values)), ones, "same")


def _fit(
    name: str, columns: tuple[int, ...], times_s: np.ndarray, both: list[np.ndarray], longest_s: float, window_s: float
) -> ClockFit:
    rgb, thermal = (signals[:, columns] for signals in both)
    step_s = times_s[1] - times_s[0]
    reach = round(longest_s / step_s)
    scores = _correlations(rgb, thermal, reach)
    peak = int(np.argmax(scores))
    offset_s = (peak + parabola(scores, peak) - reach) * step_s
    margin = round(window_s / step_s)
    segments = []
    for part in np.array_split(np.arange(len(times_s)), _SEGMENTS):
        own = _correlations(rgb[part], thermal[part], reach)
        near = np.arange(max(0, peak - margin), min(len(own), peak + margin + 1))
        top = int(near[np.argmax(own[near])])
        if own[top] > scores[peak] / 2:  # in a part without motion, noise decides
            segments.append((top + parabola(own, top) - reach) * step_s)
    return ClockFit(
        offset_s=float(offset_s),
        spread_s=float(np.std(segments)) if len(segments) > 1 else float("nan"),
        segments=len(segments),
        correlation=float(scores[peak]),
        peak_ratio=float(scores[peak] / max(_next_peak(scores, peak, margin), 1e-3)),
        signal=name,
        times_s=times_s,
        rgb=rgb,
        thermal=thermal,
        lags_s=(np.arange(len(scores)) - reach) * step_s,
        scores=scores,
    )


def _correlations(rgb: np.ndarray, thermal: np.ndarray, reach: int) -> np.ndarray:
    """(2 reach + 1,) correlation of rgb with thermal moved later by -reach to reach steps, where both are there."""
    count = len(rgb)
    length = 2 ** int(np.ceil(np.log2(2 * count)))

    def products(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        spectrum = (np.fft.rfft(first, length, axis=0) * np.fft.rfft(second, length, axis=0).conj()).sum(axis=1)
        found = np.fft.irfft(spectrum, length)
        return np.concatenate((found[-reach:], found[: reach + 1]))

    ones = np.ones((count, 1))
    energies = products((rgb**2).sum(axis=1)[:, None], ones) * products(ones, (thermal**2).sum(axis=1)[:, None])
    scores = products(rgb, thermal) / np.sqrt(np.maximum(energies, 1e-9))
    lags = np.abs(np.arange(-reach, reach + 1))
    return np.where(count - lags >= count / 3, scores, 0.0)


def _next_peak(scores: np.ndarray, peak: int, margin: int) -> float:
    """The largest value beyond the hill that the peak stands on."""
    left, right = peak, peak
    while left > 0 and (scores[left - 1] < scores[left] or peak - left < margin):
        left -= 1
    while right < len(scores) - 1 and (scores[right + 1] < scores[right] or right - peak < margin):
        right += 1
    return max(scores[:left].max(initial=0.0), scores[right + 1 :].max(initial=0.0))


def _refuse_poor(fit: ClockFit, longest_s: float, window_s: float) -> None:
    if fit.correlation < _LEAST_CORRELATION:
        raise ConfigError(
            f"the cameras' motions have nothing in common within {longest_s:g} s: correlation {fit.correlation:.2f} at "
            f"best, expected {_LEAST_CORRELATION:g}: {_ADVICE}; or allow more time between the clocks (--longest)"
        )
    if abs(fit.offset_s) > longest_s * 0.98:
        raise ConfigError(
            f"the best offset lies at the end of what was searched ({fit.offset_s:+.3f} s): allow more (--longest)"
        )
    if fit.peak_ratio < _LEAST_PEAK_RATIO:
        raise ConfigError(
            f"the offset is ambiguous: the best ({fit.offset_s:+.3f} s) has a correlation of {fit.correlation:.2f}, "
            f"only {fit.peak_ratio:.2f} times the next peak's (expected {_LEAST_PEAK_RATIO:g} times); motion that "
            f"repeats itself does that: {_ADVICE}"
        )
    if fit.segments < 2 or fit.spread_s > _LARGEST_SPREAD * window_s:
        raise ConfigError(
            f"the offset cannot be confirmed: {fit.segments} of {_SEGMENTS} parts of the recording show it, spread "
            f"{1000 * fit.spread_s:.0f} ms (expected 2 parts, {1000 * _LARGEST_SPREAD * window_s:.0f} ms): {_ADVICE}"
        )
