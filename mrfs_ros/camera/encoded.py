"""Encoded images (JPEG, PNG, BMP, TIFF, WebP) as arrays, and arrays as PNG and JPEG; of files and messages."""

from __future__ import annotations

import cv2
import numpy as np

from mrfs_ros.camera.image_header import UNREADABLE, read_header
from mrfs_ros.config import MAX_IMAGE_PIXELS
from mrfs_ros.errors import ImageError

_UPRIGHT = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH  # all but the alpha, turned as EXIF says
_AS_STORED = cv2.IMREAD_UNCHANGED


def decode_any(
    content: bytes,
    name: str,
    camera: str,
    depths: tuple[type, ...] = (np.uint8,),
    max_pixels: int = MAX_IMAGE_PIXELS,
) -> np.ndarray:
    """The pixels of an encoded image, turned as its EXIF orientation says, without its alpha.

    Args:
        content: The whole image.
        name: What the texts of errors begin with.
        camera: rgb, thermal or label: the errors' ``reason`` begins with it.
        depths: The types that a channel may have.
        max_pixels: So many pixels the image may have by its header; more are not decoded.

    Returns:
        (H, W) of a grey image, (H, W, 3), BGR, of one in colours.

    Raises:
        ImageError: It is no image, damaged, too large, or of another type.
    """
    return _decoded(content, name, camera, depths, max_pixels, _UPRIGHT)


def decode_four(content: bytes, name: str, max_pixels: int = MAX_IMAGE_PIXELS) -> np.ndarray:
    """(H, W, 4) uint8 of an encoded image of four channels: blue, green, red and, as MFNet has it, thermal.

    ImageError for every other, and for one that is to be turned: OpenCV turns three channels only.
    """
    image = _decoded(content, name, "rgb", (np.uint8,), max_pixels, _AS_STORED)
    if image.ndim != 3 or image.shape[2] != 4:
        raise ImageError(f"{name}: expected 4 channels, RGB and thermal, got shape {image.shape}", "rgb_encoding")
    if b"eXIf" in content or b"EXIF" in content:
        upright = _decoded(content, name, "rgb", (np.uint8,), max_pixels, _UPRIGHT)
        if not np.array_equal(upright, image[:, :, :3]):
            raise ImageError(
                f"{name}: its EXIF orientation turns it: expected an upright image of RGB and thermal; save it upright",
                "rgb_encoding",
            )
    return image


def _decoded(
    content: bytes, name: str, camera: str, depths: tuple[type, ...], max_pixels: int, flags: int
) -> np.ndarray:
    read_header(content, name, camera, max_pixels)
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    except cv2.error:  # OpenCV raises for some damage and returns None for other
        image = None
    if image is None:
        raise ImageError(f"{name}: {UNREADABLE}", f"{camera}_damaged")
    if image.dtype not in depths:
        expected = " or ".join(str(8 * np.dtype(depth).itemsize) for depth in depths)
        how = ", all images by one window (docs/sensors.md, Folders of 16-bit images)" if camera == "thermal" else ""
        raise ImageError(
            f"{name}: expected {expected} bits per channel, got {image.dtype}: scale it to 8 bits first{how}",
            f"{camera}_encoding",
        )
    return image


def encode_png(image: np.ndarray) -> bytes:
    """A PNG of (H, W) uint8 grey or (H, W, 3) uint8 RGB; ImageError for one larger than the format holds."""
    return _encode(image, ".png", [])


def encode_jpeg(image: np.ndarray, quality: int = 90) -> bytes:
    """A JPEG of ``quality`` 1 to 100; otherwise as ``encode_png``."""
    return _encode(image, ".jpg", [cv2.IMWRITE_JPEG_QUALITY, quality])


def _encode(image: np.ndarray, suffix: str, settings: list[int]) -> bytes:
    pixels = image if image.ndim == 2 else image[:, :, ::-1]
    done, content = cv2.imencode(suffix, pixels, settings)
    if not done:  # OpenCV says no more than that
        height, width = image.shape[:2]
        raise ImageError(
            f"an image of {height}x{width} (HxW) cannot be written as {suffix}: ask for fewer frames on it"
        )
    return content.tobytes()
