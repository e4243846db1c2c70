"""Image files: what is read as what, and one clear text for everything else."""

from __future__ import annotations

import struct
import warnings
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from mrfs_ros.camera.image_io import read_picture, read_rgb, read_rgb_thermal, read_thermal, write_jpeg, write_png
from mrfs_ros.camera.notices import ImageWarning
from mrfs_ros.errors import ImageError

RGB = np.random.default_rng(1).integers(0, 256, (40, 50, 3), np.uint8)


def test_png_round_trip(tmp_path):
    write_png(tmp_path / "rgb.png", RGB)
    write_png(tmp_path / "gray.png", RGB[:, :, 1])
    assert (read_rgb(tmp_path / "rgb.png") == RGB).all()
    assert (read_thermal(tmp_path / "gray.png") == RGB[:, :, 1]).all()
    assert (read_picture(tmp_path / "rgb.png") == RGB).all()
    assert (read_picture(tmp_path / "gray.png") == RGB[:, :, 1]).all()
    assert (cv2.imread(str(tmp_path / "rgb.png"))[:, :, ::-1] == RGB).all()  # another reader sees the same


def test_alpha_is_left_out(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.dstack((RGB[:, :, ::-1], RGB[:, :, :1])))
    assert (read_rgb(tmp_path / "a.png") == RGB).all()
    assert (read_picture(tmp_path / "a.png") == RGB).all()


def test_thermal_saved_as_colour_comes_back_as_grey(tmp_path):
    write_png(tmp_path / "t.png", np.repeat(RGB[:, :, :1], 3, axis=2))
    assert (read_thermal(tmp_path / "t.png") == RGB[:, :, 0]).all()


def test_wrong_files(tmp_path):
    write_png(tmp_path / "gray.png", RGB[:, :, 0])
    cv2.imwrite(str(tmp_path / "deep.png"), np.zeros((40, 50), np.uint16))
    cv2.imwrite(str(tmp_path / "float.tiff"), np.zeros((40, 50), np.float32))
    (tmp_path / "text.jpg").write_text("hello")
    (tmp_path / "empty.png").write_bytes(b"")
    cut = cv2.imencode(".png", RGB)[1].tobytes()[:20]
    (tmp_path / "cut.png").write_bytes(cut)
    for read, name, text in (
        (read_rgb, "float.tiff", "expected 8 or 16 bits per channel, got float32"),
        (read_rgb, "nowhere.png", "cannot be read (No such file or directory)"),
        (read_rgb, ".", "cannot be read (Is a directory)"),
        (read_rgb, "text.jpg", "is no image that OpenCV reads"),
        (read_rgb, "empty.png", "is no image that OpenCV reads"),
        (read_thermal, "cut.png", "is no image that OpenCV reads"),
        (read_picture, "nowhere.png", "cannot be read (No such file or directory)"),
        (read_picture, "deep.png", "expected 8 bits per channel, got uint16"),
        (read_thermal, "deep.png", "got uint16: scale it to 8 bits first, all images by one window (docs/sensors.md"),
    ):
        with pytest.raises(ImageError) as error:
            read(tmp_path / name)
        assert text in str(error.value)
        assert str(tmp_path / name) in str(error.value)


def exif(orientation: int) -> bytes:
    """The block that cameras write: one tag, 0x0112."""
    return b"MM\0*\0\0\0\x08\0\1" + struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0) + bytes(4)


def with_exif_chunk(png: bytes, orientation: int) -> bytes:
    """The PNG with a chunk eXIf after its first one."""
    chunk = b"eXIf" + exif(orientation)
    return png[:33] + struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) + png[33:]


def turned(path: Path, image: np.ndarray, orientation: int) -> Path:
    """An image file whose EXIF says ``orientation``, written around what OpenCV encodes."""
    content = cv2.imencode(path.suffix, image if image.ndim == 2 else image[:, :, ::-1])[1].tobytes()
    if path.suffix == ".jpg":
        segment = b"Exif\0\0" + exif(orientation)
        content = content[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + content[2:]
    else:
        content = with_exif_chunk(content, orientation)
    path.write_bytes(content)
    return path


UPRIGHT = {  # what is stored -> what is meant, by the EXIF standard
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a),
}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_exif_orientation_is_honoured_for_rgb_and_thermal(tmp_path, suffix, orientation):
    smooth = cv2.resize(RGB[:4, :5], (50, 40), interpolation=cv2.INTER_CUBIC)  # which JPEG keeps
    for read, image in ((read_rgb, smooth), (read_thermal, smooth[:, :, 0])):
        stored = tmp_path / f"stored{suffix}"
        cv2.imwrite(str(stored), image if image.ndim == 2 else image[:, :, ::-1])
        expected = UPRIGHT[orientation](read(stored))
        got = read(turned(tmp_path / f"turned{suffix}", image, orientation))
        assert got.shape == expected.shape and (got == expected).all()


def test_a_file_of_four_channels_that_exif_turns_is_refused(tmp_path):
    four = np.dstack((RGB[:, :, ::-1], RGB[:, :, :1]))
    cv2.imwrite(str(tmp_path / "a.png"), four)
    rgb, thermal = read_rgb_thermal(tmp_path / "a.png")
    assert (rgb == RGB).all() and (thermal == RGB[:, :, 0]).all()
    plain = (tmp_path / "a.png").read_bytes()
    for orientation in (1, 3):
        chunk = b"eXIf" + exif(orientation)
        made = (
            plain[:33] + struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) + plain[33:]
        )
        (tmp_path / f"{orientation}.png").write_bytes(made)
    assert (read_rgb_thermal(tmp_path / "1.png")[0] == RGB).all()
    with pytest.raises(ImageError, match="its EXIF orientation turns it: expected an upright image"):
        read_rgb_thermal(tmp_path / "3.png")


@pytest.mark.parametrize("suffix, factor", [(".png", 1), (".jpg", 1), (".bmp", 1), (".tiff", 1), (".png", 257)])
def test_a_grey_visible_file_is_r_g_b_and_said_once(tmp_path, suffix, factor):
    grey = RGB[:, :, 1].astype(np.uint16 if factor > 1 else np.uint8) * factor
    for name in "ab":
        cv2.imwrite(str(tmp_path / f"{name}{suffix}"), grey)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("default")
        read = [read_rgb(tmp_path / f"{name}{suffix}") for name in "ab"]
    stored = cv2.imread(str(tmp_path / f"a{suffix}"), cv2.IMREAD_GRAYSCALE)
    assert all((image == stored[:, :, None]).all() and image.shape == RGB.shape for image in read)
    assert [warning.category for warning in told] == [ImageWarning]
    assert "rgb images are grey: taken as r = g = b" in str(told[0].message)


def test_pages_beyond_the_first_are_counted_and_said(tmp_path):
    assert cv2.imwritemulti(str(tmp_path / "a.tiff"), [RGB[:, :, 0], RGB[:, :, 1], RGB[:, :, 2]])
    with pytest.warns(ImageWarning, match=r"a\.tiff: a TIFF of 3 pages: the first is read, 2 are not used"):
        assert (read_thermal(tmp_path / "a.tiff") == RGB[:, :, 0]).all()


def test_a_file_larger_than_the_limit_is_refused_by_its_header(tmp_path):
    write_png(tmp_path / "a.png", RGB)
    assert read_rgb(tmp_path / "a.png", max_pixels=2000).shape == RGB.shape
    for read in (read_rgb, read_thermal):
        with pytest.raises(ImageError, match=r"a\.png: its header says 40x50 .* expected at most 0\.001999 million"):
            read(tmp_path / "a.png", max_pixels=1999)


def test_unwritable_target(tmp_path):
    with pytest.raises(ImageError, match="cannot be written"):
        write_png(tmp_path / "no" / "folder.png", RGB)


def test_a_picture_larger_than_its_format_is_refused(tmp_path):
    """OpenCV writes an empty file there."""
    with pytest.raises(ImageError, match=r"an image of 65536x8 \(HxW\) cannot be written as \.jpg"):
        write_jpeg(tmp_path / "tall.jpg", np.zeros((65536, 8), np.uint8))
    assert not list(tmp_path.iterdir())
