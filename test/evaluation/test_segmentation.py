"""Segmentation scores: a hand-counted image, the averaging rules that papers mix, and what is wrong with labels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrfs_ros.errors import ConfigError, ImageError
from mrfs_ros.evaluation.segmentation import RULES, confusion_matrix, rules_for, segmentation_scores
from mrfs_ros.types import CLASS_SETS, FMB, MFNET, PST900, class_set_for_count

pytestmark = pytest.mark.filterwarnings("error")

THREE = class_set_for_count(3)
BICYCLE = FMB.names.index("bicycle")
TRUTH = np.array([[0, 0, 0, 1], [1, 1, 255, 255]], np.uint8)
PREDICTED = np.array([[0, 0, 1, 1], [1, 0, 2, 0]], np.uint8)

seeds = st.integers(0, 10**6)


def labels(seed: int, classes: int, shape: tuple[int, int] = (6, 7)) -> np.ndarray:
    drawn = np.random.default_rng(seed).integers(0, classes + 1, shape, np.uint8)
    return np.where(drawn == classes, 255, drawn).astype(np.uint8)


def fmb_scores(ious: dict[int, tuple[int, int]], pixels: int = 10):
    """Scores in which each class of ``ious`` has (hits, misses), the misses going to no class."""
    confusion = np.zeros((15, 16), np.int64)
    for label, (hits, misses) in ious.items():
        confusion[label, label], confusion[label, 15] = hits, misses
    return segmentation_scores(confusion, FMB)


def test_a_hand_counted_image():
    confusion = confusion_matrix(PREDICTED, TRUTH, 3)
    assert confusion.tolist() == [[2, 1, 0, 0], [1, 2, 0, 0], [0, 0, 0, 0]]
    scores = segmentation_scores(confusion, THREE)
    assert scores.iou[:2] == (2 / 4, 2 / 4)
    assert scores.recall[:2] == (2 / 3, 2 / 3)
    assert math.isnan(scores.iou[2])  # predicted only where the truth is 255
    assert math.isnan(scores.recall[2])
    assert scores.pixel_accuracy == 4 / 6
    assert scores.mean_accuracy == pytest.approx(2 / 3)
    assert scores.mean_ious() == {"defined": 0.5, "foreground": 0.5}


def test_a_false_alarm_makes_an_absent_class_zero():
    predicted = np.where(TRUTH == 1, 2, TRUTH).astype(np.uint8)
    scores = segmentation_scores(confusion_matrix(predicted, TRUTH, 3), THREE)
    assert scores.iou == (1, 0, 0)
    assert scores.recall[:2] == (1, 0)
    assert math.isnan(scores.recall[2])
    assert scores.mean_iou("defined") == pytest.approx(1 / 3)
    assert scores.mean_iou("foreground") == 0


def test_no_answer_is_a_miss_and_no_false_alarm():
    predicted = np.where(TRUTH == 1, 255, TRUTH).astype(np.uint8)
    scores = segmentation_scores(confusion_matrix(predicted, TRUTH, 3), THREE)
    assert scores.iou[:2] == (1, 0)
    assert scores.pixel_accuracy == 0.5


def test_nothing_labelled():
    empty = np.full((4, 5), 255, np.uint8)
    scores = segmentation_scores(confusion_matrix(empty, empty, 9), MFNET)
    assert all(map(math.isnan, (*scores.iou, *scores.recall, scores.mean_accuracy, scores.pixel_accuracy)))
    assert all(map(math.isnan, scores.mean_ious().values()))


def test_no_overflow_with_many_classes():
    label = np.full((300, 300), 253, np.uint8)
    assert confusion_matrix(label, label, 254)[253, 253] == 90_000


# Averaging rules


def test_fmb_rules_without_any_bicycle():
    """One output, three published numbers."""
    scores = fmb_scores({0: (1, 9), **{label: (8, 2) for label in range(1, 15) if label != BICYCLE}})
    assert math.isnan(scores.iou[BICYCLE])
    assert scores.mean_iou("fmb15") == scores.mean_iou("defined") == pytest.approx((13 * 0.8 + 0.1) / 14)
    assert scores.mean_iou("fmb14") == pytest.approx(13 * 0.8 / 14)
    assert scores.mean_iou("fmb13") == scores.mean_iou("foreground") == pytest.approx(0.8)


def test_fmb_rules_when_a_bicycle_is_predicted():
    confusion = np.zeros((15, 16), np.int64)
    confusion[range(15), range(15)] = 10
    confusion[BICYCLE, BICYCLE] = 0
    confusion[1, BICYCLE] = 10
    scores = segmentation_scores(confusion, FMB)
    assert scores.iou[BICYCLE] == 0
    assert scores.mean_iou("fmb15") == pytest.approx(13.5 / 15)
    assert scores.mean_iou("fmb14") == pytest.approx(12.5 / 14)
    assert scores.mean_iou("fmb13") == pytest.approx(12.5 / 13)


def test_fmb14_always_divides_by_14():
    assert fmb_scores(dict.fromkeys(range(15), (7, 0))).mean_iou("fmb14") == 1
    assert fmb_scores({1: (7, 0)}).mean_iou("fmb14") == pytest.approx(1 / 14)
    assert fmb_scores({1: (7, 0)}).mean_iou("fmb13") == 1


def test_rules_belong_to_class_sets():
    assert rules_for(FMB) == list(RULES)
    for other in (MFNET, PST900, class_set_for_count(14)):
        assert rules_for(other) == ["defined", "foreground"]
        scores = segmentation_scores(np.eye(len(other), len(other) + 1, dtype=np.int64), other)
        with pytest.raises(ConfigError, match=r"rule 'fmb14': expected one of defined, foreground for the classes of"):
            scores.mean_iou("fmb14")
    with pytest.raises(ConfigError, match=r"rule 'best': expected one of defined, foreground, fmb15, fmb14, fmb13"):
        fmb_scores({1: (1, 0)}).mean_iou("best")


def test_classes_and_rules_are_printed_together():
    text = str(fmb_scores({0: (1, 3), 1: (9, 1)}))
    for name in (*FMB.names, *(f"mIoU {rule}" for rule in RULES), *(rule.explanation for rule in RULES.values())):
        assert name in text
    lines = [line.split() for line in text.splitlines()]
    assert ["background", "25.00", "25.00"] in lines
    assert ["bicycle", "-", "-"] in lines
    assert lines[-2][:3] == ["mIoU", "fmb14", "6.43"]


# Every label image


@given(seeds, st.sampled_from(sorted(CLASS_SETS)))
def test_bounds(seed, name):
    class_set = CLASS_SETS[name]
    confusion = confusion_matrix(labels(seed, len(class_set)), labels(seed + 1, len(class_set)), len(class_set))
    scores = segmentation_scores(confusion, class_set)
    for value in (*scores.iou, *scores.recall, scores.pixel_accuracy, *scores.mean_ious().values()):
        assert 0 <= value <= 1 or math.isnan(value)
    assert all(not iou > recall for iou, recall in zip(scores.iou, scores.recall))


@given(seeds)
def test_confusion_is_what_a_plain_count_gives(seed):
    predicted, truth = labels(seed, 5), labels(seed + 1, 5)
    expected = np.zeros((5, 6), np.int64)
    for p, t in zip(predicted.ravel().tolist(), truth.ravel().tolist()):
        if t != 255:
            expected[t, 5 if p == 255 else p] += 1
    assert (confusion_matrix(predicted, truth, 5) == expected).all()


@given(seeds)
def test_confusion_adds_up(seed):
    predicted, truth = labels(seed, 9), labels(seed + 1, 9)
    halves = [confusion_matrix(predicted[part], truth[part], 9) for part in (slice(0, 2), slice(2, None))]
    assert (sum(halves) == confusion_matrix(predicted, truth, 9)).all()


@given(seeds)
def test_the_truth_scores_full(seed):
    truth = labels(seed, 9)
    scores = segmentation_scores(confusion_matrix(truth, truth, 9), MFNET)
    assert scores.pixel_accuracy == scores.mean_accuracy == 1
    assert all(value == 1 or math.isnan(value) for value in scores.iou)


# Errors


def test_unknown_ids_are_named():
    with pytest.raises(ImageError, match=r"truth: expected class ids 0 to 2 or 255, got 3, 77; choose the class set"):
        confusion_matrix(TRUTH, np.array([[0, 3, 77, 0], [0, 0, 77, 255]], np.uint8), 3)
    with pytest.raises(ImageError, match=r"predicted: expected class ids 0 to 1 or 255, got 2"):
        confusion_matrix(PREDICTED, TRUTH, 2)


def test_wrong_arrays():
    with pytest.raises(ImageError, match=r"one size \(H, W\), got predicted \(1, 4\), truth \(2, 4\)"):
        confusion_matrix(PREDICTED[:1], TRUTH, 3)
    with pytest.raises(ImageError, match=r"predicted: expected labels, \(H, W\) uint8, got \(2, 4\) int64"):
        confusion_matrix(PREDICTED.astype(np.int64), TRUTH, 3)
    with pytest.raises(ImageError, match=r"truth: expected labels, \(H, W\) uint8, got \(2, 4, 3\) uint8"):
        confusion_matrix(PREDICTED, np.dstack([TRUTH] * 3), 3)
    with pytest.raises(ConfigError, match=r"expected \(9, 10\) for the 9 classes of MFNet, got \(3, 4\)"):
        segmentation_scores(confusion_matrix(PREDICTED, TRUTH, 3), MFNET)
