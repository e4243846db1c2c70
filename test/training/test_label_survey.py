"""Survey of the labels: what is counted, and that every file is read once."""

from __future__ import annotations

from collections import Counter

import cv2
import numpy as np
import pytest

from mrfs_ros.data.dataset import DatasetConfig, PairDataset
from mrfs_ros.errors import ImageError
from mrfs_ros.training.label_survey import survey
from mrfs_ros.types import MFNET

SIZE = (60, 80)


@pytest.fixture
def root(tmp_path):
    """Five pairs; pair i has a car of 20 x (20 + i) pixels, and pairs 3 and 4 a person of 15 x 12."""
    for folder in ("rgb", "thermal", "label"):
        (tmp_path / folder).mkdir()
    for i in range(5):
        label = np.zeros(SIZE, np.uint8)
        label[10:30, 10 : 30 + i] = 1
        if i > 2:
            label[40:55, 50:62] = 2
        for folder, image in (("rgb", np.full((*SIZE, 3), i, np.uint8)), ("thermal", label), ("label", label)):
            assert cv2.imwrite(str(tmp_path / folder / f"{i}.png"), image)
    return tmp_path


def dataset(root, **options) -> PairDataset:
    return PairDataset(DatasetConfig(root=str(root), split="all", **options), MFNET)


def test_pixels_and_objects_in_the_order_of_the_datasets(root):
    found = survey([dataset(root), dataset(root)], objects=True)
    assert found.pixels.shape == (256,)
    cars, people = sum(20 * (20 + i) for i in range(5)), 2 * 15 * 12
    assert found.pixels[:3].tolist() == [2 * (5 * 60 * 80 - cars - people), 2 * cars, 2 * people]
    places = [(place.dataset, place.index, place.label) for place in found.objects]
    assert places == [(n, i, c) for n in (0, 1) for i in range(5) for c in ((1, 2) if i > 2 else (1,))]


def test_objects_only_where_asked_for(root):
    assert survey([dataset(root)]).objects == []


@pytest.mark.parametrize("objects", [False, True])
def test_every_file_is_read_once(root, objects, monkeypatch):
    reads, read = Counter(), PairDataset._read
    monkeypatch.setattr(PairDataset, "_read", lambda self, files: (reads.update([files.name]), read(self, files))[1])
    survey([dataset(root, cache=False)], objects=objects)
    assert set(reads.values()) == {1} and len(reads) == 5


def test_progress_wraps_the_pairs(root):
    seen = []
    survey([dataset(root)], progress=lambda pairs: (seen.append(pair) or pair for pair in pairs))
    assert len(seen) == 5


def test_a_damaged_file_is_an_error_at_the_start(root):
    (root / "thermal" / "3.png").write_bytes(b"no image")
    with pytest.raises(ImageError, match=r"3\.png"):
        survey([dataset(root)])
