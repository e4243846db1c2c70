"""Image files read as the arrays that an engine takes, and results written as PNG and JPEG.

What is assumed of a camera's files (grey, false colours, the first page of several) is said as an ``ImageWarning``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mrfs_ros.camera.camera_images import CameraImages
from mrfs_ros.camera.encoded import decode_any, decode_four, encode_jpeg, encode_png
from mrfs_ros.camera.notices import warn
from mrfs_ros.config import MAX_IMAGE_PIXELS
from mrfs_ros.errors import ImageError


def read_rgb(path: Path, max_pixels: int = MAX_IMAGE_PIXELS) -> np.ndarray:
    """The pixels of a visible camera's image file of 8 or 16 bits, without its alpha, turned as its EXIF says.

    Args:
        path: The file: JPEG, PNG, BMP, TIFF or WebP.
        max_pixels: So many it may have by its header.

    Returns:
        (H, W, 3) uint8, RGB; of a grey image r = g = b.

    Raises:
        ImageError: It cannot be read, is no image, or too large.
    """
    return CameraImages(warn, max_pixels).encoded_rgb(_content(path), str(path))


def read_thermal(path: Path, max_pixels: int = MAX_IMAGE_PIXELS) -> np.ndarray:
    """The pixels of a thermal camera's 8-bit image file, turned as its EXIF says; otherwise as ``read_rgb``.

    Returns:
        (H, W) uint8; of false colours of a known palette the levels, of others the luma.
    """
    return CameraImages(warn, max_pixels).encoded_thermal(_content(path), str(path))


def read_picture(path: Path) -> np.ndarray:
    """Return (H, W, 3) uint8, RGB, without alpha, or (H, W) uint8, as the file has it; ImageError if it is none."""
    image = decode_any(_content(path), str(path), "rgb")
    return image if image.ndim == 2 else np.ascontiguousarray(image[:, :, 2::-1])


def read_rgb_thermal(path: Path, max_pixels: int = MAX_IMAGE_PIXELS) -> tuple[np.ndarray, np.ndarray]:
    """Return (H, W, 3) uint8 RGB and (H, W) uint8 thermal of a 4-channel file, as MFNet has; ImageError otherwise."""
    image = decode_four(_content(path), str(path), max_pixels)
    return np.ascontiguousarray(image[:, :, 2::-1]), np.ascontiguousarray(image[:, :, 3])


def write_png(path: Path, image: np.ndarray) -> None:
    """Write (H, W) uint8 grey or (H, W, 3) uint8 RGB as PNG; ImageError when the file cannot be written."""
    _write(path, encode_png(image))


def write_jpeg(path: Path, image: np.ndarray, quality: int = 90) -> None:
    """Write as JPEG of ``quality`` 1 to 100; otherwise as ``write_png``."""
    _write(path, encode_jpeg(image, quality))


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise ImageError(
            f"{path}: cannot be written ({error.strerror}): free space or choose another folder"
        ) from error


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ImageError(f"{path}: cannot be read ({error.strerror}): expected an image file") from error
