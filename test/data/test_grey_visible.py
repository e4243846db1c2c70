"""Datasets of a grey visible camera and of false-colour thermal images: read as they are meant, said once."""

from __future__ import annotations

import warnings
from dataclasses import replace

import cv2
import numpy as np
import pytest

from mrfs_ros.camera.notices import ImageWarning
from mrfs_ros.data.dataset import DatasetConfig, PairDataset
from mrfs_ros.errors import ImageError

GREY = np.random.default_rng(0).integers(0, 256, (40, 256), np.uint8)
RAMP = np.tile(np.arange(256, dtype=np.uint8), (40, 1))


@pytest.mark.parametrize("cache", [True, False])
def test_grey_is_r_g_b_and_false_colours_are_undone(tmp_path, cache):
    for folder, image in (("rgb", GREY), ("thermal", cv2.applyColorMap(RAMP, cv2.COLORMAP_JET))):
        (tmp_path / folder).mkdir()
        for name in "abc":
            cv2.imwrite(str(tmp_path / folder / f"{name}.png"), image)
    dataset = PairDataset(DatasetConfig(root=str(tmp_path), split="all", cache=cache), None)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("default")
        for _ in range(2):  # epochs
            for pair in dataset:
                assert (pair.rgb == GREY[:, :, None]).all() and (pair.thermal == RAMP).all()
    texts = [str(warning.message) for warning in told if warning.category is ImageWarning]
    assert len(texts) == 2 and "rgb images are grey" in texts[0] and "palette jet: undone" in texts[1]


def test_files_above_the_limit_are_refused_before_they_are_decoded(tmp_path):
    for folder in ("rgb", "thermal"):
        (tmp_path / folder).mkdir()
        cv2.imwrite(str(tmp_path / folder / "a.png"), np.dstack([GREY] * 3) if folder == "rgb" else GREY)
    config = DatasetConfig(root=str(tmp_path), split="all", max_image_pixels=GREY.size)
    assert PairDataset(config, None)[0].rgb.shape == (40, 256, 3)
    with pytest.raises(ImageError, match=r"a\.png: its header says 40x256 .* expected at most 0\.010239 million"):
        PairDataset(replace(config, max_image_pixels=GREY.size - 1), None)[0]
