"""Preprocessing: two camera messages to the arrays that an engine takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mrfs_ros.camera.conversion import OWN, Conversion
from mrfs_ros.camera.messages import CameraMessages, check_message, is_compressed, is_deep, stamp_ns, stands_alone
from mrfs_ros.camera.thermal_units import scale_of, unused_scale
from mrfs_ros.camera.thermal_window import ThermalWindow
from mrfs_ros.config import SCALED, NodeConfig
from mrfs_ros.errors import ImageError
from mrfs_ros.geometry.camera_models import Size
from mrfs_ros.geometry.registration import load_registration
from mrfs_ros.geometry.resampling import resized, with_holes
from mrfs_ros.geometry.warp import Warp, outside_fused
from mrfs_ros.types import FusionResult, check_pair_sizes


@dataclass(frozen=True)
class PairImages:
    """``rgb``: (H, W, 3) uint8, RGB. ``grey``: (h, w) uint8, thermal before ``warp``, which brings it onto rgb's grid.

    Without a warp it is there already, or a camera is missing. ``stamp_ns``: of the rgb image, or of the camera that is
    there; None = it comes from no camera. ``seen``: (H, W) bool, of a thermal image that was warped before: where its
    camera saw anything; None = everywhere.
    """

    rgb: np.ndarray
    grey: np.ndarray
    warp: Warp | None = None
    stamp_ns: int | None = None
    seen: np.ndarray | None = None

    @property
    def thermal(self) -> np.ndarray:
        """(H, W) uint8 on rgb's grid, warped here when somebody asks for it: an engine may have it on its device."""
        if self.warp is None:
            return self.grey
        # Not cached_property, which lets one instance of all compute at a time before Python 3.12.
        if "warped" not in self.__dict__:
            self.__dict__["warped"] = self.warp(self.grey)
        return self.__dict__["warped"]

    @property
    def valid(self) -> np.ndarray | None:
        """(H, W) bool, where the thermal camera sees anything; None = everywhere."""
        return self.seen if self.warp is None else self.warp.valid

    @property
    def kind(self) -> tuple:
        """Key of the pairs that one call of an engine can take: sizes and warp."""
        return self.rgb.shape, self.grey.shape, self.warp

    def cut(self, result: FusionResult) -> FusionResult:
        """``result``, outside of ``valid`` the rgb image without a class."""
        return result if self.valid is None else outside_fused(result, self.rgb, self.valid)


class Preprocessor:
    """The window of thermal values and the registration that ``config`` asks for.

    ``say`` gets a sentence for each thing that is assumed of a camera's images, once. ConfigError for a calibration
    that cannot be used. ``conversion``: of image messages, unless ``before``, whose cameras go on, has one.
    """

    def __init__(
        self,
        config: NodeConfig,
        say: Callable[[str], None],
        before: Preprocessor | None = None,
        conversion: Conversion = OWN,
    ):
        self._config, self._say = config, say
        self._scale = scale_of(config)
        self._messages = before._messages if before else CameraMessages(say, config.max_image_pixels, conversion)
        if before and before.window.suits(config):
            self.window = before.window
        else:
            self.window = ThermalWindow(config)
            for text in unused_scale(config):
                say(text)
        if before and _geometry(before._config) == _geometry(config):
            self._registration = before._registration  # with the warp that it has made
        else:
            self._registration = load_registration(*_geometry(config))

    def updated(self, config: NodeConfig) -> Preprocessor:
        """The preprocessor for other settings; what they do not change (cameras, window, registration) goes on."""
        return Preprocessor(config, self._say, self)

    @property
    def registration(self) -> str:
        """How thermal comes onto the rgb grid, for people."""
        if not self._config.calibration:
            return "none: both cameras see the same"
        distance_m = self._registration.plane_distance_m
        return self._config.calibration + ("" if distance_m is None else f", plane at {distance_m:g} m")

    def check_message(self, camera: int, message: Any, *, stamped: bool = True) -> None:
        """As ``check_message`` of ``mrfs_ros.camera.messages``, with the limit of the settings."""
        check_message(camera, message, self._config.max_image_pixels, stamped=stamped)

    def check(self, rgb: Any | None, thermal: Any | None) -> None:
        """Raise ImageError for two raw images whose sizes do not make a pair, without touching their pixels."""
        if rgb is None or thermal is None or is_compressed(rgb) or is_compressed(thermal):
            return
        size = rgb.height, rgb.width
        check_pair_sizes(size, size)
        self._registration.check_sizes((thermal.height, thermal.width), size)

    def black(self, rgb_size: Size) -> list[PairImages]:
        """Black images of ``rgb_size`` (H, W) to warm an engine up with: of each kind that ``register`` can return.

        With a calibration that is registered pairs, and aligned ones where a missing camera may be replaced by black.
        """
        rgb, aligned = np.zeros((*rgb_size, 3), np.uint8), np.zeros(rgb_size, np.uint8)
        if self._registration.thermal_size is None:
            return [PairImages(rgb, aligned)]
        try:
            thermal = np.zeros(self._registration.thermal_size, np.uint8)
            registered = PairImages(rgb, *self._registration.prepared(thermal, rgb_size))
        except ImageError:  # a warm-up size that this calibration's cameras do not have
            return [PairImages(rgb, aligned)]
        return [registered] if self._config.on_missing == "drop" else [registered, PairImages(rgb, aligned)]

    def is_plain(self, thermal: Any) -> bool:
        """Can this thermal message be read without knowing those before it?"""
        return stands_alone(thermal) and self.window.passes(np.dtype(np.uint8))

    def grey(self, thermal: Any, at_ns: int | None = None) -> np.ndarray:
        """(h, w) uint8 of a thermal message, on its own grid; the window wants them in order.

        ``at_ns``: when it was taken, where its stamp does not say so.
        """
        values = self._messages.thermal(thermal)
        return self.window.grey(values, stamp_ns(thermal) if at_ns is None else at_ns)

    def celsius(self, thermal: Any | None, images: PairImages) -> np.ndarray | None:
        """Degrees Celsius of a thermal message on the grid of ``images.rgb``, which ``register`` made of it.

        Args:
            thermal: The message; None = that camera is missing. ``grey`` has seen it before.
            images: The pair that it is in.

        Returns:
            (H, W) float32, bilinear, as the camera sent it: dead pixels are not repaired. NaN where the camera sees
            nothing or has no value, and for pixels made of such ones. None where the values are no temperatures:
            ``thermal_unit`` counts, colours, or 8 bits, unless ``thermal_unit`` is scaled.

        Raises:
            ImageError: There is no image in the message.
        """
        if thermal is None or self._scale is None:
            return None
        if not is_deep(thermal) and not (self._config.thermal_unit == SCALED and stands_alone(thermal)):
            return None
        degrees = self._scale.celsius(self._messages.thermal(thermal))
        if images.warp is not None:
            return images.warp.floats(degrees)
        return with_holes(lambda image: resized(image, images.rgb.shape[:2]), degrees)

    def register(self, rgb: Any | None, thermal: Any | None, grey: np.ndarray | None) -> PairImages:
        """Two messages, and ``grey`` of the thermal one, as what an engine takes; a camera that is missing is black.

        ImageError says why when there is no image in rgb's, or when their sizes make no pair.
        """
        if rgb is None:
            return PairImages(np.zeros((*grey.shape, 3), np.uint8), grey, stamp_ns=stamp_ns(thermal))
        pixels = self._messages.rgb(rgb)
        if grey is None:
            return PairImages(pixels, np.zeros(pixels.shape[:2], np.uint8), stamp_ns=stamp_ns(rgb))
        return PairImages(pixels, *self._registration.prepared(grey, pixels.shape[:2]), stamp_ns=stamp_ns(rgb))


def _geometry(config: NodeConfig) -> tuple[str, float]:
    return config.calibration, config.plane_distance_m
