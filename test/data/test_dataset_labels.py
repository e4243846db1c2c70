"""Labels of a dataset: missing, mapped, in colours, and those that cannot be right."""

from __future__ import annotations

import numpy as np
import pytest
from dataset_files import LABEL, RGB, SIZE, THERMAL, check_pair, dataset, error_of, write, write_pair
from hypothesis import given, settings
from hypothesis import strategies as st

from mrfs_ros.errors import ConfigError, ImageError
from mrfs_ros.types import FMB, MFNET, PST900, UNLABELLED


def test_unlabelled_pairs(tmp_path):
    write_pair(tmp_path, "a", label=None)
    pair = dataset(tmp_path)[0]
    check_pair(pair, label=np.full(SIZE, UNLABELLED, np.uint8))
    assert not pair.labelled


def test_labels_that_nobody_wants_are_not_read(tmp_path):
    write_pair(tmp_path, label=np.full(SIZE, 200, np.uint8))  # no class
    (pair,) = dataset(tmp_path, None, label="label", label_map={200: 77})
    assert not pair.labelled
    check_pair(pair, label=np.full(SIZE, UNLABELLED, np.uint8))


def test_some_labels_are_missing(tmp_path):
    write_pair(tmp_path, "a")
    write_pair(tmp_path, "b", label=None)
    assert "missing b; missing_labels: true takes them as unlabelled" in error_of(ImageError, tmp_path)
    assert [pair.labelled for pair in dataset(tmp_path, missing_labels=True)] == [True, False]


def test_label_map(tmp_path):
    """Ids of another dataset: some change, some are to be ignored, the others stay."""
    label = np.full(SIZE, 3, np.uint8)
    label[0], label[1], label[2] = 24, 7, 2
    write_pair(tmp_path, label=label)
    mapped = dataset(tmp_path, label_map={2: 1, 7: UNLABELLED, 24: 2})[0].label
    assert [mapped[row, 0] for row in range(4)] == [2, UNLABELLED, 1, 3]  # 24 turned 2 is not mapped again


ENTRIES = st.dictionaries(
    st.integers(0, 12) | st.integers(0, 255), st.integers(0, 8) | st.just(UNLABELLED), max_size=20
)


@given(ENTRIES)
@settings(max_examples=25, deadline=None)
def test_label_map_holds_for_every_id(tmp_path_factory, label_map):
    root = tmp_path_factory.mktemp("ids")
    every_id = np.arange(256, dtype=np.uint8).reshape(16, 16)
    write_pair(root, rgb=RGB[:16, :16], thermal=THERMAL[:16, :16], label=every_id)
    valid = {*range(9), UNLABELLED}
    whole = {i: UNLABELLED for i in range(256) if i not in valid} | label_map
    label = dataset(root, label_map=whole)[0].label
    assert label.ravel().tolist() == [whole.get(i, i) for i in range(256)]


@pytest.mark.parametrize(
    "label_map, text",
    [
        ({65536: 1}, "label_map: 65536: 1: expected an id 0-65535 and a class 0-8 or 255"),
        ({-1: 1}, "label_map: -1: 1: expected an id 0-65535"),
        ({1: 9}, "label_map: 1: 9: expected an id 0-65535 and a class 0-8 or 255"),
        ({1: -1}, "label_map: 1: -1: expected"),
        ({"car": 1}, "label_map: 'car': 1: expected"),
        ({1: "car"}, "label_map: 1: 'car': expected"),
        ({1: 2.0}, "label_map: 1: 2.0: expected"),
        ({True: 1}, "label_map: True: 1: expected"),
        ({1: None}, "label_map: 1: None: expected"),
    ],
)
def test_bad_label_map(tmp_path, label_map, text):
    write_pair(tmp_path)
    assert error_of(ConfigError, tmp_path, label_map=label_map).startswith(text)


@pytest.mark.parametrize("classes", [MFNET, FMB, PST900], ids=lambda classes: classes.name)
def test_colour_labels(tmp_path, classes):
    ids = np.arange(SIZE[0] * SIZE[1], dtype=np.uint64).reshape(SIZE) % len(classes)
    write_pair(tmp_path, label=classes.palette()[ids])
    assert (dataset(tmp_path, classes)[0].label == ids).all()


def test_colour_labels_are_mapped_by_id(tmp_path):
    write_pair(tmp_path, label=MFNET.palette()[np.full(SIZE, 3)])
    assert (dataset(tmp_path, label_map={3: UNLABELLED})[0].label == UNLABELLED).all()


def test_unknown_colour(tmp_path):
    colours = MFNET.palette()[np.full(SIZE, 1)]
    colours[5, 6] = (1, 2, 3)
    write_pair(tmp_path, label=colours)
    assert error_of(ImageError, tmp_path) == (
        f"{tmp_path / 'label' / 'a.png'}: colour (1, 2, 3) is no class of MFNet: "
        "expected its colours (class_colors), or a grey image of class ids"
    )


def test_unknown_class_ids(tmp_path):
    label = LABEL.copy()
    label[0, :2] = 9, 40
    write_pair(tmp_path, label=label)
    assert error_of(ImageError, tmp_path) == (
        f"{tmp_path / 'label' / 'a.png'}: class id 9, 40 is unknown: MFNet has 0 to 8, and 255 = ignore; "
        "map others with label_map"
    )


def test_labels_whose_names_have_nothing_in_common(tmp_path):
    """Never unlabelled in silence, not even where some labels may be missing."""
    write_pair(tmp_path, label=None)
    write(tmp_path / "label" / "other.png", LABEL)
    for missing in (False, True):
        text = error_of(ImageError, tmp_path, missing_labels=missing)
        assert text.endswith("missing a, not other; if names differ, say how by rgb_name, label_name, such as {}_label")


def test_label_of_another_size(tmp_path):
    write_pair(tmp_path, label=LABEL.T)
    assert error_of(ImageError, tmp_path) == (
        f"{tmp_path / 'label' / 'a.png'}: is 32x24 (HxW), but its rgb image is 24x32"
    )


def test_own_label_folder_that_is_not_there(tmp_path):
    """Whoever names a label folder does not want to train without labels."""
    write_pair(tmp_path)
    text = error_of(ImageError, tmp_path, label="lable")
    assert text == f"{tmp_path}: label: expected labels in the folder 'lable', found none"
