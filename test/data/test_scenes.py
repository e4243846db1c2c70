"""Labelled rgb images without thermal: files, labels and the materials that thermal is simulated from."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from mrfs_ros.data.dataset import DatasetConfig, PairDataset
from mrfs_ros.data.scenes import MATERIALS, Scene, SceneDataset, training_dataset
from mrfs_ros.errors import ConfigError, ImageError
from mrfs_ros.types import MFNET

IDS = np.arange(9, dtype=np.uint8).reshape(3, 3)
RGB = np.random.default_rng(0).integers(0, 256, (3, 3, 3), np.uint8)


@pytest.fixture
def root(tmp_path) -> Path:
    for folder, image in (("rgb", RGB[:, :, ::-1]), ("label", IDS)):
        (tmp_path / folder).mkdir()
        assert cv2.imwrite(str(tmp_path / folder / "a.png"), image)
    return tmp_path


def scenes(root: Path, **options) -> SceneDataset:
    config = DatasetConfig(**{"root": str(root), "split": "all", "thermal": "simulated", **options})
    return training_dataset(config, MFNET)


def names(scene: Scene) -> list[str]:
    return [MATERIALS[number] for number in scene.materials.ravel()]


def test_what_stands_in_the_files(root):
    scene = scenes(root, label_map={4: 0, 5: 255})[0]
    assert scene.name == "a"
    assert (scene.rgb == RGB).all()
    assert scene.label.ravel().tolist() == [0, 1, 2, 3, 0, 255, 6, 7, 8]


def test_materials_follow_from_class_names(root):
    assert names(scenes(root)[0]) == ["other", "vehicle", "person", "bike", *["other"] * 5]


def test_materials_follow_from_the_class_that_an_id_is_mapped_to(root):
    assert names(scenes(root, label_map={7: 2})[0])[7] == "person"


def test_own_materials_go_by_the_id_in_the_file(root):
    scene = scenes(root, label_map={4: 0, 8: 0}, materials={4: "road", 8: "sky", 1: "bike"})[0]
    assert names(scene) == ["other", "bike", "person", "bike", "road", "other", "other", "other", "sky"]


@pytest.mark.parametrize("materials", [{4: "asphalt"}, {70000: "road"}, {"4": "road"}, {-1: "sky"}])
def test_unknown_materials(root, materials):
    with pytest.raises(ConfigError, match=r"materials: .* expected a label id 0-65535 and one of other, vehicle"):
        scenes(root, materials=materials)


def test_materials_without_simulation_are_refused(root):
    with pytest.raises(ConfigError, match="materials belong to thermal: simulated: leave them out"):
        scenes(root, thermal="", materials={4: "road"})


def test_pairs_stay_pairs(root):
    (root / "thermal").mkdir()
    assert cv2.imwrite(str(root / "thermal" / "a.png"), IDS)
    assert type(scenes(root, thermal="")) is PairDataset


def test_scenes_are_for_training_only(root):
    with pytest.raises(ConfigError, match="thermal: simulated is for datasets under train"):
        PairDataset(DatasetConfig(root=str(root), split="all", thermal="simulated"), MFNET)


def test_a_scene_without_a_label_is_refused(root):
    (root / "label" / "a.png").unlink()
    with pytest.raises(ImageError, match=r"a\.png: expected a label: thermal is simulated from labels"):
        scenes(root, missing_labels=True)


def test_a_label_of_another_size_is_refused(root):
    assert cv2.imwrite(str(root / "label" / "a.png"), IDS[:2])
    with pytest.raises(ImageError, match=r"is 2x3 .* is 3x3"):
        scenes(root)[0]
