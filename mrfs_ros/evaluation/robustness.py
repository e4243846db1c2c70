"""Scores of an engine on pairs with which something is wrong, against the labels and images of the good pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mrfs_ros.camera.gray import to_gray
from mrfs_ros.data.dataset import DatasetPair, PairDataset
from mrfs_ros.engine import Engine
from mrfs_ros.errors import ConfigError
from mrfs_ros.evaluation.disturbances import Disturbance
from mrfs_ros.evaluation.metrics import fusion_metrics
from mrfs_ros.evaluation.segmentation import confusion_matrix, segmentation_scores
from mrfs_ros.preprocess import PairImages
from mrfs_ros.process import process_pairs
from mrfs_ros.types import ClassSet


@dataclass(frozen=True)
class Robustness:
    """Scores under one disturbance.

    ``iou``: class to IoU, 0 to 1, NaN where a class is nowhere. ``miou``: mean over the classes that are labelled.
    ``metrics``: those of ``fusion_metrics``, against the good pair, the mean over the images.
    """

    disturbance: Disturbance
    miou: float
    iou: dict[str, float]
    metrics: dict[str, float]


def robustness(
    engine: Engine,
    datasets: Sequence[PairDataset],
    disturbances: Sequence[Disturbance],
    *,
    every: int = 1,
    progress: Callable[[Iterable], Iterable] = iter,
) -> list[Robustness]:
    """Run ``engine`` on every ``every``-th pair of ``datasets`` under each disturbance; all with the same pairs.

    ConfigError where there are none.
    """
    classes = engine.info.classes
    confusions = [np.zeros((len(classes), len(classes) + 1), np.int64) for _ in disturbances]
    metrics: list[list[dict[str, float]]] = [[] for _ in disturbances]
    pairs = [(dataset, i) for dataset in datasets for i in range(0, len(dataset), every)]
    if not pairs:
        raise ConfigError("no pairs to disturb: expected datasets with at least one")
    earlier: dict[tuple[int, ...], DatasetPair] = {}
    for index, (dataset, i) in enumerate(progress(pairs)):
        pair = dataset[i]
        other = earlier.get(pair.thermal.shape, pair)
        earlier[pair.thermal.shape] = pair
        visible = to_gray(pair.rgb)
        for number, disturbance in enumerate(disturbances):
            [(_, result)] = process_pairs(engine, [PairImages(*disturbance.apply(pair, other, index))])
            confusions[number] += confusion_matrix(result.labels, pair.label, len(classes))
            metrics[number].append(fusion_metrics(to_gray(result.fused), visible, pair.thermal))
    return [
        _scores(disturbance, confusion, found, classes)
        for disturbance, confusion, found in zip(disturbances, confusions, metrics)
    ]


def _scores(
    disturbance: Disturbance, confusion: np.ndarray, metrics: list[dict[str, float]], classes: ClassSet
) -> Robustness:
    scores = segmentation_scores(confusion, classes)
    iou = {name: float(value) for name, value in zip(classes.names, scores.iou)}
    means = {name: float(np.mean([found[name] for found in metrics])) for name in metrics[0]}
    return Robustness(disturbance, scores.mean_iou("defined"), iou, means)
