"""Datasets of a grey visible camera and of false-colour thermal images: read as they are meant, said once."""

from __future__ import annotations

import warnings

import cv2
import numpy as np
import pytest

from mrfs_ros.data.dataset import DatasetConfig, PairDataset
from mrfs_ros.sensing.notices import ImageWarning

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
