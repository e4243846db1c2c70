"""The coarse search: scales and rotations of a grid, all shifts at once by Fourier transform, all frames jointly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from mrfs_ros.calibration.edges import EdgeField
from mrfs_ros.calibration.views import View, thermal_field
from mrfs_ros.geometry.camera_models import Size

LEAST_OVERLAP = 0.35
LEAST_SCALE = 0.78
SCALE_STEP = 0.05
ROTATIONS_DEG = (0.0, -2.0, 2.0, -4.0, 4.0, -6.0, 6.0)
LARGEST_SHIFT = 0.25  # of the width
_HERE, _NEAR = 0.01, 0.03  # of the width


@dataclass(frozen=True)
class Candidate:
    """``matrix``: 3x3, centred rgb to centred thermal coordinates. ``score``: correlation, -1 to 1."""

    matrix: np.ndarray
    score: float


def similarity(scale: float, rotation_deg: float, shift: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    """(3, 3) centred rgb to centred thermal coordinates of a thermal image drawn ``scale`` times as large.

    Then turned clockwise by ``rotation_deg`` and moved right and down by ``shift`` [half rgb widths].
    """
    angle = np.radians(rotation_deg)
    turn = scale * np.array([(np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle))])
    drawn = np.eye(3)
    drawn[:2, :2], drawn[:2, 2] = turn, shift
    return np.linalg.inv(drawn)


def scales_for(thermal_size: Size, rgb_size: Size) -> list[float]:
    """Scales to try, from 0.8 to 1.25 around equal widths, around equal heights, and between."""
    heights = rgb_size[0] / rgb_size[1] * thermal_size[1] / thermal_size[0]
    low, high = min(1.0, heights) * LEAST_SCALE, max(1.0, heights) / LEAST_SCALE
    return list(np.geomspace(low, high, 1 + round(np.log(high / low) / SCALE_STEP)))


def candidates(views: Sequence[View], start: np.ndarray, scales: Sequence[float]) -> Iterator[Candidate]:
    """The best shift for each scale and rotation on top of ``start``."""
    spectra = spectra_of(views)
    width = views[0].rgb.mask.shape[1]
    for scale in scales:
        for rotation in ROTATIONS_DEG:
            matrix = start @ similarity(scale, rotation)
            scores = correlation_map(views, spectra, matrix)
            place = np.unravel_index(np.argmax(scores), scores.shape)
            down, right = (at if at < n / 2 else at - n for at, n in zip(place, scores.shape))
            moved = similarity(1.0, 0.0, (right * 2 / width, down * 2 / width))
            yield Candidate(matrix @ moved, float(scores[place]))


def peak_ratio(views: Sequence[View], matrix: np.ndarray) -> float:
    """The correlation under ``matrix`` over the best one of all shifts further than ``_NEAR`` from it."""
    scores = correlation_map(views, spectra_of(views), matrix)
    rows, columns = (np.minimum(np.arange(n), n - np.arange(n)) for n in scores.shape)
    distances = np.hypot(rows[:, None], columns[None])
    width = views[0].rgb.mask.shape[1]
    here, elsewhere = scores[distances <= _HERE * width].max(), scores[distances > _NEAR * width].max()
    return float(here / max(elsewhere, 1e-3))


@dataclass(frozen=True)
class Spectra:
    """Fourier transforms of a field, its energy and its mask, padded against wrapping around."""

    values: np.ndarray
    energy: np.ndarray
    mask: np.ndarray
    known: int

    @classmethod
    def of(cls, field: EdgeField) -> Spectra:
        """Of a field, padded to twice its size."""
        shape = _padded(field.mask.shape)
        parts = (
            np.moveaxis(field.values, 2, 0),
            field.values[:, :, 0] ** 2 + field.values[:, :, 1] ** 2,
            field.mask.astype(np.float32),
        )
        return cls(*(np.fft.rfft2(part, shape) for part in parts), int(field.mask.sum()))


def spectra_of(views: Sequence[View]) -> list[Spectra]:
    """What ``correlation_map`` needs of the rgb images, once for all its calls."""
    return [Spectra.of(view.rgb) for view in views]


def _padded(shape: Size) -> Size:
    return cv2.getOptimalDFTSize(2 * shape[0]), cv2.getOptimalDFTSize(2 * shape[1])


def correlation_map(views: Sequence[View], spectra: Sequence[Spectra], matrix: np.ndarray) -> np.ndarray:
    """The mean correlation over the views for every shift of the thermal image; index [down, right], wrapping around.

    -1 where the shift is too far or the images overlap too little.
    """
    height, width = views[0].rgb.mask.shape
    shape = _padded((height, width))
    products, overlap = 0.0, 0.0
    for view, rgb in zip(views, spectra):
        field = thermal_field(view, matrix)
        thermal = Spectra.of(field)
        cross = rgb.values[0] * thermal.values[0].conj() + rgb.values[1] * thermal.values[1].conj()
        stack = np.stack((cross, rgb.energy * thermal.mask.conj(), rgb.mask * thermal.energy.conj()))
        product, rgb_energy, thermal_energy = np.fft.irfft2(stack, shape)
        products = products + product / np.sqrt(np.maximum(rgb_energy, 1e-3) * np.maximum(thermal_energy, 1e-3))
        overlap = overlap + np.fft.irfft2(rgb.mask * thermal.mask.conj(), shape) / max(min(rgb.known, thermal.known), 1)
    rows, columns = (np.minimum(np.arange(n), n - np.arange(n)) for n in shape)
    far = np.hypot(rows[:, None], columns[None]) > LARGEST_SHIFT * width
    return np.where(far | (overlap < LEAST_OVERLAP * len(views)), -1.0, products / len(views))
