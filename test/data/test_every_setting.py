"""Every field of ``DatasetConfig`` changes something that can be observed of a dataset; a new field fails here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dataset_files import write

from mrfs_ros.data.dataset import DatasetConfig, PairDataset
from mrfs_ros.data.scenes import SceneDataset
from mrfs_ros.errors import ImageError
from mrfs_ros.geometry.calibration_file import write_calibration
from mrfs_ros.geometry.camera_models import Homography
from mrfs_ros.training.augment import AugmentConfig
from mrfs_ros.training.batches import StepExamples
from mrfs_ros.types import MFNET

SIZE = (36, 48)


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    """Two datasets; the first has pairs a and b in several folders, each of one grey that no other image has."""
    folder, greys = tmp_path_factory.mktemp("datasets"), iter(range(20, 250))
    camera = {"rgb": (*SIZE, 3), "rgb2": (*SIZE, 3), "thermal": SIZE, "thermal2": SIZE}
    names = {f"one/{kind}/{name}": shape for kind, shape in camera.items() for name in "ab"}
    names |= {"two/rgb/a": (*SIZE, 3), "two/thermal/a": SIZE, "one/Visible/a": (*SIZE, 3), "one/Infrared/a": SIZE}
    names |= {f"one/both/a_{kind}": (*SIZE, 3) if "c" in kind else SIZE for kind in ("c1", "c2", "t1", "t2")}
    for name, shape in names.items():
        write(folder / f"{name}.png", np.full(shape, next(greys), np.uint8))
    for name, number in {"label/a": 1, "label/b": 2, "label2/a": 3, "label2/b": 4, "some/a": 1}.items():
        write(folder / f"one/{name}.png", np.full(SIZE, number, np.uint8))
    for name, number in {"named/a_m1": 5, "named/a_m2": 6}.items():
        write(folder / f"one/{name}.png", np.full(SIZE, number, np.uint8))
    write(folder / "one/colours/a.png", np.full((*SIZE, 3), MFNET.colors[2], np.uint8))
    (folder / "one/train.txt").write_text("b\n")
    (folder / "one/first.txt").write_text("a\n")
    ramp = np.add.outer(np.arange(SIZE[0]), np.arange(SIZE[1])).astype(np.uint8)
    write(folder / "one/ramp/a.png", ramp)
    matrix = np.array([[1.0, 0.0, 9.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    write_calibration(folder / "shifted.yaml", Homography(matrix, SIZE, SIZE))
    return folder


def seen(part: str) -> Callable[[DatasetConfig], Any]:
    """One array of all pairs, by name."""

    def observe(config: DatasetConfig) -> Any:
        return {pair.name: getattr(pair, part).tobytes() for pair in PairDataset(config, MFNET)}

    return observe


def outcome(config: DatasetConfig) -> Any:
    """The labels, or the error."""
    try:
        return seen("label")(config)
    except ImageError as error:
        return str(error)


def materials(config: DatasetConfig) -> Any:
    return [scene.materials.tobytes() for scene in SceneDataset(config, MFNET)]


def crops_of_each(config: DatasetConfig) -> Any:
    """Of which dataset the crops of some batches are, beside another dataset of share 1."""
    datasets = [PairDataset(one, MFNET) for one in (config, DatasetConfig(root="two", split="all", share=1.0))]
    examples = StepExamples(datasets, SIZE, AugmentConfig(), seed=0, batch=4)
    return Counter(examples.source((step, slot))[0] for step in range(4) for slot in range(4))


def kept(config: DatasetConfig) -> Any:
    dataset = PairDataset(config, MFNET)
    return dataset[0] is dataset[0]


ONE = {"root": "one", "split": "all"}
FIRST = {"root": "one", "split": "first"}
BOTH = {**ONE, "rgb": "both", "thermal": "both", "label": "named", "label_name": "{}_m1"}
BOTH |= {"rgb_name": "{}_c1", "thermal_name": "{}_t1"}
# Field: what it changes, the settings beside it, and its other value.
OBSERVED: dict[str, tuple[Callable[[DatasetConfig], Any], dict[str, Any], Any]] = {
    "root": (seen("rgb"), ONE, "two"),
    "layout": (seen("rgb"), FIRST, "fmb"),
    "split": (seen("rgb"), ONE, "train"),
    "rgb": (seen("rgb"), ONE, "rgb2"),
    "thermal": (seen("thermal"), ONE, "thermal2"),
    "label": (seen("label"), ONE, "label2"),
    "rgb_name": (seen("rgb"), BOTH, "{}_c2"),
    "thermal_name": (seen("thermal"), BOTH, "{}_t2"),
    "label_name": (seen("label"), BOTH, "{}_m2"),
    "calibration": (seen("thermal"), {**FIRST, "thermal": "ramp"}, "shifted.yaml"),
    "label_map": (seen("label"), ONE, {1: 7}),
    "label_values": (outcome, {**FIRST, "label": "colours"}, "ids"),
    "materials": (materials, {**ONE, "thermal": "simulated"}, {1: "sky"}),
    "share": (crops_of_each, {**ONE, "share": 1.0}, 3.0),
    "missing_labels": (outcome, {**ONE, "label": "some"}, True),
    "max_image_pixels": (outcome, ONE, 1024),
    "cache": (kept, ONE, False),
}


@pytest.mark.parametrize("name", [spec.name for spec in fields(DatasetConfig)])
def test_a_setting_changes_what_is_observed(name, files, monkeypatch):
    assert name in OBSERVED, f"a setting that no test observes: say in OBSERVED what {name} changes"
    monkeypatch.chdir(files)
    observe, beside, other = OBSERVED[name]
    config = DatasetConfig(**beside)
    assert observe(config) == observe(config)
    assert observe(config) != observe(replace(config, **{name: other}))


def test_nothing_is_left_over():
    assert OBSERVED.keys() == {spec.name for spec in fields(DatasetConfig)}
