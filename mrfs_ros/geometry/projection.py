"""Projection of rgb pixels to thermal pixels, by a homography or by both cameras' models."""

from __future__ import annotations

import cv2
import numpy as np

from mrfs_ros.geometry.camera_models import Calibration, CameraModel, Homography, Stereo

_SETTLED = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 100, 1e-5)  # pixels
_ROUND_TRIP_PX = 0.05  # a ray that comes back further from its pixel is none
_STEPS = 4096


def to_thermal(calibration: Calibration, pixels: np.ndarray) -> np.ndarray:
    """Thermal pixels (N, 2) float64 (x, y) of rgb ``pixels`` (N, 2) (x, y); NaN where the thermal camera sees none.

    Pixel centres have whole coordinates; results may lie outside the thermal image.
    """
    if isinstance(calibration, Homography):
        return _through_homography(calibration, pixels)
    return through_plane(calibration, normalised(calibration.rgb, pixels))


def through_plane(calibration: Stereo, rays: np.ndarray) -> np.ndarray:
    """Thermal pixels (N, 2) float64 of where the ``rays`` (N, 2) of the rgb camera meet the plane; NaN as above."""
    points = np.column_stack((rays, np.ones(len(rays)))) * calibration.plane_distance_m
    return project(calibration.thermal, (points - calibration.t) @ np.array(calibration.R))


def _through_homography(calibration: Homography, pixels: np.ndarray) -> np.ndarray:
    matrix = np.array(calibration.matrix)
    height, width = calibration.thermal_size
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.column_stack((pixels, np.ones(len(pixels)))) @ np.linalg.inv(matrix).T
        found = found / found[:, 2:]
        # Pixels beyond the horizon have a thermal pixel too, behind the camera: there the depth changes its sign.
        seen = (found @ matrix[2]) * (matrix[2] @ ((width - 1) / 2, (height - 1) / 2, 1)) > 0
    return np.where(seen[:, None], found[:, :2], np.nan)


def normalised(camera: CameraModel, pixels: np.ndarray) -> np.ndarray:
    """(N, 2) float64: x/z and y/z of the rays through ``pixels`` (N, 2), without the lens's distortion.

    NaN where the distortion cannot be undone.
    """
    matrix, terms = np.array(camera.K), np.array(camera.D)
    if not len(terms):
        return (pixels - matrix[:2, 2]) / matrix.diagonal()[:2]
    points = np.ascontiguousarray(pixels, np.float64)[:, None]
    if _is_fisheye(camera):
        rays = cv2.fisheye.undistortPoints(points, matrix, terms, criteria=_SETTLED)[:, 0]
    else:
        rays = cv2.undistortPointsIter(points, matrix, terms, None, None, _SETTLED)[:, 0]
    back = project(camera, np.column_stack((rays, np.ones(len(rays)))))
    with np.errstate(invalid="ignore"):
        settled = np.hypot(*(back - pixels).T) <= _ROUND_TRIP_PX
    return np.where(settled[:, None], rays, np.nan)


def project(camera: CameraModel, points: np.ndarray) -> np.ndarray:
    """Pixels (N, 2) float64 of ``points`` (N, 3) in the camera's frame [m].

    NaN behind the camera, and so far outside that the distortion's polynomial has turned back.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        radii = np.hypot(points[:, 0], points[:, 1]) / points[:, 2]
    seen = (points[:, 2] > 0) & (radii < _turning_radius(camera, radii))
    found = np.full((len(points), 2), np.nan)
    if seen.any():
        matrix, terms = np.array(camera.K), np.array(camera.D)
        rays = np.ascontiguousarray(points[seen, :2] / points[seen, 2:])
        if not len(terms):
            found[seen] = rays * matrix.diagonal()[:2] + matrix[:2, 2]
        elif _is_fisheye(camera):
            found[seen] = cv2.fisheye.distortPoints(rays[:, None], matrix, terms)[:, 0]
        else:
            flat = np.column_stack((rays, np.ones(len(rays))))[:, None]
            found[seen] = cv2.projectPoints(flat, np.zeros(3), np.zeros(3), matrix, terms)[0][:, 0]
    return found


def _is_fisheye(camera: CameraModel) -> bool:
    return camera.distortion_model in ("equidistant", "fisheye")


def _turning_radius(camera: CameraModel, radii: np.ndarray) -> float:
    """The radius x/z up to which a larger angle lies further out in the image."""
    finite = radii[np.isfinite(radii)]
    if not camera.D or not len(finite):
        return np.inf
    angles = np.linspace(0, np.arctan(finite.max()) + 1e-9, _STEPS)
    if _is_fisheye(camera):
        squares = angles**2
        distorted = angles * sum(term * squares**power for power, term in enumerate((1.0, *camera.D)))
    else:
        k1, k2, _, _, k3, k4, k5, k6 = (*camera.D, 0.0, 0.0, 0.0, 0.0)[:8]
        squares = np.tan(angles) ** 2
        above = 1 + squares * (k1 + squares * (k2 + squares * k3))
        distorted = np.tan(angles) * above / (1 + squares * (k4 + squares * (k5 + squares * k6)))
    turned = np.flatnonzero(np.diff(distorted) <= 0)
    return np.inf if not len(turned) else float(np.tan(angles[turned[0]]))
