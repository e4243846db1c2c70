"""Methods of fusion on the same pairs, scored frame by frame (MRFS, supplement, section 5)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mrfs_ros.data.dataset import DatasetPair, PairDataset
from mrfs_ros.errors import ConfigError, ImageError
from mrfs_ros.evaluation.dataset_scores import Baseline, evaluated_gray
from mrfs_ros.evaluation.metrics import fusion_metrics, no_reference_metrics
from mrfs_ros.evaluation.score_report import ALIASES
from mrfs_ros.studies.classical_fusion import average, guided_fusion, laplacian_pyramid, maximum

KINDS = {
    "input": "one camera alone",
    "classical": "fusion without learning",
    "given": "outputs of other methods",
    "network": "MRFS",
}
"""What a method is, in the order of the tables."""


@dataclass(frozen=True)
class Method:
    """``fuse``: from a pair to (H, W) uint8 grey or (H, W, 3) uint8 RGB of its size. ``kind``: one of ``KINDS``."""

    name: str
    kind: str
    fuse: Callable[[DatasetPair], np.ndarray]


@dataclass(frozen=True)
class Frame:
    """One pair of a dataset, not read yet."""

    dataset: str
    name: str
    read: Callable[[], DatasetPair]


@dataclass(frozen=True)
class Comparison:
    """``values``: (methods, frames, metrics) float64, in the metrics' own units (``CONVENTIONS``)."""

    methods: Sequence[Method]
    frames: Sequence[Frame]
    metrics: Sequence[str]
    values: np.ndarray

    def of(self, metric: str) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation (population) over the frames, (methods,) float64 each."""
        values = self.values[:, :, self.metrics.index(metric)]
        with np.errstate(invalid="ignore"):  # PSNR is infinite where both inputs are equal
            return values.mean(axis=1), values.std(axis=1)


def inputs_alone() -> list[Method]:
    """Each input as if it were a fused image: what no fusion at all scores."""
    return [Method("rgb alone", "input", lambda pair: pair.rgb), Method("thermal alone", "input", lambda p: p.thermal)]


def classical_methods() -> list[Method]:
    """Fusion without learning, of the grey images."""
    baselines = {
        "average": average,
        "maximum": maximum,
        "Laplacian pyramid": laplacian_pyramid,
        "guided filter": guided_fusion,
    }
    return [Method(name, "classical", _on_grey(baseline)) for name, baseline in baselines.items()]


def frames_of(datasets: Mapping[str, PairDataset], every: int = 1) -> list[Frame]:
    """Every ``every``-th pair of each dataset."""
    return [
        Frame(name, dataset.files[i].name, lambda dataset=dataset, i=i: dataset[i])
        for name, dataset in datasets.items()
        for i in range(0, len(dataset), every)
    ]


def compare(
    methods: Sequence[Method],
    frames: Sequence[Frame],
    *,
    quick: bool = False,
    watch: Callable[[DatasetPair, list[np.ndarray]], None] | None = None,
    progress: Callable[[Iterable], Iterable] = iter,
) -> Comparison:
    """Fuse every frame with every method, and score the grey images.

    ``quick``: EN, SD, SF, AG alone, which need no sources. ``watch``: is shown every pair with the methods' images.
    ``progress``: wraps the frames, such as tqdm. ConfigError for two methods of one name; what the methods raise.
    """
    for name, count in Counter(method.name for method in methods).items():
        if count > 1:
            raise ConfigError(f"{count} methods are named {name!r}: expected a name of its own for each")
    rows = []
    for frame in progress(frames):
        pair = frame.read()
        images = [method.fuse(pair) for method in methods]
        rows.append([_scores(image, pair, quick) for image in images])
        if watch:
            watch(pair, images)
    metrics = tuple(name for name in rows[0][0] if name not in ALIASES)
    values = np.array([[[scores[m] for m in metrics] for scores in row] for row in rows])
    return Comparison(methods, frames, metrics, values.swapaxes(0, 1))


def _on_grey(baseline: Baseline) -> Callable[[DatasetPair], np.ndarray]:
    return lambda pair: baseline(evaluated_gray(pair.rgb), pair.thermal)


def _scores(image: np.ndarray, pair: DatasetPair, quick: bool) -> dict[str, float]:
    if quick:
        return no_reference_metrics(evaluated_gray(image))
    try:
        return fusion_metrics(evaluated_gray(image), evaluated_gray(pair.rgb), pair.thermal)
    except ImageError as error:
        raise ImageError(f"{pair.name}: {error}; quick scores smaller ones") from error
