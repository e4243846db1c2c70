"""Image files read as the arrays that an engine takes, and results written as PNG."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from mrfs_ros.errors import ImageError
from mrfs_ros.sensing.encoded import decode_rgb, decode_thermal


def read_rgb(path: Path) -> np.ndarray:
    """Return (H, W, 3) uint8, RGB, of a colour image file, without its alpha; ImageError if it is none."""
    return decode_rgb(_content(path), str(path))


def read_thermal(path: Path) -> np.ndarray:
    """Return (H, W) uint8 of an 8-bit grey image file; a colour palette becomes its luma. ImageError if it is none."""
    return decode_thermal(_content(path), str(path))


def write_png(path: Path, image: np.ndarray) -> None:
    """Write (H, W) uint8 grey or (H, W, 3) uint8 RGB as PNG; ImageError when the file cannot be written."""
    pixels = image if image.ndim == 2 else image[:, :, ::-1]
    try:
        path.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
    except OSError as error:
        raise ImageError(
            f"{path}: cannot be written ({error.strerror}): free space or choose another folder"
        ) from error


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ImageError(f"{path}: cannot be read ({error.strerror}): expected an image file") from error
