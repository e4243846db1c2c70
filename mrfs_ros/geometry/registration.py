"""Thermal images brought onto the rgb image's pixel grid."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np

from mrfs_ros.errors import ConfigError, ImageError
from mrfs_ros.geometry.calibration_file import read_calibration
from mrfs_ros.geometry.camera_models import Calibration, CameraModel, Size, Stereo, aspect_agrees
from mrfs_ros.geometry.projection import normalised, through_plane, to_thermal
from mrfs_ros.geometry.resampling import resized
from mrfs_ros.geometry.warp import Warp, make_warp, within

_PROBES = 48  # a side, to see whether the images overlap at all


def load_registration(path: str | Path, plane_distance_m: float = 0.0) -> Registration | SameView:
    """What a node or a command needs: the registration of a calibration file, ``SameView`` if ``path`` is empty.

    ``plane_distance_m``: in place of the file's; 0 = the file's. ConfigError for a file or distance that cannot be.
    """
    if not str(path):
        if plane_distance_m:
            raise ConfigError("plane_distance_m: needs a calibration with both cameras' models (calibration)")
        return SameView()
    registration = Registration(read_calibration(Path(path)), str(path))
    if plane_distance_m:
        registration.set_plane_distance_m(plane_distance_m)
    return registration


class Registration:
    """Warps thermal images by a calibration; the warp is made anew only for other sizes or another plane distance.

    ``name`` begins the texts of its errors. ConfigError when the thermal camera sees nothing of the rgb image.
    """

    def __init__(self, calibration: Calibration, name: str = "calibration"):
        self._name = name
        self._calibration = self._checked(calibration)
        self._made_for: tuple[Calibration, Size, Size] | None = None
        self._warp: Warp | None = None
        self._making = threading.Lock()  # several threads decode a bag's pairs: one warp for all of them
        self._rays: dict[CameraModel, np.ndarray] = {}

    @property
    def calibration(self) -> Calibration:
        """The calibration, with the plane distance of now."""
        return self._calibration

    @property
    def thermal_size(self) -> Size:
        """(h, w) of the thermal camera's images, as calibrated."""
        return self._calibration.thermal_size

    @property
    def plane_distance_m(self) -> float | None:
        """Distance of the plane that is warped without parallax [m]; None for a homography, which has no other."""
        return self._calibration.plane_distance_m if isinstance(self._calibration, Stereo) else None

    def set_plane_distance_m(self, distance_m: float) -> None:
        """Warp for another plane from the next image on; ConfigError (and no change) for one that cannot be."""
        if not isinstance(self._calibration, Stereo):
            raise ConfigError(
                f"plane_distance_m: {self._name} is a homography, made for one distance: "
                "only a calibration with both cameras' models (kind: stereo) takes another"
            )
        self._calibration = self._checked(replace(self._calibration, plane_distance_m=distance_m))

    def check_sizes(self, thermal_size: Size, rgb_size: Size) -> None:
        """Raise ImageError unless ``warp`` takes images of these sizes (H, W)."""
        self._scaled(self._calibration, thermal_size, rgb_size)

    def prepared(self, thermal: np.ndarray, rgb_size: Size) -> tuple[np.ndarray, Warp]:
        """``thermal`` (h, w) uint8 as it is, and what brings it onto the grid of an rgb image of ``rgb_size`` (H, W).

        ImageError for sizes of another aspect than the calibration's.
        """
        _check_thermal(thermal)
        wanted = self._calibration, thermal.shape, tuple(rgb_size)
        with self._making:
            if self._made_for != wanted:
                self._warp = self._new_warp(self._scaled(*wanted))
                self._made_for = wanted
            return thermal, self._warp

    def warp(self, thermal: np.ndarray, rgb_size: Size) -> tuple[np.ndarray, np.ndarray]:
        """``thermal`` (h, w) uint8 on the grid of an rgb image of ``rgb_size`` (H, W), and where there is any.

        Returns warped (H, W) uint8, 0 where the thermal camera sees nothing, and valid (H, W) bool (read-only, shared
        by the images of one size). ImageError for sizes of another aspect than the calibration's.
        """
        thermal, warp = self.prepared(thermal, rgb_size)
        return warp(thermal), warp.valid

    def _new_warp(self, calibration: Calibration) -> Warp:
        height, width = calibration.rgb_size
        pixels = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).reshape(-1, 2).astype(np.float64)
        if isinstance(calibration, Stereo):
            # What another plane distance does not change and takes longest, of the last rgb camera only.
            if calibration.rgb not in self._rays:
                self._rays = {calibration.rgb: normalised(calibration.rgb, pixels)}
            sources = through_plane(calibration, self._rays[calibration.rgb])
        else:
            sources = to_thermal(calibration, pixels)
        return make_warp(sources.reshape(height, width, 2), calibration.thermal_size)

    def _scaled(self, calibration: Calibration, thermal_size: Size, rgb_size: Size) -> Calibration:
        try:
            return calibration.scaled_to(thermal_size, rgb_size)
        except ImageError as error:
            raise ImageError(f"{self._name}: {error}", error.reason) from error

    def _checked(self, calibration: Calibration) -> Calibration:
        height, width = calibration.rgb_size
        rows, columns = np.linspace(0, height - 1, _PROBES), np.linspace(0, width - 1, _PROBES)
        probes = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2)
        if not within(to_thermal(calibration, probes), calibration.thermal_size).any():
            raise ConfigError(
                f"{self._name}: by this calibration the thermal camera sees nothing of the rgb image: "
                "are the cameras swapped, or sizes given as width, height?"
            )
        return calibration


class SameView:
    """Stands in for ``Registration`` where no calibration is: both cameras see the same, at any resolution."""

    thermal_size = None

    def check_sizes(self, thermal_size: Size, rgb_size: Size) -> None:
        """Raise ImageError unless the sizes (H, W) have one aspect, within 2 %."""
        if not aspect_agrees(thermal_size, rgb_size):
            raise ImageError(
                f"rgb is {rgb_size[0]}x{rgb_size[1]} (HxW) but thermal is {thermal_size[0]}x{thermal_size[1]}: "
                "without a calibration, expected one size or at least one aspect (within 2 %); "
                "make a calibration with mrfs calibrate and name it (calibration)",
                "size_mismatch",
            )

    def prepared(self, thermal: np.ndarray, rgb_size: Size) -> tuple[np.ndarray, None]:
        """``thermal`` (h, w) uint8 scaled to ``rgb_size`` (H, W), itself if it has that size; nothing is left to warp.

        ImageError for sizes of different aspects.
        """
        _check_thermal(thermal)
        self.check_sizes(thermal.shape, rgb_size)
        return resized(thermal, rgb_size), None


def _check_thermal(thermal: np.ndarray) -> None:
    if not isinstance(thermal, np.ndarray) or thermal.dtype != np.uint8 or thermal.ndim != 2 or not thermal.size:
        got = f"{thermal.shape} {thermal.dtype}" if isinstance(thermal, np.ndarray) else type(thermal).__name__
        raise ImageError(f"thermal: expected (h, w) uint8, one grey channel, got {got}", "thermal_type")
