"""Image files read as the arrays that an engine takes, and results written as PNG."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mrfs_ros.errors import ImageError
from mrfs_ros.sensing.encoded import decode_any, decode_rgb, decode_thermal, encode_jpeg, encode_png
from mrfs_ros.types import ClassSet


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


def read_label(path: Path, classes: ClassSet) -> np.ndarray:
    """Return (H, W) uint8 class ids of a label file: grey = the ids, colour = the palette of ``classes``.

    ImageError for a file that is no image, and for a colour that ``classes`` has not.
    """
    image = decode_any(_content(path), str(path), "label")
    if image.ndim == 2:
        return image
    colours = image[:, :, 2::-1].astype(np.int64) @ (65536, 256, 1)
    ids = np.full(colours.shape, -1)
    for number, colour in enumerate(classes.colors):
        ids[colours == np.dot(colour, (65536, 256, 1))] = number
    if (ids < 0).any():
        red, green, blue = image[tuple(np.argwhere(ids < 0)[0])][2::-1]
        raise ImageError(
            f"{path}: colour ({red}, {green}, {blue}) is no class of {classes.name}: "
            "expected its palette, or a grey image of class ids"
        )
    return ids.astype(np.uint8)


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
