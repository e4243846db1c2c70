"""Label image files decoded to what they store: palette indices, raw samples of 1 to 16 bits, or colours.

Read with Pillow: OpenCV replaces palette indices by their colours and stretches 1, 2 and 4 bits to 8.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mrfs_ros.errors import ImageError, needs_package

if TYPE_CHECKING:
    from PIL import Image

_FORMATS = ("PNG", "TIFF", "BMP", "WEBP")
_LOSSLESS_TIFF = {
    "raw", "packbits", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "lzma", "zstd", "group3", "group4",
    "tiff_ccitt",
}  # fmt: skip
_STRETCH = {2: 85, 4: 17}
"""Bits of a grey sample: by what Pillow multiplies it to fill 8 bits."""
LARGEST_ID = 65535
"""That a label file can store: 16 bits."""
_EXPORT = "export 8-bit grey PNG whose values are the class ids"


@dataclass(frozen=True)
class LabelImage:
    """What a label file stores; one of ``values`` and ``colours`` is None.

    ``values``: (H, W) uint8 or uint16, grey samples or palette indices as stored. ``palette``: (N, 3) uint8 RGB, the
    colours of indices 0 to N - 1, None unless the file has one. ``colours``: (H, W, 3) uint8 RGB.
    """

    values: np.ndarray | None = None
    palette: np.ndarray | None = None
    colours: np.ndarray | None = None


def read_label_file(path: Path, size: tuple[int, int]) -> LabelImage:
    """The values of a PNG, TIFF, BMP or lossless WebP file, turned as its EXIF orientation says.

    ``size``: (H, W) that the label must have; a file of another number of pixels is refused before it is decoded.
    ImageError for lossy, damaged, animated, transparent, float or 16-bit colour files, whatever the file's name says.
    """
    with needs_package("reading labels", "Pillow", "train"):
        from PIL import Image, ImageOps, UnidentifiedImageError
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ImageError(f"{path}: cannot be read ({error.strerror}): expected a label image") from error
    _check_lossless(content, path)
    try:
        with warnings.catch_warnings():  # of large images: what counts here is the picture's size
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            Image.open(io.BytesIO(content), formats=_FORMATS).verify()  # checksums, which decoding does not look at
            image = Image.open(io.BytesIO(content), formats=_FORMATS)
        bits = _bits(image, content)
        _check_header(image, bits, path, size)
        image.load()
        image = ImageOps.exif_transpose(image)
    except ImageError:
        raise
    except Exception as error:  # Pillow raises OSError, SyntaxError, ValueError, struct.error and more for damage
        why = "" if isinstance(error, UnidentifiedImageError) else f": {error}"
        raise ImageError(f"{path}: is no label image (PNG, TIFF, BMP, WebP), or is damaged{why}") from error
    if (image.height, image.width) != size:
        raise ImageError(_size_problem(path, (image.height, image.width), size))
    return _stored(image, bits, path)


def _check_lossless(content: bytes, path: Path) -> None:
    """ImageError for an encoding that changes pixels, by its first bytes: class ids would be others."""
    kind = ""
    if content[:2] == b"\xff\xd8":
        kind = "JPEG"
    elif content[4:12] in (b"jP  \r\n\x87\n", b"ftypavif", b"ftypavis", b"ftypheic", b"ftypmif1"):
        kind = "JPEG 2000" if content[4:6] == b"jP" else "AVIF or HEIF"
    elif content[:4] == b"RIFF" and content[8:12] == b"WEBP" and b"VP8L" not in _chunks(content):
        kind = "lossy WebP"
    if kind:
        raise ImageError(f"{path}: is {kind} inside, and {kind} changes ids: export PNG", "label_lossy")


def _chunks(content: bytes) -> list[bytes]:
    """Names of the chunks of a RIFF file, in order."""
    names, at = [], 12
    while at + 8 <= len(content):
        names.append(content[at : at + 4])
        length = int.from_bytes(content[at + 4 : at + 8], "little")
        at += 8 + length + length % 2
    return names


def _check_header(image: Image.Image, bits: int, path: Path, size: tuple[int, int]) -> None:
    """ImageError for a file that cannot be this picture's label, before its pixels are decoded."""
    if image.width * image.height != size[0] * size[1]:
        raise ImageError(_size_problem(path, (image.height, image.width), size))
    if (pages := getattr(image, "n_frames", 1)) > 1:
        raise ImageError(f"{path}: has {pages} pages: expected one image, {_EXPORT}")
    if image.format == "TIFF":
        compression = image.info.get("compression", "raw")
        if compression not in _LOSSLESS_TIFF:
            raise ImageError(f"{path}: is TIFF with {compression} inside, which changes ids: export PNG", "label_lossy")
        if image.tag_v2.get(262) == 0:
            raise ImageError(f"{path}: is TIFF in which 0 is white, so ids are not clear: {_EXPORT}")
    if bits > 8 and image.mode not in ("I", "F") and not image.mode.startswith("I;16"):
        raise ImageError(f"{path}: has {bits} bits a colour: {_EXPORT}")


def _bits(image: Image.Image, content: bytes) -> int:
    """Bits of a sample, as the file has them: Pillow's mode tells 8 for all from 2 to 8, and for 16 in colour."""
    if image.format == "PNG":
        return content[24]
    return max(image.tag_v2.get(258, (1,))) if image.format == "TIFF" else 8


def _stored(image: Image.Image, bits: int, path: Path) -> LabelImage:
    """What the decoded file stores; ImageError for what is neither ids nor colours."""
    if image.mode in ("LA", "PA", "RGBA"):
        if (np.asarray(image.getchannel("A")) != 255).any():
            raise ImageError(f"{path}: has transparent pixels, of which nobody knows the class: {_EXPORT}")
        image = image.convert("RGB") if image.mode == "RGBA" else image.getchannel(0)
    if image.mode == "RGB":
        return LabelImage(colours=np.asarray(image))
    if image.mode == "P":
        palette = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
        return LabelImage(values=np.asarray(image).astype(np.uint16), palette=palette)
    if image.mode in ("1", "L", "I") or image.mode.startswith("I;16"):
        values = np.asarray(image)
        if values.dtype.itemsize > 2 and not 0 <= values.min() <= values.max() <= LARGEST_ID:
            raise ImageError(f"{path}: has values from {values.min()} to {values.max()}: {_EXPORT}")
        stretch = _STRETCH.get(bits, 1) if image.mode == "L" else 1
        return LabelImage(values=values // stretch if stretch > 1 else values.astype(np.uint16))
    raise ImageError(f"{path}: stores {image.mode} pixels: {_EXPORT}")


def _size_problem(path: Path, got: tuple[int, int], expected: tuple[int, int]) -> str:
    return f"{path}: is {got[0]}x{got[1]} (HxW), but its rgb image is {expected[0]}x{expected[1]}"
