"""Images of an rgb and a thermal camera, encoded or as message fields, as the arrays that an engine takes.

What is assumed of a camera's images is checked here and said once: a grey visible camera, false colours, byte order.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mrfs_ros.camera.byte_order import ByteOrder, looks_swapped
from mrfs_ros.camera.colour_formats import GREY, MOSAICS, in_8_bits
from mrfs_ros.camera.conversion import OWN, Conversion
from mrfs_ros.camera.encoded import decode_any
from mrfs_ros.camera.false_colours import FalseColours
from mrfs_ros.camera.gray import to_gray
from mrfs_ros.camera.image_fields import DEEP, ImageFields, check_rgb, check_thermal, luma_sent, sent_pixels
from mrfs_ros.camera.image_header import read_header
from mrfs_ros.camera.notices import Notices
from mrfs_ros.config import MAX_IMAGE_PIXELS
from mrfs_ros.errors import ImageError

_DARK = 256, 4095  # highest of 65535 of a camera of 10 or 12 bits that does not shift them to the top


class CameraImages:
    """Two cameras' images; thermal ones in order, rgb ones in any.

    Args:
        say: Gets a sentence for each kind of thing that is assumed, once.
        max_pixels: So many pixels an encoded image may have.
        conversion: Of image messages.
    """

    def __init__(
        self,
        say: Callable[[str], None],
        max_pixels: int = MAX_IMAGE_PIXELS,
        conversion: Conversion = OWN,
    ):
        self.max_pixels = max_pixels
        self._conversion = conversion
        self._notices = Notices(say)
        self._colours = FalseColours(self._notices)
        self._byte_order = ByteOrder()

    def encoded_rgb(self, content: bytes, name: str, encoding: str = "") -> np.ndarray:
        """(H, W, 3) uint8, RGB, of an encoded image of 8 or 16 bits; ``encoding``: of the message before, if known.

        A grey image becomes r = g = b, or the mosaic that ``encoding`` says it is its colours. ImageError, which begins
        with ``name``, for what is no image.
        """
        self._tell_pages(content, name, "rgb")
        image = decode_any(content, name, "rgb", (np.uint8, np.uint16), self.max_pixels)
        if image.dtype == np.uint16:
            self._tell_dark(image, "16 bits")
        image = in_8_bits(image)
        if image.ndim == 3:
            return np.ascontiguousarray(image[:, :, ::-1])
        if encoding in MOSAICS:  # image_transport encodes a mosaic as a grey image
            return MOSAICS[encoding].to_rgb(image)
        self._tell_grey(encoding)
        return GREY["mono8"].to_rgb(image)

    def encoded_thermal(self, content: bytes, name: str, *, deep: bool = False) -> np.ndarray:
        """(H, W) uint8 of an encoded image, with ``deep`` also uint16 or float32; false colours become grey.

        ImageError, which begins with ``name``, for what is no image.
        """
        self._tell_pages(content, name, "thermal")
        depths = (np.uint8, np.uint16, np.float32) if deep else (np.uint8,)
        image = decode_any(content, name, "thermal", depths, self.max_pixels)
        if image.ndim == 2:
            return image
        if image.dtype != np.uint8:
            raise ImageError(f"{name}: expected a grey image, got {image.dtype} in colour", "thermal_encoding")
        return self._colours.grey(np.ascontiguousarray(image[:, :, ::-1]))

    def rgb(self, fields: ImageFields) -> np.ndarray:
        """(H, W, 3) uint8, RGB, of a visible camera's image message; a view where that can be. ImageError otherwise."""
        check_rgb(fields)
        if fields.encoding in GREY:
            self._tell_grey(fields.encoding)
        if fields.bits == 16:
            values = sent_pixels(fields)
            if looks_swapped(values[::2, ::2, 0]):  # of a mosaic, every second has the same colour
                self._tell_swapped("rgb", fields)
                fields, values = fields.in_other_order(), values.byteswap()
            self._tell_dark(values[:, :, :3], fields.encoding)
        return self._conversion.rgb(fields)

    def thermal(self, fields: ImageFields) -> np.ndarray:
        """(H, W) uint8, uint16, int16 or float32 of a thermal image message; ImageError for what is none."""
        check_thermal(fields)
        image = self._conversion.thermal(fields)
        if image.ndim == 3:
            sent = luma_sent(fields)
            return self._colours.grey(image, to_gray if sent is None else lambda _: sent)
        if fields.encoding not in DEEP:
            return image
        image = self._byte_order.mended(image)
        if self._byte_order.is_swapped:
            self._tell_swapped("thermal", fields)
        return image

    def _tell_grey(self, encoding: str) -> None:
        kind = f" ({encoding})" if encoding else ""
        self._notices.tell(
            "grey rgb",
            f"rgb images are grey{kind}: taken as r = g = b; the network learnt from colours. If a thermal camera "
            "sends them, rgb and thermal are swapped",
        )

    def _tell_dark(self, values: np.ndarray, encoding: str) -> None:
        least, most = _DARK
        highest = int(values.max())
        if least <= highest <= most:
            self._notices.tell(
                "dark rgb",
                f"rgb images ({encoding}) use {highest} of 65535 levels, so they are nearly black: if the camera has "
                "10 or 12 bits, let its driver send them shifted to the top",
            )

    def _tell_swapped(self, camera: str, fields: ImageFields) -> None:
        flag = int(bool(fields.is_bigendian))
        self._notices.tell(
            f"byte order of {camera}",
            f"{camera} images ({fields.encoding}, is_bigendian {flag}) are far smoother with their bytes swapped: read "
            f"with swapped bytes; the byte order is wrong, let the camera driver send is_bigendian {1 - flag}",
        )

    def _tell_pages(self, content: bytes, name: str, camera: str) -> None:
        pages = read_header(content, name, camera, self.max_pixels).pages
        if pages > 1:
            self._notices.tell(
                f"pages of {camera}", f"{name}: a TIFF of {pages} pages: the first is read, {pages - 1} are not used"
            )
