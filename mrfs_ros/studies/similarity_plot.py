"""The similarities of many pairs as curves over the four blocks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mrfs_ros.errors import ImageError, needs_package
from mrfs_ros.studies.similarity import PairSimilarity
from mrfs_ros.studies.similarity_report import MEASURES, PLACES, values

_COLOURS = {"before": "#4a6fa5", "after": "#c0392b"}
_BLOCKS = (1, 2, 3, 4)
_ASIDE = {"before": -0.05, "after": 0.05}  # so that the pairs' points do not hide each other


def write_plot(path: Path, pairs: Sequence[PairSimilarity], title: str) -> None:
    """Write a PNG: for both measures the mean over ``pairs``, a point for each pair, chance dashed.

    MissingPackageError without matplotlib, ImageError when the file cannot be written.
    """
    with needs_package("similarity.png", "matplotlib", "plots"):
        from matplotlib.figure import Figure
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    figure.suptitle(title, fontsize=11, parse_math=False)  # a file's name may have a $
    for axis, (measure, name) in zip(figure.subplots(1, 2), MEASURES.items()):
        for place, where in PLACES.items():
            _draw(axis, pairs, place, measure, where)
        axis.set(title=f"{name} of rgb and thermal features", xlabel="block", xticks=_BLOCKS)
        axis.set_ylim(0 if measure == "cka" else -1, 1)
        axis.grid(alpha=0.3)
        axis.spines[["top", "right"]].set_visible(False)
    figure.legend(*figure.axes[0].get_legend_handles_labels(), frameon=False, loc="outside lower center", ncols=4)
    try:
        figure.savefig(path, dpi=100)
    except OSError as error:
        raise ImageError(
            f"{path}: cannot be written ({error.strerror}): free space or choose another folder"
        ) from error


def _draw(axis, pairs: Sequence[PairSimilarity], place: str, measure: str, where: str) -> None:
    found, colour = values(pairs, place, measure), _COLOURS[place]
    for pair in found:
        axis.plot([block + _ASIDE[place] for block in _BLOCKS], pair, ".", color=colour, alpha=0.25, markersize=5)
    axis.plot(_BLOCKS, found.mean(axis=0), "o-", color=colour, label=where)
    chance = values(pairs, place, f"{measure}_chance").mean(axis=0)
    axis.plot(_BLOCKS, chance, "--", color=colour, alpha=0.7, label=f"{where}, chance")
