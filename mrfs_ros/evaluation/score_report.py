"""An evaluation written down: Markdown for people, JSON for programs, CSV with every frame."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mrfs_ros.evaluation.dataset_scores import Evaluation
from mrfs_ros.evaluation.metrics import CONVENTIONS
from mrfs_ros.evaluation.segmentation import RULES
from mrfs_ros.files import write_csv, write_text

_NUMBER = re.compile(r"[-+]?(\d[\d.e+-]*|inf)?( ± \S+)?$")  # a dash alone: undefined
ALIASES = ("MI_nats", "SSIM_sum")  # other names of MI and SSIM, for programs alone


def write_report(evaluation: Evaluation, folder: Path, facts: dict[str, str]) -> None:
    """Write scores.md, frames.csv and, whole and last, scores.json to ``folder``.

    ``facts``: what was evaluated, and how.
    """
    write_text(folder / "scores.md", markdown(evaluation, facts))
    write_csv(folder / "frames.csv", _frame_rows(evaluation))
    write_text(folder / "scores.json", json.dumps(as_json(evaluation, facts), indent=1, allow_nan=False) + "\n")


def as_json(evaluation: Evaluation, facts: dict[str, str]) -> dict[str, Any]:
    """Everything as plain types; undefined scores are None."""
    content: dict[str, Any] = {"facts": facts, "groups": {}}
    for group, frames in evaluation.groups().items():
        entry: dict[str, Any] = {"frames": len(frames), "fusion": evaluation.fusion(frames)}
        if scores := evaluation.segmentation(frames):
            names = evaluation.classes.names
            entry["segmentation"] = {
                "mIoU": scores.mean_ious(),
                "IoU": dict(zip(names, scores.iou)),
                "recall": dict(zip(names, scores.recall)),
                "mean_accuracy": scores.mean_accuracy,
                "pixel_accuracy": scores.pixel_accuracy,
            }
        content["groups"][group] = entry
    return finite(content)


def markdown(evaluation: Evaluation, facts: dict[str, str]) -> str:
    """The scores as Markdown tables, each number's rule or convention beside it."""
    parts = ["# Scores", _facts(facts)]
    if evaluation.segmentation(evaluation.frames):
        parts += ["## Segmentation", _segmentation(evaluation)]
    if evaluation.frames[0].fusion:
        parts += ["## Fusion", _fusion(evaluation)]
    return "\n\n".join(parts) + "\n"


def _facts(facts: dict[str, str]) -> str:
    return table(["what", "value"], [[name, value] for name, value in facts.items()])


def _segmentation(evaluation: Evaluation) -> str:
    groups = evaluation.groups()
    scores = {name: s for name, frames in groups.items() if (s := evaluation.segmentation(frames))}
    header = ["IoU, %", *(f"{name} ({len(groups[name])} frames)" for name in scores)]
    rows = [[name, *(_percent(s.iou[i]) for s in scores.values())] for i, name in enumerate(evaluation.classes.names)]
    rules = scores["all"].mean_ious()
    rows += [[f"mIoU, {rule}", *(_percent(s.mean_iou(rule)) for s in scores.values())] for rule in rules]
    rows.append(["pixel accuracy", *(_percent(s.pixel_accuracy) for s in scores.values())])
    rows.append(["mean accuracy", *(_percent(s.mean_accuracy) for s in scores.values())])
    notes = [f"- mIoU, {rule}: {RULES[rule].explanation}" for rule in rules]
    notes.append("- A dash: no pixel of the class, neither labelled nor predicted.")
    return table(header, rows) + "\n\n" + "\n".join(notes)


def _fusion(evaluation: Evaluation) -> str:
    metrics = [name for name in CONVENTIONS if name not in ALIASES]
    rows = []
    for group, frames in evaluation.groups().items():
        for method, values in evaluation.fusion(frames).items():
            rows.append([f"{group}: {method}", *(f"{values[metric]:.4g}" for metric in metrics)])
    notes = [f"- {metric}: {CONVENTIONS[metric]}" for metric in metrics]
    head = "Means over frames of the grey image F against visible V and thermal T; higher is better unless said."
    return "\n\n".join((head, table(["group: method", *metrics], rows), "\n".join(notes)))


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table; columns of numbers stand to the right, and a ``|`` in a cell stays in it."""
    numbers = [all(_NUMBER.match(cell) for cell in column) for column in zip(*rows)]
    lines = [header, ["---:" if right else "---" for right in numbers], *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _percent(share: float) -> str:
    return "-" if np.isnan(share) else f"{100 * share:.1f}"


def finite(value: Any) -> Any:
    """``value`` with None for what JSON cannot say."""
    if isinstance(value, dict):
        return {key: finite(entry) for key, entry in value.items()}
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _frame_rows(evaluation: Evaluation) -> Iterator[list]:
    methods = evaluation.frames[0].fusion
    metrics = [f"{method} {metric}" for method in methods for metric in CONVENTIONS if metric not in ALIASES]
    names = evaluation.classes.names
    yield ["dataset", "frame", "night", "seconds", *(f"IoU {name}" for name in names), *metrics]
    for frame in evaluation.frames:
        scores = evaluation.segmentation([frame])
        ious = scores.iou if scores else [float("nan")] * len(names)
        values = [frame.fusion[m][k] for m in methods for k in CONVENTIONS if k not in ALIASES]
        cells = ["" if np.isnan(value) else f"{value:.6g}" for value in (*ious, *values)]
        yield [frame.dataset, frame.name, int(frame.night), f"{frame.seconds:.3f}", *cells]
