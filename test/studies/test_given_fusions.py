"""Folders of other methods' outputs: found by name, taken as they are, and refused in one sentence."""

from __future__ import annotations

import re

import cv2
import numpy as np
import pytest
from made_pairs import SIZE, dataset, write_pairs

from mrfs_ros.errors import ConfigError, ImageError
from mrfs_ros.studies.generalization import frames_of
from mrfs_ros.studies.given_fusions import given_method

GREY = np.random.default_rng(0).integers(0, 256, SIZE, np.uint8)


@pytest.fixture
def pairs(tmp_path):
    write_pairs(tmp_path / "street")
    return dataset(tmp_path / "street")


@pytest.fixture
def outputs(tmp_path):
    """Grey a.png, colour b.bmp, a c.jpg, a file of another name, and one that is no image."""
    folder = tmp_path / "outputs"
    folder.mkdir()
    cv2.imwrite(str(folder / "a.png"), GREY)
    cv2.imwrite(str(folder / "b.bmp"), np.dstack((GREY, GREY // 2, GREY // 3)))
    for name in ("c", "other"):
        cv2.imwrite(str(folder / f"{name}.jpg"), GREY)
    (folder / "log.txt").write_text("done")
    return folder


def test_images_are_taken_as_they_are(pairs, outputs):
    method = given_method("theirs", outputs, frames_of({"street": pairs}))
    assert (method.name, method.kind) == ("theirs", "given")
    a, b, c = (method.fuse(pair) for pair in pairs)
    np.testing.assert_array_equal(a, GREY)
    np.testing.assert_array_equal(b, np.dstack((GREY // 3, GREY // 2, GREY)))
    assert c.shape == SIZE


def test_missing_images_are_counted_and_named(pairs, outputs):
    for name in ("a.png", "c.jpg"):
        (outputs / name).unlink()
    with pytest.raises(ImageError, match=r"expected theirs's fused image of each of 3 pairs, 2 are missing: a, c$"):
        given_method("theirs", outputs, frames_of({"street": pairs}))
    given_method("theirs", outputs, frames_of({"street": pairs})[1:2])  # what is not asked for may be missing


def test_another_size(pairs, outputs):
    cv2.imwrite(str(outputs / "a.png"), GREY[:-1])
    method = given_method("theirs", outputs, frames_of({"street": pairs}))
    with pytest.raises(ImageError, match=r"a\.png: is 47x64 \(HxW\), but the pair is 48x64: fuse pairs of this size"):
        method.fuse(pairs[0])


def test_damaged_image(pairs, outputs):
    (outputs / "a.png").write_text("hello")
    method = given_method("theirs", outputs, frames_of({"street": pairs}))
    with pytest.raises(ImageError, match=r"a\.png: is no image that OpenCV reads"):
        method.fuse(pairs[0])


def test_no_folder(pairs, tmp_path):
    with pytest.raises(ConfigError, match=re.escape(f"--fused theirs={tmp_path / 'no'}: expected a folder")):
        given_method("theirs", tmp_path / "no", frames_of({"street": pairs}))


def test_two_images_of_one_pair(pairs, outputs):
    cv2.imwrite(str(outputs / "a.jpg"), GREY)
    with pytest.raises(ImageError, match="expected one image a name"):
        given_method("theirs", outputs, frames_of({"street": pairs}))


def test_datasets_that_share_names(pairs, outputs):
    with pytest.raises(ConfigError, match="the datasets share the pair names a, b, c: give one dataset by --root"):
        given_method("theirs", outputs, frames_of({"one": pairs, "other": pairs}))
