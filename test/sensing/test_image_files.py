"""Image files: what is read as what, and one clear text for everything else."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mrfs_ros.errors import ImageError
from mrfs_ros.sensing.image_files import read_picture, read_rgb, read_thermal, write_jpeg, write_png

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
    (tmp_path / "text.jpg").write_text("hello")
    (tmp_path / "empty.png").write_bytes(b"")
    cut = cv2.imencode(".png", RGB)[1].tobytes()[:20]
    (tmp_path / "cut.png").write_bytes(cut)
    for read, name, text in (
        (read_rgb, "gray.png", "expected a colour image, got a grey one"),
        (read_rgb, "nowhere.png", "cannot be read (No such file or directory)"),
        (read_rgb, ".", "cannot be read (Is a directory)"),
        (read_rgb, "text.jpg", "is no image that OpenCV reads"),
        (read_rgb, "empty.png", "is no image that OpenCV reads"),
        (read_thermal, "cut.png", "is no image that OpenCV reads"),
        (read_picture, "nowhere.png", "cannot be read (No such file or directory)"),
        (read_picture, "deep.png", "expected 8 bits per channel, got uint16"),
        (read_thermal, "deep.png", "expected 8 bits per channel, got uint16"),
    ):
        with pytest.raises(ImageError) as error:
            read(tmp_path / name)
        assert text in str(error.value)
        assert str(tmp_path / name) in str(error.value)


def test_unwritable_target(tmp_path):
    with pytest.raises(ImageError, match="cannot be written"):
        write_png(tmp_path / "no" / "folder.png", RGB)


def test_a_picture_larger_than_its_format_is_refused(tmp_path):
    """OpenCV writes an empty file there."""
    with pytest.raises(ImageError, match=r"an image of 65536x8 \(HxW\) cannot be written as \.jpg"):
        write_jpeg(tmp_path / "tall.jpg", np.zeros((65536, 8), np.uint8))
    assert not list(tmp_path.iterdir())
