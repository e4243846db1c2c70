"""Segmentation scores from a confusion matrix, averaged under rules that have names."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mrfs_ros.errors import ConfigError, ImageError
from mrfs_ros.types import FMB, UNLABELLED, ClassSet


@dataclass(frozen=True)
class AveragingRule:
    """Which classes a mean IoU counts; ``only_for`` is the class set that a rule was published with, if any."""

    explanation: str
    left_out: tuple[int, ...] = ()
    undefined_is_zero: bool = False
    only_for: ClassSet | None = None


_BICYCLE = FMB.names.index("bicycle")
RULES = {
    "defined": AveragingRule("all classes with background; undefined left out (released MRFS; MFNet, PST900 tables)"),
    "foreground": AveragingRule("all classes but background; undefined left out", left_out=(0,)),
    "fmb15": AveragingRule("FMB: 15 classes with background; undefined left out", only_for=FMB),
    "fmb14": AveragingRule(
        "FMB: 14 classes, no background; undefined counted 0, as bicycle is in the test split",
        left_out=(0,),
        undefined_is_zero=True,
        only_for=FMB,
    ),
    "fmb13": AveragingRule(
        "FMB: 13 classes, no background, no bicycle; undefined left out", left_out=(0, _BICYCLE), only_for=FMB
    ),
}
"""Averaging rules by name: the same output differs by points between them, so print the rule beside the number."""


def rules_for(class_set: ClassSet) -> list[str]:
    """Names of the averaging rules that make sense for ``class_set``."""
    return [name for name, rule in RULES.items() if rule.only_for is None or rule.only_for.names == class_set.names]


def confusion_matrix(predicted: np.ndarray, truth: np.ndarray, classes: int) -> np.ndarray:
    """Confusion matrix of one image; matrices of several images add up to that of the whole set.

    Args:
        predicted: (H, W) uint8 class ids, 255 = no class.
        truth: (H, W) uint8 class ids; pixels with 255 are ignored.
        classes: how many there are.

    Returns:
        (classes, classes + 1) int64: row = true class, column = predicted class. The last column counts pixels
        predicted as 255: a miss of the true class and nobody's false alarm.

    Raises:
        ImageError: an array has another type or size, or an id that is none of the classes.

    Example:
        >>> truth, predicted = np.uint8([[0, 0, 1, 255]]), np.uint8([[0, 1, 1, 1]])
        >>> confusion_matrix(predicted, truth, 2).tolist()
        [[1, 1, 0], [0, 1, 0]]
    """
    for name, labels in (("predicted", predicted), ("truth", truth)):
        if labels.dtype != np.uint8 or labels.ndim != 2:
            raise ImageError(f"{name}: expected labels, (H, W) uint8, got {labels.shape} {labels.dtype}")
        unknown = np.unique(labels[(labels >= classes) & (labels != UNLABELLED)])
        if unknown.size:
            raise ImageError(
                f"{name}: expected class ids 0 to {classes - 1} or {UNLABELLED}, got {', '.join(map(str, unknown))}; "
                "choose the class set that the labels were made with"
            )
    if predicted.shape != truth.shape:
        raise ImageError(f"expected labels of one size (H, W), got predicted {predicted.shape}, truth {truth.shape}")
    counted = truth != UNLABELLED
    cell = truth[counted].astype(np.int64) * (classes + 1) + np.minimum(predicted[counted], classes)
    return np.bincount(cell, minlength=classes * (classes + 1)).reshape(classes, classes + 1)


@dataclass(frozen=True)
class SegmentationScores:
    """Scores of a whole set of images, as shares of 1; NaN where a score is undefined.

    ``iou``: per class, undefined where no pixel is of the class, neither in truth nor predicted. ``recall``: per class,
    also called class accuracy, undefined where the truth has no such pixel. ``mean_accuracy``: mean of the defined
    recalls. ``pixel_accuracy``: share of the labelled pixels.
    """

    class_set: ClassSet
    iou: tuple[float, ...]
    recall: tuple[float, ...]
    mean_accuracy: float
    pixel_accuracy: float

    def mean_iou(self, rule: str) -> float:
        """mIoU under one of ``RULES``; NaN where the rule finds no class to count."""
        if rule not in rules_for(self.class_set):
            raise ConfigError(
                f"averaging rule {rule!r}: expected one of {', '.join(rules_for(self.class_set))} "
                f"for the classes of {self.class_set.name}"
            )
        ious = np.delete(np.asarray(self.iou), RULES[rule].left_out)
        if RULES[rule].undefined_is_zero:
            ious = np.nan_to_num(ious, nan=0.0)
        return _mean_of_defined(ious)

    def mean_ious(self) -> dict[str, float]:
        """mIoU under every rule that fits the class set."""
        return {rule: self.mean_iou(rule) for rule in rules_for(self.class_set)}

    def __str__(self) -> str:
        """A table in percent: each class, then each rule with its explanation; '-' where undefined."""
        width = max(map(len, (*self.class_set.names, "mIoU foreground")))
        rows = [f"{'class':<{width}} {'IoU %':>7} {'recall %':>9}"]
        for name, iou, recall in zip(self.class_set.names, self.iou, self.recall):
            rows.append(f"{name:<{width}} {_percent(iou):>7} {_percent(recall):>9}")
        rows.append(f"{'mean accuracy':<{width}} {'':>7} {_percent(self.mean_accuracy):>9}")
        rows.append(f"{'pixel accuracy':<{width}} {'':>7} {_percent(self.pixel_accuracy):>9}")
        for rule, value in self.mean_ious().items():
            rows.append(f"{'mIoU ' + rule:<{width}} {_percent(value):>7}  {RULES[rule].explanation}")
        return "\n".join(rows)


def segmentation_scores(confusion: np.ndarray, class_set: ClassSet) -> SegmentationScores:
    """IoU, recall and accuracies of counted pixels: ``IoU_c = TP_c / (TP_c + FP_c + FN_c)``.

    Args:
        confusion: (classes, classes + 1), a sum of ``confusion_matrix`` results.
        class_set: its classes.

    Returns:
        Shares of 1, NaN where undefined: recall ``TP / (TP + FN)``, pixel accuracy ``sum TP / labelled pixels``, mIoU
        by averaging rule (Everingham et al. 2010; Long, Shelhamer, Darrell 2015).

    Raises:
        ConfigError: the matrix has another shape.

    Example:
        >>> from mrfs_ros.types import class_set_for_count
        >>> scores = segmentation_scores(np.array([[1, 1, 0], [0, 1, 0]]), class_set_for_count(2))
        >>> scores.iou, scores.mean_iou("defined")
        ((0.5, 0.5), 0.5)
    """
    classes = len(class_set)
    if confusion.shape != (classes, classes + 1):
        raise ConfigError(
            f"confusion matrix: expected {(classes, classes + 1)} for the {classes} classes of {class_set.name}, "
            f"got {confusion.shape}"
        )
    hits = np.diagonal(confusion)
    in_truth, in_prediction = confusion.sum(axis=1), confusion.sum(axis=0)[:classes]
    recall = _share(hits, in_truth)
    return SegmentationScores(
        class_set=class_set,
        iou=tuple(_share(hits, in_truth + in_prediction - hits).tolist()),
        recall=tuple(recall.tolist()),
        mean_accuracy=_mean_of_defined(recall),
        pixel_accuracy=float(_share(hits.sum(), confusion.sum())),
    )


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0)


def _mean_of_defined(values: np.ndarray) -> float:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else float("nan")


def _percent(share: float) -> str:
    return "-" if np.isnan(share) else f"{100 * share:.2f}"
