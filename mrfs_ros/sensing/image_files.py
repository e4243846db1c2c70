"""Image files read as the arrays that an engine takes, and results written as PNG."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mrfs_ros.errors import ImageError
from mrfs_ros.sensing.encoded import decode_any, decode_rgb, decode_thermal, encode_jpeg, encode_png


def read_rgb(path: Path) -> np.ndarray:
    """Return (H, W, 3) uint8, RGB, of a colour image file, without its alpha; ImageError if it is none."""
    return decode_rgb(_content(path), str(path))


def read_thermal(path: Path) -> np.ndarray:
    """Return (H, W) uint8 of an 8-bit grey image file; a colour palette becomes its luma. ImageError if it is none."""
    return decode_thermal(_content(path), str(path))


def read_picture(path: Path) -> np.ndarray:
    """Return (H, W, 3) uint8, RGB, without alpha, or (H, W) uint8, as the file has it; ImageError if it is none."""
    image = decode_any(_content(path), str(path), "rgb")
    return image if image.ndim == 2 else np.ascontiguousarray(image[:, :, 2::-1])


def read_rgb_thermal(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return (H, W, 3) uint8 RGB and (H, W) uint8 thermal of a 4-channel file, as MFNet has; ImageError otherwise."""
    image = decode_any(_content(path), str(path), "rgb")
    if image.ndim != 3 or image.shape[2] != 4:
        raise ImageError(f"{path}: expected 4 channels, RGB and thermal, got shape {image.shape}", "rgb_encoding")
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
