"""Image files read as the arrays that an engine takes, and results written as PNG."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from mrfs_ros.errors import ImageError
from mrfs_ros.sensing.gray import to_gray

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")


def read_rgb(path: Path) -> np.ndarray:
    """Return (H, W, 3) uint8, RGB, of a colour image file, without its alpha; ImageError if it is none."""
    image = _read(path)
    if image.ndim == 2:
        raise ImageError(f"{path}: expected a colour image, got a grey one; are rgb and thermal swapped?")
    return np.ascontiguousarray(image[:, :, 2::-1])


def read_thermal(path: Path) -> np.ndarray:
    """Return (H, W) uint8 of an 8-bit grey image file; a colour palette becomes its luma. ImageError if it is none."""
    image = _read(path)
    return image if image.ndim == 2 else to_gray(image[:, :, 2::-1])


def write_png(path: Path, image: np.ndarray) -> None:
    """Write (H, W) uint8 grey or (H, W, 3) uint8 RGB as PNG; ImageError when the file cannot be written."""
    pixels = image if image.ndim == 2 else image[:, :, ::-1]
    try:
        path.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
    except OSError as error:
        raise ImageError(f"{path}: cannot be written ({error.strerror}): free space or choose another folder") from error


def _read(path: Path) -> np.ndarray:
    try:
        content = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise ImageError(f"{path}: cannot be read ({error.strerror}): expected an image file") from error
    image = cv2.imdecode(content, cv2.IMREAD_UNCHANGED) if content.size else None
    if image is None:
        raise ImageError(f"{path}: is no image that OpenCV reads ({', '.join(SUFFIXES)}), or is damaged")
    if image.dtype != np.uint8:
        raise ImageError(f"{path}: expected 8 bits per channel, got {image.dtype}: scale it to 8 bits first")
    return image
