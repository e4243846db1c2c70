"""Evaluation of an engine on datasets: scores of every frame, and of the day, the night and the whole."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from mrfs_ros.data.dataset import DatasetPair, PairDataset
from mrfs_ros.engine import Engine
from mrfs_ros.errors import ImageError
from mrfs_ros.evaluation.metrics import fusion_metrics
from mrfs_ros.evaluation.segmentation import SegmentationScores, confusion_matrix
from mrfs_ros.evaluation.segmentation import segmentation_scores as scores_of_pixels
from mrfs_ros.label_groups import LabelGroups
from mrfs_ros.preprocess import PairImages
from mrfs_ros.process import process_pairs
from mrfs_ros.types import ClassSet, FusionResult

NIGHT_GRAY = 56
"""Mean grey of rgb below which a frame whose name does not tell is night: the best cut between MSRS's D and N."""

Watch = Callable[[DatasetPair, FusionResult], None]
Baseline = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From the visible and the thermal image to a fused one, all (H, W) uint8 grey."""


@dataclass(frozen=True)
class FrameScores:
    """Scores of one frame; ``fusion``: method ("fused" or a baseline) -> metric -> value."""

    dataset: str
    name: str
    night: bool
    seconds: float
    confusion: np.ndarray
    fusion: dict[str, dict[str, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Evaluation:
    """Frames with their scores, and means over groups of them."""

    classes: ClassSet
    frames: list[FrameScores]

    def groups(self) -> dict[str, list[FrameScores]]:
        """All frames, day, night, and each dataset if there are several; empty groups are left out."""
        groups = {
            "all": self.frames,
            "day": [frame for frame in self.frames if not frame.night],
            "night": [frame for frame in self.frames if frame.night],
        }
        names = dict.fromkeys(frame.dataset for frame in self.frames)
        if len(names) > 1:
            groups |= {name: [frame for frame in self.frames if frame.dataset == name] for name in names}
        return {name: frames for name, frames in groups.items() if frames}

    def segmentation(self, frames: Sequence[FrameScores]) -> SegmentationScores | None:
        """Scores of the pixels of ``frames`` together; None when none is labelled."""
        confusion = sum(frame.confusion for frame in frames)
        return scores_of_pixels(confusion, self.classes) if confusion.any() else None

    def fusion(self, frames: Sequence[FrameScores]) -> dict[str, dict[str, float]]:
        """Method -> metric -> mean over ``frames``."""
        return {
            method: {metric: float(np.mean([f.fusion[method][metric] for f in frames])) for metric in metrics}
            for method, metrics in frames[0].fusion.items()
        }


def evaluate(
    engine: Engine,
    datasets: dict[str, PairDataset],
    *,
    fusion: bool = True,
    baselines: Mapping[str, Baseline] | None = None,
    stretch: bool = False,
    label_groups: LabelGroups | None = None,
    watch: Watch | None = None,
    progress: Callable[[Iterable], Iterable] = iter,
) -> Evaluation:
    """Scores of an engine's labels and fused images on datasets.

    Args:
        engine: of ``load_engine``, or one of your own.
        datasets: name -> dataset.
        fusion: score the fused images too.
        baselines: and those of these methods, by name.
        stretch: fused images are stretched to their own minimum and maximum first, as the released evaluation does.
        label_groups: those of ``engine``, by which the datasets' labels are joined too; None = it has none.
        watch: is called with every pair and its result.
        progress: wraps the pairs, such as tqdm.

    Returns:
        Every frame with its confusion matrix and metrics.

    Raises:
        ImageError: a file of the datasets is damaged or does not fit the classes.
    """
    pairs = [(name, dataset, i) for name, dataset in datasets.items() for i in range(len(dataset))]
    frames = []
    for name, dataset, i in progress(pairs):
        pair = dataset[i]
        if label_groups is not None:
            pair = replace(pair, label=label_groups.table[pair.label])
        start = time.perf_counter()
        [(_, result)] = process_pairs(engine, [PairImages(pair.rgb, pair.thermal, seen=pair.valid)])
        seconds = time.perf_counter() - start
        confusion = confusion_matrix(result.labels, pair.label, len(engine.info.classes))
        scores = _fusion_scores(pair, result, baselines or {}, stretch) if fusion else {}
        frames.append(FrameScores(name, pair.name, is_night(pair), seconds, confusion, scores))
        if watch:
            watch(pair, result)
    return Evaluation(engine.info.classes, frames)


def validation_scores(engine: Engine, datasets: Sequence[PairDataset]) -> dict[str, float]:
    """mIoU (rule "defined") and IoU/CLASS over all ``datasets``, each counting alike however many frames it has.

    The confusion matrix of each dataset is divided by its labelled pixels before they are added; classes without a
    pixel are left out.
    """
    named = {str(number): dataset for number, dataset in enumerate(datasets)}
    frames = evaluate(engine, named, fusion=False).frames
    confusions = [sum(frame.confusion for frame in frames if frame.dataset == name) for name in named]
    shares = [confusion / confusion.sum() for confusion in confusions if np.any(confusion)]
    if not shares:
        return {}
    scores = scores_of_pixels(sum(shares), engine.info.classes)
    ious = {f"IoU/{name}": iou for name, iou in zip(engine.info.classes.names, scores.iou) if not np.isnan(iou)}
    return {"mIoU": scores.mean_iou("defined"), **ious}


def is_night(pair: DatasetPair) -> bool:
    """By the last letter of an MFNet or MSRS name (00123D, 00123N), otherwise by the mean grey of rgb."""
    stem, letter = pair.name[:-1], pair.name[-1]
    if stem.isdigit() and letter in "DN":
        return letter == "N"
    return float(evaluated_gray(pair.rgb).mean()) < NIGHT_GRAY


def stretched(fused: np.ndarray) -> np.ndarray:
    """``fused`` ((H, W, 3) uint8) with its darkest value at 0 and its brightest at 255: higher EN, SD and AG."""
    low, high = int(fused.min()), int(fused.max())
    if low == high:
        return fused
    return np.round((fused.astype(np.float32) - low) * (255 / (high - low))).astype(np.uint8)


def evaluated_gray(image: np.ndarray) -> np.ndarray:
    """(H, W) uint8 of (H, W, 3) uint8 RGB; grey comes back as it is.

    OpenCV's grey, as the field's evaluators read it: to_gray differs by one level at one pixel in 300,000.
    """
    return image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)


def _fusion_scores(
    pair: DatasetPair, result: FusionResult, baselines: Mapping[str, Baseline], stretch: bool
) -> dict[str, dict[str, float]]:
    visible, thermal = evaluated_gray(pair.rgb), pair.thermal
    images = {"fused": evaluated_gray(stretched(result.fused) if stretch else result.fused)}
    images |= {name: baseline(visible, thermal) for name, baseline in baselines.items()}
    try:
        return {method: fusion_metrics(image, visible, thermal) for method, image in images.items()}
    except ImageError as error:
        raise ImageError(f"{pair.name}: {error}") from error
