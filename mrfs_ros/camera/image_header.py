"""Header of an encoded image (JPEG, PNG, BMP, TIFF, WebP): its size and kind, read without decoding a pixel."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from mrfs_ros.errors import ImageError

UNREADABLE = "is no image that OpenCV reads (JPEG, PNG, BMP, TIFF, WebP), or is damaged"
_MOST_PAGES = 100_000  # of a TIFF: a damaged one may have them in a circle
_NO_PAGE = 0b101  # TIFF subfile types that show nothing new: a thumbnail, a mask


@dataclass(frozen=True)
class ImageHeader:
    """``channels`` and ``bits`` (of each) as the file has them, before OpenCV expands a palette.

    ``pages``: of a TIFF, thumbnails and masks not counted.
    """

    height: int
    width: int
    channels: int
    bits: int = 8
    pages: int = 1


def read_header(content: bytes, name: str, camera: str, max_pixels: int) -> ImageHeader:
    """The header of an encoded image.

    Args:
        content: The whole image, or as much as holds its header.
        name: What the texts of errors begin with.
        camera: rgb, thermal or label: the errors' ``reason`` begins with it.
        max_pixels: So many pixels an image may have.

    Raises:
        ImageError: It is no image, damaged, has no pixels or more than ``max_pixels``.
    """
    data = memoryview(content).cast("B")
    read = next((read for magic, read in _KINDS.items() if data[: len(magic)] == magic), None)
    try:
        if read is None:
            raise ValueError("unknown kind")
        header = read(data)
    except (ValueError, IndexError, struct.error) as error:
        raise ImageError(f"{name}: {UNREADABLE}", f"{camera}_damaged") from error
    if min(header.height, header.width) < 1:
        raise ImageError(f"{name}: {UNREADABLE}: its header says {_size(header)} pixels", f"{camera}_damaged")
    check_pixels(header.height, header.width, name, camera, max_pixels)
    return header


def check_pixels(height: int, width: int, name: str, camera: str, max_pixels: int) -> None:
    """Raise ImageError for an image that its header says is larger than ``max_pixels``."""
    if height * width > max_pixels:
        raise ImageError(
            f"{name}: its header says {height}x{width} (HxW), {height * width / 1e6:.4g} million pixels: expected at "
            f"most {max_pixels / 1e6:g} million (max_image_pixels); not decoded",
            f"{camera}_too_large",
        )


def _size(header: ImageHeader) -> str:
    return f"{header.height}x{header.width}"


def _png(data: memoryview) -> ImageHeader:
    if data[12:16] != b"IHDR":
        raise ValueError("no IHDR first")
    width, height, bits, kind = struct.unpack_from(">IIBB", data, 16)
    return ImageHeader(height, width, {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}.get(kind, 0), bits)


def _jpeg(data: memoryview) -> ImageHeader:
    content, place = bytes(data), 2
    while True:
        place = content.index(b"\xff", place) + 1  # ValueError at the end; decoders skip what lies between too
        marker = content[place]
        if marker in (0x00, 0xFF) or 0xD0 <= marker <= 0xD8 or marker == 0x01:  # filling, and markers without a length
            continue
        (length,) = struct.unpack_from(">H", content, place + 1)
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # start of frame
            bits, height, width, channels = struct.unpack_from(">BHHB", content, place + 3)
            return ImageHeader(height, width, channels, bits)
        place += 1 + length


def _bmp(data: memoryview) -> ImageHeader:
    (length,) = struct.unpack_from("<I", data, 14)
    width, height, _, bits = struct.unpack_from("<HHHH" if length == 12 else "<iiHH", data, 18)
    return ImageHeader(abs(height), abs(width), max(1, bits // 8) if bits > 8 else 3)  # 8 bits and less: a palette


def _webp(data: memoryview) -> ImageHeader:
    if data[8:12] != b"WEBP":
        raise ValueError("another RIFF file")
    chunk = bytes(data[12:16])
    if chunk == b"VP8X":
        width, height = (int.from_bytes(data[place : place + 3], "little") + 1 for place in (24, 27))
        data[29]  # IndexError where it is cut off
    elif chunk == b"VP8L":
        (sizes,) = struct.unpack_from("<I", data, 21)
        width, height = (sizes & 0x3FFF) + 1, (sizes >> 14 & 0x3FFF) + 1
    elif chunk == b"VP8 ":
        width, height = (size & 0x3FFF for size in struct.unpack_from("<HH", data, 26))
    else:
        raise ValueError("no image first")
    return ImageHeader(height, width, 3)


def _tiff(data: memoryview) -> ImageHeader:
    order = "<" if data[:1] == b"I" else ">"
    big = struct.unpack_from(f"{order}H", data, 2)[0] == 43
    (place,) = struct.unpack_from(f"{order}{'Q' if big else 'I'}", data, 8 if big else 4)
    first: dict[int, int] = {}
    pages, met = 0, set()
    while place and place not in met and len(met) < _MOST_PAGES:
        met.add(place)
        try:
            tags, place = _tiff_directory(data, place, order, big)
        except struct.error:
            if not first:
                raise
            break  # cut off after the first page, which is what is read
        pages += not tags.get(254, 0) & _NO_PAGE
        first = first or tags
    return ImageHeader(first.get(257, 0), first.get(256, 0), first.get(277, 1), first.get(258, 1), max(1, pages))


def _tiff_directory(data: memoryview, place: int, order: str, big: bool) -> tuple[dict[int, int], int]:
    """Tag to its (first) value where that is a short or a long, and where the next directory is (0: nowhere)."""
    count_as, entry, kind = ("Q", 20, "Q") if big else ("H", 12, "I")
    (count,) = struct.unpack_from(order + count_as, data, place)
    place += struct.calcsize(order + count_as)
    tags = {}
    for start in range(place, place + entry * min(count, 4096), entry):
        tag, form, values = struct.unpack_from(f"{order}HH{kind}", data, start)
        letter = {3: "H", 4: "I", 16: "Q"}.get(form)
        if letter is None:
            continue
        value, size = start + struct.calcsize(f"{order}HH{kind}"), struct.calcsize(order + letter)
        if values * size > (8 if big else 4):  # several values lie elsewhere
            (value,) = struct.unpack_from(order + kind, data, value)
        tags[tag] = struct.unpack_from(order + letter, data, value)[0]
    return tags, struct.unpack_from(order + kind, data, place + entry * count)[0]


_KINDS = {
    b"\xff\xd8": _jpeg,
    b"\x89PNG": _png,
    b"BM": _bmp,
    b"II": _tiff,
    b"MM": _tiff,
    b"RIFF": _webp,
}
