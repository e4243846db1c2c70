"""A homography without a target: the warp under which the edges of both cameras coincide in all frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mrfs_ros.calibration.checks import check_pairs
from mrfs_ros.calibration.refine import FREEDOMS, refine, score_of
from mrfs_ros.calibration.residual import Residual, residual
from mrfs_ros.calibration.search import Candidate, candidates, peak_ratio, scales_for
from mrfs_ros.calibration.views import View, from_homography, to_homography, views
from mrfs_ros.errors import ConfigError
from mrfs_ros.geometry.camera_models import Homography

Pair = tuple[np.ndarray, np.ndarray]
_COARSE, _MIDDLE, _FINE = 160, 320, 640  # widths in pixels
_REFINED = 4
_SIMPLER = {True: 0.01, False: 0.03}  # a simpler warp may score less by this share; more where nothing is held out
_LEAST_COARSE, _LEAST_PEAK_RATIO = 1.15, 1.5
_LEAST_SCORE = 0.08
_LEAST_BLOCKS = 3
_LARGEST_RESIDUAL = 0.01  # of the width
_ADVICE = (
    "take frames with more edges that both cameras see (buildings, cars, people near and far, all over the image), "
    "name an initial place (--initial), or calibrate with a heated board (--pattern chessboard 9x6)"
)


@dataclass(frozen=True)
class EdgeFit:
    """``score_before``, ``score_after``: correlation of the edges, -1 to 1, at the start and under ``homography``.

    Scores and ``residual`` are measured on the ``held_out`` frames before these joined the fit; on all if that is 0.
    ``freedom``: similarity, affine or homography; start kept = the start was no worse than what was found.
    ``peak_ratio``: score over that of the next best place.
    """

    homography: Homography
    freedom: str
    score_before: float
    score_after: float
    peak_ratio: float
    residual: Residual
    fitted: int
    held_out: int


def fit_edges(
    pairs: Sequence[Pair], start: Homography | None = None, on_progress: Callable[[int, int], None] = lambda *_: None
) -> EdgeFit:
    """The homography under which ``pairs`` of rgb (H, W, 3) uint8 RGB and thermal (h, w) uint8 have common edges.

    All pairs have the same two sizes. ``start``: about where thermal lies; None = centred, as wide as rgb.
    ``on_progress`` gets how much is done, and of how much. ConfigError, with what to do, when no warp can be trusted.
    """
    rgb_size, thermal_size = check_pairs(pairs)
    held_out = list(pairs[2::3]) if len(pairs) > 2 else list(pairs[1:])
    fitted = [pair for pair in pairs if not any(pair is other for other in held_out)]
    scales = scales_for(thermal_size, rgb_size)
    first = np.eye(3)
    if start is not None:
        start = start.scaled_to(thermal_size, rgb_size)
        first = from_homography(np.array(start.matrix), thermal_size, rgb_size)
        scales = scales_for(rgb_size, rgb_size)
    progress = _Progress(on_progress, len(scales) * 7 + _REFINED + len(FREEDOMS) + 1)
    matrix = _coarse(views(fitted, _COARSE), first, scales, progress)
    _refuse_unclear(score_of(views(fitted, _COARSE), matrix), peak_ratio(views(fitted, _COARSE), matrix), _LEAST_COARSE)
    matrix, freedom = _middle(views(fitted, _MIDDLE), views(held_out, _MIDDLE), matrix, progress)
    fine, judged = views(fitted, _FINE), views(held_out, _FINE)
    matrix, _ = refine(fine, matrix, freedom)
    before, after = (score_of(judged or fine, tried) for tried in (first, matrix))
    if after <= before:
        matrix, freedom = first, "start kept"
    fit = EdgeFit(
        homography=Homography(to_homography(matrix, thermal_size, rgb_size), thermal_size, rgb_size),
        freedom=freedom,
        score_before=before,
        score_after=max(before, after),
        peak_ratio=peak_ratio(views(held_out or fitted, _MIDDLE), matrix),
        residual=residual(judged or fine, matrix),
        fitted=len(fitted),
        held_out=len(held_out),
    )
    _refuse_poor(fit)
    if freedom in FREEDOMS and held_out:  # it is good: now the frames held out may help too
        matrix, _ = refine([*fine, *judged], matrix, freedom)
        fit = replace(fit, homography=Homography(to_homography(matrix, thermal_size, rgb_size), thermal_size, rgb_size))
    progress()
    return fit


class _Progress:
    def __init__(self, tell: Callable[[int, int], None], total: int):
        self._tell, self._total, self._done = tell, total, 0

    def __call__(self) -> None:
        self._done += 1
        self._tell(self._done, self._total)


def _coarse(coarse: Sequence[View], first: np.ndarray, scales: Sequence[float], progress: _Progress) -> np.ndarray:
    """The best matrix of the search."""
    found: list[Candidate] = []
    for candidate in candidates(coarse, first, scales):
        found.append(candidate)
        progress()
    found.sort(key=lambda candidate: -candidate.score)
    best = (-1.0, first)
    for candidate in found[:_REFINED]:
        matrix, _ = refine(coarse, candidate.matrix, "similarity")
        matrix, score = refine(coarse, matrix, "affine")
        best = max(best, (score, matrix), key=lambda entry: entry[0])
        progress()
    return best[1]


def _middle(
    fitted: Sequence[View], held_out: Sequence[View], matrix: np.ndarray, progress: _Progress
) -> tuple[np.ndarray, str]:
    """The simplest warp that explains the frames held out about as well as the best one."""
    tried = []
    for freedom in FREEDOMS:
        matrix, score = refine(fitted, matrix, freedom)
        tried.append((score_of(held_out, matrix) if held_out else score, matrix, freedom))
        progress()
    best = max(score for score, _, _ in tried)
    enough = best - abs(best) * _SIMPLER[bool(held_out)]
    return next((matrix, freedom) for score, matrix, freedom in tried if score >= enough)


def _refuse_unclear(score: float, clear: float, least: float) -> None:
    problems = []
    if score < _LEAST_SCORE:
        problems.append(f"has an edge correlation of {score:.3f} (expected at least {_LEAST_SCORE:g})")
    if clear < least:
        problems.append(
            f"correlates {max(clear, 0.0):.2f} times as well as the next best place (expected at least {least:g} times)"
        )
    if problems:
        raise ConfigError(f"no alignment stands out: the best one found {' and '.join(problems)}: {_ADVICE}")


def _refuse_poor(fit: EdgeFit) -> None:
    width = fit.homography.rgb_size[1]
    _refuse_unclear(fit.score_after, fit.peak_ratio, _LEAST_PEAK_RATIO)
    shifts = fit.residual.shifts
    if len(shifts) < _LEAST_BLOCKS:
        raise ConfigError(
            f"the alignment cannot be checked: only {len(shifts)} of {fit.residual.blocks} parts of the image have "
            f"common edges, expected {_LEAST_BLOCKS}: {_ADVICE}"
        )
    if fit.residual.median_px(1) > _LARGEST_RESIDUAL:
        raise ConfigError(
            f"the edges still lie {fit.residual.median_px(width):.1f} pixels apart (median), expected at most "
            f"{_LARGEST_RESIDUAL * width:.1f}: {_ADVICE}"
        )
