"""Objects: against a slow flood fill, their order, boxes to the pixel, scores and temperatures."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mrfs_ros.errors import ConfigError, ImageError
from mrfs_ros.objects import SegmentedObject, find_objects, object_ids
from mrfs_ros.types import MFNET, UNLABELLED, FusionResult

ALL = tuple(range(1, 9))


def result(labels: np.ndarray, confidence: np.ndarray | None = None) -> FusionResult:
    return FusionResult(np.zeros((*labels.shape, 3), np.uint8), labels, confidence)


def flooded(labels, ids, min_area, confidence, celsius) -> list[dict]:
    """Rows of ``find_objects``, pixel by pixel."""
    left, rows = {(int(y), int(x)) for y, x in np.argwhere(np.isin(labels, list(ids)))}, []
    while left:
        open_ones = [next(iter(left))]
        left.remove(open_ones[0])
        part = []
        while open_ones:
            y, x = open_ones.pop()
            part.append((y, x))
            beside = {(y + j, x + i) for j in (-1, 0, 1) for i in (-1, 0, 1)} & left
            beside = {place for place in beside if labels[place] == labels[y, x]}
            left -= beside
            open_ones += beside
        if len(part) < min_area:
            continue
        ys, xs = [y for y, _ in part], [x for _, x in part]
        degrees = [] if celsius is None else [float(celsius[p]) for p in part if np.isfinite(celsius[p])]
        score = None if confidence is None else sum(int(confidence[p]) for p in part) / 255 / len(part)
        number = int(labels[part[0]])
        rows.append({
            "class_id": number, "class_name": MFNET.names[number], "score": score, "x": min(xs), "y": min(ys),
            "width": max(xs) - min(xs) + 1, "height": max(ys) - min(ys) + 1, "area": len(part),
            "mean_celsius": sum(degrees) / len(degrees) if degrees else None,
            "max_celsius": max(degrees) if degrees else None,
        })  # fmt: skip
    keys = ("y", "x", "height", "width")
    return sorted(rows, key=lambda row: (row["class_id"], -row["area"], *(row[key] for key in keys)))


SIZES = st.tuples(st.integers(1, 14), st.integers(1, 14))
FEW = st.sampled_from([0, 1, 2, UNLABELLED])


def check_same(found: list[SegmentedObject], expected: list[dict]) -> None:
    """The rows of a flood fill, whole numbers exactly, in types that JSON takes."""
    for row, other in zip([o._asdict() for o in found], expected, strict=True):
        assert row.keys() == other.keys()
        for name, value in row.items():
            assert type(value) is type(other[name]), name
            assert value == (pytest.approx(other[name], rel=1e-6, abs=1e-4) if type(value) is float else other[name])


@settings(max_examples=300, deadline=None)
@given(
    labels=SIZES.flatmap(lambda size: arrays.arrays(np.uint8, size, elements=FEW)),
    ids=st.sampled_from([ALL, (0,), (2,), (0, 1, 2)]),
    min_area=st.integers(1, 6),
    seed=st.integers(0, 2**32 - 1) | st.none(),
)
@example(np.array([[1, 0], [0, 1]], np.uint8), ALL, 1, None)  # a diagonal is one
@example(np.array([[1, 2], [2, 1]], np.uint8), ALL, 1, 0)  # even through another
@example(np.zeros((1, 1), np.uint8), (0,), 1, None)
def test_objects_are_those_of_a_flood_fill(labels, ids, min_area, seed):
    confidence = celsius = None
    if seed is not None:
        rng = np.random.default_rng(seed)
        confidence = rng.integers(0, 256, labels.shape, np.uint8)
        celsius = rng.uniform(-40, 120, labels.shape).astype(np.float32)
        celsius[rng.random(labels.shape) < rng.random()] = rng.choice([np.nan, np.inf, -np.inf])
    found = find_objects(result(labels, confidence), MFNET, ids, min_area, celsius)
    check_same(found, flooded(labels, ids, min_area, confidence, celsius))


def test_real_masks_against_a_flood_fill():
    """Samples' thermal images in eight levels, as masks with many parts of all shapes."""
    for path in sorted((Path(__file__).parent.parent / "samples/thermal").glob("*.jpg"))[:2]:
        thermal = cv2.resize(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), (160, 128))
        labels, degrees = thermal // 29, thermal.astype(np.float32) / 4
        found = find_objects(result(labels, thermal), MFNET, ALL, 20, degrees)
        assert len(found) > 20
        check_same(found, flooded(labels, ALL, 20, thermal, degrees))


def test_a_box_is_exact_to_the_pixel_and_its_middle_lies_between_pixel_centres():
    labels = np.zeros((20, 30), np.uint8)
    labels[3:7, 10:15] = 2
    labels[19, 29] = 1
    car, person = find_objects(result(labels), MFNET, ALL, 1)
    assert car == SegmentedObject(1, "car", None, 29, 19, 1, 1, 1, None, None)
    assert person == SegmentedObject(2, "person", None, 10, 3, 5, 4, 20, None, None)
    assert car.center == (29.0, 19.0) and person.center == (12.0, 4.5)
    assert (labels[person.y : person.y + person.height, person.x : person.x + person.width] == 2).all()


@pytest.mark.parametrize("value", [0, UNLABELLED])
def test_no_object(value):
    assert find_objects(result(np.full((20, 30), value, np.uint8)), MFNET, ALL, 1) == []
    assert find_objects(result(np.full((20, 30), 1, np.uint8)), MFNET, (), 1) == []


def test_the_whole_image_is_one():
    (whole,) = find_objects(result(np.full((20, 30), 3, np.uint8), np.full((20, 30), 255, np.uint8)), MFNET, ALL, 600)
    assert (whole.x, whole.y, whole.width, whole.height, whole.area, whole.score) == (0, 0, 30, 20, 600, 1.0)
    assert find_objects(result(np.full((20, 30), 3, np.uint8)), MFNET, ALL, 601) == []


def test_classes_that_touch_are_apart_and_the_order_is_class_area_place():
    labels = np.zeros((20, 30), np.uint8)
    labels[5:10, 5:10], labels[5:10, 10:15] = 2, 1  # side by side
    labels[12:14, 20:22], labels[0:2, 20:22], labels[12:14, 0:2] = 2, 2, 2
    found = find_objects(result(labels), MFNET, (2, 1), 1)
    assert [(o.class_id, o.area, o.y, o.x) for o in found] == [
        (1, 25, 5, 10), (2, 25, 5, 5), (2, 4, 0, 20), (2, 4, 12, 0), (2, 4, 12, 20),
    ]  # fmt: skip


def test_temperatures_of_pixels_that_have_one():
    labels, celsius = np.zeros((20, 30), np.uint8), np.full((20, 30), 99, np.float32)
    labels[2:4, 2:6], labels[10:12, 2:6] = 2, 1
    celsius[2:4, 2:6] = [[10, 20, np.nan, np.inf], [30, np.nan, np.nan, -np.inf]]
    celsius[10:12, 2:6] = np.nan
    car, person = find_objects(result(labels), MFNET, ALL, 1, celsius)
    assert (person.mean_celsius, person.max_celsius) == (20.0, 30.0)  # not 99, which lies beside it
    assert (car.mean_celsius, car.max_celsius) == (None, None)


def test_images_of_messages_are_read_only():
    labels, confidence = np.ones((20, 30), np.uint8), np.full((20, 30), 51, np.uint8)
    celsius = np.full((20, 30), 7, np.float32)
    for array in (labels, confidence, celsius):
        array.setflags(write=False)
    (car,) = find_objects(result(labels, confidence), MFNET, ALL, 1, celsius)
    assert (car.score, car.mean_celsius, car.area) == (0.2, 7.0, 600)


@pytest.mark.parametrize("celsius", [np.zeros((20, 30)), np.zeros((20, 31), np.float32), np.zeros((20, 30), np.uint8)])
def test_degrees_of_another_size_or_type_are_refused(celsius):
    with pytest.raises(ImageError, match=r"celsius: expected \(20, 30\) float32, got"):
        find_objects(result(np.ones((20, 30), np.uint8)), MFNET, ALL, 1, celsius)


@pytest.mark.parametrize(
    "names, ids",
    [("", ALL), ("  ", ALL), ("person", (2,)), ("bike, car ,person,car", (1, 2, 3)), ("background", (0,))],
)
def test_classes_by_name(names, ids):
    assert object_ids(names, MFNET) == ids


@pytest.mark.parametrize(
    "names, near",
    [
        ("cars", "'cars' is no class of MFNet: did you mean car, car_stop?"),
        ("car, Person", "'Person' is no class of MFNet: did you mean person?"),
        ("car,", "'' is no class of MFNet: did you mean background, car, person, bike, curve, car_stop, guardrail"),
    ],
)
def test_unknown_names_are_told_with_those_that_are_near(names, near):
    with pytest.raises(ConfigError) as error:
        object_ids(names, MFNET)
    assert str(error.value).startswith(f"object_classes: {near}") and "\n" not in str(error.value)
