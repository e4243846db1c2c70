"""Calibrations of the two cameras: a homography, or both cameras' models with the plane that is seen."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mrfs_ros.errors import ConfigError, ImageError

ASPECT_TOLERANCE = 0.02
DISTORTIONS = {
    "plumb_bob": (0, 4, 5),
    "radtan": (0, 4, 5),  # Kalibr's name of plumb_bob
    "rational_polynomial": (0, 8, 12, 14),  # and OpenCV's thin prism, and its tilted sensor
    "equidistant": (0, 4),
    "fisheye": (0, 4),  # another name of equidistant
}
"""Names as in sensor_msgs/CameraInfo, and how many D each takes."""

Size = tuple[int, int]
Matrix = tuple[tuple[float, ...], ...]
_LARGEST_SIDE = 30_000  # fixed-point maps hold 16 bits
_ROTATION_TOLERANCE = 1e-3  # of files that keep four digits
_SINGULAR = 1e-6
_LARGEST_NUMBER = 1e12  # whose squares and cubes are numbers too


@dataclass(frozen=True)
class Homography:
    """``matrix``: 3x3, thermal pixel (x, y, 1) to rgb pixel, for images of ``thermal_size`` and ``rgb_size`` (H, W).

    Pixel centres have whole coordinates. Right for one distance, or for cameras that stand close together.
    ConfigError for a matrix that is singular or folds the image, and for sizes that are none.
    """

    matrix: Matrix
    thermal_size: Size
    rgb_size: Size

    def __post_init__(self) -> None:
        for name in ("thermal_size", "rgb_size"):
            object.__setattr__(self, name, checked_size(name, getattr(self, name)))
        matrix = checked_matrix("matrix", self.matrix, (3, 3))
        # Measured in image widths, so that pixels and the last row's 1/pixels weigh alike.
        scaled = np.diag((1 / self.rgb_size[1], 1 / self.rgb_size[1], 1.0)) @ matrix
        scaled = scaled @ np.diag((self.thermal_size[1], self.thermal_size[1], 1.0))
        if abs(np.linalg.det(scaled)) <= _SINGULAR * np.abs(scaled).max() ** 3:
            raise ConfigError(f"matrix: expected a homography that can be inverted, got {_short(matrix)}")
        height, width = self.thermal_size
        corners = np.array([(x, y, 1.0) for x in (-0.5, width - 0.5) for y in (-0.5, height - 0.5)])
        depths = corners @ matrix[2]
        if depths.min() * depths.max() <= 0:
            raise ConfigError(
                f"matrix: expected all of the {height}x{width} (HxW) thermal image before the camera, got a homography "
                f"that sends a part of it through infinity: {_short(matrix)}"
            )
        object.__setattr__(
            self, "matrix", as_tuples(matrix / depths.mean() if matrix[2, 2] == 0 else matrix / matrix[2, 2])
        )

    def scaled_to(self, thermal_size: Size, rgb_size: Size) -> Homography:
        """The same for scaled images; ImageError when an aspect differs by more than 2 %."""
        thermal = scaling("thermal", self.thermal_size, thermal_size)
        rgb = scaling("rgb", self.rgb_size, rgb_size)
        return Homography(rgb @ np.array(self.matrix) @ np.linalg.inv(thermal), thermal_size, rgb_size)


@dataclass(frozen=True)
class CameraModel:
    """A camera as sensor_msgs/CameraInfo describes it: ``size`` (H, W), ``K`` 3x3 [pixels], ``D`` by its model.

    ConfigError for anything that no camera has.
    """

    size: Size
    distortion_model: str
    K: Matrix
    D: tuple[float, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", checked_size("size", self.size))
        if self.distortion_model not in tuple(DISTORTIONS):
            raise ConfigError(
                f"distortion_model: expected one of {', '.join(DISTORTIONS)}, got {self.distortion_model!r}"
            )
        matrix = checked_matrix("K", self.K, (3, 3))
        if (
            not (matrix[0, 0] > 0 and matrix[1, 1] > 0)
            or matrix[2].tolist() != [0, 0, 1]
            or matrix[0, 1]
            or matrix[1, 0]
        ):
            raise ConfigError(f"K: expected [fx, 0, cx], [0, fy, cy], [0, 0, 1] with fx, fy > 0, got {_short(matrix)}")
        counts = DISTORTIONS[self.distortion_model]
        if not isinstance(self.D, (list, tuple)):
            raise ConfigError(f"D: expected a list of numbers, got {_brief(self.D)}")
        count = sum(len(term) if isinstance(term, (list, tuple)) else 1 for term in self.D)
        terms = checked_matrix("D", self.D, (count,))
        if len(terms) not in counts:
            expected = " or ".join(map(str, counts))
            raise ConfigError(f"D: {self.distortion_model} has {expected} numbers, got {len(terms)}")
        object.__setattr__(self, "K", as_tuples(matrix))
        object.__setattr__(self, "D", tuple(terms.tolist()))

    def scaled_to(self, camera: str, size: Size) -> CameraModel:
        """The same camera with scaled images; ImageError when the aspect differs by more than 2 %."""
        return replace(self, size=size, K=scaling(camera, self.size, size) @ np.array(self.K))


@dataclass(frozen=True)
class Stereo:
    """Two camera models; a point of the thermal camera's frame is ``R @ point + t`` [m] in the rgb camera's.

    Frames are optical ones: x right, y down, z forward. What the cameras see is taken to lie on the plane
    z = ``plane_distance_m`` before the rgb camera. ConfigError for an R that is no rotation or a wrong distance.
    """

    thermal: CameraModel
    rgb: CameraModel
    R: Matrix
    t: tuple[float, ...]
    plane_distance_m: float

    def __post_init__(self) -> None:
        rotation = checked_matrix("R", self.R, (3, 3))
        off = np.abs(rotation @ rotation.T - np.eye(3)).max()
        if off > _ROTATION_TOLERANCE or np.linalg.det(rotation) < 0:
            raise ConfigError(
                f"R: expected a rotation (R R^T = 1 within {_ROTATION_TOLERANCE}, determinant 1), "
                f"got {_short(rotation)}"
            )
        distance = checked_matrix("plane_distance_m", self.plane_distance_m, ())
        if distance <= 0:
            raise ConfigError(f"plane_distance_m: expected more than 0 m, got {distance:g}")
        object.__setattr__(self, "R", as_tuples(rotation))
        object.__setattr__(self, "t", tuple(checked_matrix("t", self.t, (3,)).tolist()))
        object.__setattr__(self, "plane_distance_m", float(distance))

    @property
    def thermal_size(self) -> Size:
        """(H, W) of the thermal images that it was made for."""
        return self.thermal.size

    @property
    def rgb_size(self) -> Size:
        """(H, W) of the rgb images that it was made for."""
        return self.rgb.size

    def scaled_to(self, thermal_size: Size, rgb_size: Size) -> Stereo:
        """The same for scaled images; ImageError when an aspect differs by more than 2 %."""
        thermal = self.thermal.scaled_to("thermal", thermal_size)
        return replace(self, thermal=thermal, rgb=self.rgb.scaled_to("rgb", rgb_size))


Calibration = Homography | Stereo


def aspect_agrees(size: Size, other: Size) -> bool:
    """Have two sizes (H, W) one aspect, within 2 %?"""
    ratio = (size[1] * other[0]) / (size[0] * other[1])
    return max(ratio, 1 / ratio) <= 1 + ASPECT_TOLERANCE


def scaling(camera: str, made_for: Size, size: Size) -> np.ndarray:
    """(3, 3) float64: pixels of an image of ``made_for`` to those of the same image at ``size``, as cv2.resize scales.

    ImageError when the aspects differ by more than 2 %.
    """
    if not aspect_agrees(made_for, size):
        raise ImageError(
            f"{camera} is {size[0]}x{size[1]} (HxW) but the calibration was made for {made_for[0]}x{made_for[1]}: "
            "expected that size or one of its aspect (within 2 %); calibrate with images as the camera sends them now "
            "(mrfs calibrate)",
            "size_mismatch",
        )
    y, x = size[0] / made_for[0], size[1] / made_for[1]
    return np.array([(x, 0, (x - 1) / 2), (0, y, (y - 1) / 2), (0, 0, 1)])


def checked_size(name: str, value: object) -> Size:
    """(H, W) as two whole numbers; ConfigError if it is none."""
    sides = list(value) if isinstance(value, (list, tuple)) else []
    if len(sides) != 2 or not all(type(side) is int and 2 <= side <= _LARGEST_SIDE for side in sides):
        raise ConfigError(f"{name}: expected [height, width] in pixels, each 2 to {_LARGEST_SIDE}, got {value!r}")
    return sides[0], sides[1]


def checked_matrix(name: str, value: object, shape: tuple[int, ...]) -> np.ndarray:
    """``value`` as float64 of ``shape``, a 3x3 matrix from nine numbers in a row too; ConfigError for anything else."""
    expected = "x".join(map(str, shape)) + " numbers" if shape else "a number"
    try:
        numbers = np.array(value, np.float64)
    except (TypeError, ValueError, OverflowError):
        raise ConfigError(f"{name}: expected {expected}, got {_brief(value)}") from None
    if shape == (3, 3) and numbers.shape == (9,):
        numbers = numbers.reshape(3, 3)
    if numbers.shape != shape:
        got = f"shape {numbers.shape}" if numbers.shape else f"{numbers:g} alone"
        raise ConfigError(f"{name}: expected {expected}, got {got}")
    if not (np.abs(numbers) < _LARGEST_NUMBER).all():
        raise ConfigError(f"{name}: expected finite numbers below {_LARGEST_NUMBER:g}, got {_short(numbers)}")
    return numbers


def as_tuples(matrix: np.ndarray) -> Matrix:
    """Rows of a matrix as tuples, which can be compared and hashed."""
    return tuple(map(tuple, matrix.tolist()))


def _brief(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _short(matrix: np.ndarray) -> str:
    return np.array2string(matrix, precision=4, separator=", ").replace("\n", "")
