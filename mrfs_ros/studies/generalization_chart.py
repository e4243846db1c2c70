"""EN and SD of fusion methods as bars, in the manner of the paper's figure 5."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mrfs_ros.errors import needs_package
from mrfs_ros.studies.generalization import KINDS, Comparison

_COLOURS = {"input": "#d9d9d9", "classical": "#8c96a3", "given": "#5b8db8", "network": "#d9541e"}
_PANELS = {"EN": "EN: entropy [bits]", "SD": "SD: standard deviation [grey levels]"}


def check_matplotlib() -> Any:
    """matplotlib's Figure; MissingPackageError with the line that installs it."""
    with needs_package("the chart", "matplotlib", "plots"):
        from matplotlib.figure import Figure
    return Figure


def write_chart(comparison: Comparison, path: Path, data: str) -> None:
    """Write a PNG: a bar a method, as long as the mean over frames, its line the standard deviation over frames.

    ``data``: what the frames are, for the title. MissingPackageError without matplotlib.
    """
    methods = comparison.methods
    places = range(len(methods))
    figure = check_matplotlib()(figsize=(11, 1.9 + 0.4 * len(methods)), layout="constrained")
    for axis, (metric, label) in zip(figure.subplots(1, 2, sharey=True), _PANELS.items()):
        means, spreads = comparison.of(metric)
        colours = [_COLOURS[method.kind] for method in methods]
        axis.barh(places, means, xerr=spreads, color=colours, height=0.72, ecolor="#333333", capsize=3)
        room = 0.02 * max(means + spreads)
        for place, mean, spread, method in zip(places, means, spreads, methods):
            weight = "bold" if method.kind == "network" else "normal"
            axis.text(mean + spread + room, place, f"{mean:.2f}", va="center", fontweight=weight)
        axis.set_title(label, fontsize=12)
        axis.set_xlim(0, 1.15 * max(means + spreads))
        axis.grid(axis="x", alpha=0.3)
        axis.set_axisbelow(True)
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(axis="y", length=0)
        axis.set_yticks(places, [method.name for method in methods])
    axis.invert_yaxis()  # shared: the first method on top in both
    for tick, method in zip(figure.axes[0].get_yticklabels(), methods):
        tick.set_parse_math(False)
        tick.set_fontweight("bold" if method.kind == "network" else "normal")
    kinds = dict.fromkeys(method.kind for method in methods)
    bars = [figure.axes[0].barh(0, 0, color=_COLOURS[kind], label=KINDS[kind]) for kind in kinds]
    figure.legend(handles=bars, loc="outside lower center", ncols=len(bars), frameon=False)
    title = f"Fused images of {data}: mean and standard deviation over {len(comparison.frames)} frames"
    figure.suptitle(title, parse_math=False)  # a folder's name may have a $
    figure.savefig(path, dpi=100)
