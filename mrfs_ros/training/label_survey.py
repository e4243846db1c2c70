"""Survey of the labels that a run learns from: pixels of each class and objects to copy, in one pass over the files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from mrfs_ros.data.dataset import PairDataset
from mrfs_ros.training.copied_objects import ObjectPlace, object_places


@dataclass(frozen=True)
class LabelSurvey:
    """``pixels``: (256,) int64, of each label id. ``objects``: where there is one, in the order of the datasets."""

    pixels: np.ndarray
    objects: list[ObjectPlace]


def survey(
    datasets: Sequence[PairDataset], *, objects: bool = False, progress: Callable[..., Iterable] = iter
) -> LabelSurvey:
    """Read every pair once, and so check it.

    Args:
        datasets: of pairs, or of rgb frames whose thermal is simulated.
        objects: look for objects to copy, too.
        progress: wraps the pairs, such as tqdm.

    Raises:
        ImageError: for the first pair that cannot be read.
    """

    def read(place: tuple[int, int]) -> tuple[np.ndarray, list[ObjectPlace]]:
        number, index = place
        pair = datasets[number][index]
        found = object_places(number, index, pair) if objects else []
        return np.bincount(pair.label.ravel(), minlength=256), found

    places = [(number, index) for number, dataset in enumerate(datasets) for index in range(len(dataset))]
    pixels, all_objects = np.zeros(256, np.int64), []
    with ThreadPoolExecutor(os.cpu_count()) as readers:
        try:
            for counts, found in progress(readers.map(read, places)):
                pixels += counts
                all_objects += found
        except BaseException:
            readers.shutdown(cancel_futures=True)  # the first damaged file ends it, not the last
            raise
    return LabelSurvey(pixels, all_objects)
