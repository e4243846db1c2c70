"""Class sets and the result type."""

from __future__ import annotations

import numpy as np
import pytest

from mrfs_ros.errors import ConfigError, ImageError
from mrfs_ros.types import CLASS_SETS, FMB, MFNET, PST900, ClassSet, FusionResult, class_set_for_count


@pytest.mark.parametrize("count, expected", [(9, MFNET), (15, FMB), (5, PST900)])
def test_count_gives_the_public_set(count, expected):
    assert class_set_for_count(count) is expected
    assert len(expected) == count


def test_other_counts_get_numbered_classes_in_distinct_colours():
    classes = class_set_for_count(20)
    assert classes.names[:2] == ("class_0", "class_1")
    assert classes.colors[0] == (0, 0, 0)
    assert len(set(classes.colors)) == 20


@pytest.mark.parametrize("name", CLASS_SETS)
def test_palettes_are_distinct_with_black_background(name):
    classes = CLASS_SETS[name]
    assert classes.colors[0] == (0, 0, 0)
    assert len(set(classes.colors)) == len(classes)


def test_palette_colours_a_mask():
    labels = np.array([[0, 1], [2, 255]], np.uint8)
    assert MFNET.palette()[labels].tolist() == [[[0, 0, 0], [64, 0, 128]], [[64, 64, 0], [0, 0, 0]]]


@pytest.mark.parametrize("names, colours", [(("a",), ()), ((), ()), (("a",) * 256, ((0, 0, 0),) * 256)])
def test_class_sets_must_fit_an_8_bit_mask(names, colours):
    with pytest.raises(ConfigError, match="expected 1 to 255 names"):
        ClassSet("bad", names, colours)


def test_as_many_classes_as_there_are_ids():
    palette = ClassSet("most", ("a",) * 255, ((1, 2, 3),) * 255).palette()
    assert palette[254].tolist() == [1, 2, 3] and palette[255].tolist() == [0, 0, 0]


@pytest.mark.parametrize("name", CLASS_SETS)
def test_class_0_is_background(name):
    assert CLASS_SETS[name].names[0] == "background"
    assert ClassSet("old", ("unlabeled", "car"), MFNET.colors[:2]).names == ("background", "car")
    assert ClassSet("own", ("road", "unlabeled"), MFNET.colors[:2]).names == ("road", "unlabeled")


@pytest.mark.parametrize(
    "fused, labels",
    [
        (np.zeros((4, 5), np.uint8), np.zeros((4, 5), np.uint8)),
        (np.zeros((4, 5, 3), np.float32), np.zeros((4, 5), np.uint8)),
        (np.zeros((4, 5, 3), np.uint8), np.zeros((4, 6), np.uint8)),
        (np.zeros((4, 5, 3), np.uint8), np.zeros((4, 5), np.int64)),
    ],
)
def test_results_of_wrong_shape_or_type_are_refused(fused, labels):
    with pytest.raises(ImageError, match="expected"):
        FusionResult(fused, labels)
