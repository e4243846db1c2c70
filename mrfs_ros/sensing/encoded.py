"""Encoded images (JPEG, PNG, ...) turned into the arrays that an engine takes, and back; of files and messages."""

from __future__ import annotations

import cv2
import numpy as np

from mrfs_ros.errors import ImageError
from mrfs_ros.sensing.gray import to_gray

_MAGIC = (b"\xff\xd8", b"\x89PNG", b"BM", b"II", b"MM", b"RIFF")  # JPEG, PNG, BMP, TIFF of both orders, WebP
_UNREADABLE = "is no image that OpenCV reads (JPEG, PNG, BMP, TIFF, WebP), or is damaged"


def check_encoded(content: bytes, name: str, camera: str) -> None:
    """Raise ImageError unless ``content`` begins as an encoded image does; looks at nothing else of it."""
    if not bytes(content[:4]).startswith(_MAGIC):
        raise ImageError(f"{name}: {_UNREADABLE}", f"{camera}_damaged")


def decode_rgb(content: bytes, name: str) -> np.ndarray:
    """Return (H, W, 3) uint8, RGB, of an encoded colour image, without its alpha.

    ``name`` begins the text of the ImageError that everything else raises.
    """
    image = decode_any(content, name, "rgb")
    if image.ndim == 2:
        raise ImageError(
            f"{name}: expected a colour image, got a grey one; are rgb and thermal swapped?", "rgb_encoding"
        )
    return np.ascontiguousarray(image[:, :, 2::-1])


def decode_thermal(content: bytes, name: str, *, deep: bool = False) -> np.ndarray:
    """Return (H, W) uint8 of an encoded grey image, with ``deep`` also uint16; a colour palette becomes its luma.

    ImageError otherwise.
    """
    image = decode_any(content, name, "thermal", (np.uint8, np.uint16) if deep else (np.uint8,))
    if image.ndim == 2:
        return image
    if image.dtype != np.uint8:
        raise ImageError(f"{name}: expected a grey image, got {image.dtype} in colour", "thermal_encoding")
    return to_gray(image[:, :, 2::-1])


def decode_any(content: bytes, name: str, camera: str, depths: tuple[type, ...] = (np.uint8,)) -> np.ndarray:
    """Return the pixels of an encoded image, channels in OpenCV's order (BGR, BGRA); ImageError if it is none.

    ``depths``: the types that a channel may have.
    """
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED) if len(content) else None
    except cv2.error:  # OpenCV raises for absurd sizes and returns None for other damage
        image = None
    if image is None:
        raise ImageError(f"{name}: {_UNREADABLE}", f"{camera}_damaged")
    if image.dtype not in depths:
        raise ImageError(
            f"{name}: expected 8 bits per channel, got {image.dtype}: scale it to 8 bits first", f"{camera}_encoding"
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
