"""A comparison of fusion methods written down: Markdown for people, JSON for programs, CSV with every frame."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from mrfs_ros.evaluation.metrics import CONVENTIONS, NO_REFERENCE
from mrfs_ros.evaluation.score_report import finite, table
from mrfs_ros.files import atomic
from mrfs_ros.studies.generalization import Comparison


def write_generalization(comparison: Comparison, folder: Path, facts: dict[str, str]) -> None:
    """Write scores.md, frames.csv and, whole and last, scores.json to ``folder``; ``facts``: what was compared."""
    (folder / "scores.md").write_text(markdown(comparison, facts), encoding="utf-8")
    _write_frames(comparison, folder / "frames.csv")
    content = json.dumps(as_json(comparison, facts), indent=1, allow_nan=False)
    with atomic(folder / "scores.json") as unfinished:
        unfinished.write_text(content + "\n", encoding="utf-8")


def markdown(comparison: Comparison, facts: dict[str, str]) -> str:
    """What needs no sources with its spread over frames, what needs them without, and what the metrics mean."""
    parts = [
        "# Generalization",
        table(["what", "value"], [[name, value] for name, value in facts.items()]),
        f"Mean ± standard deviation over {len(comparison.frames)} frames, of the fused grey image alone. "
        "Noise and too much contrast raise these as well as information does.",
        _no_reference(comparison),
    ]
    if others := [metric for metric in comparison.metrics if metric not in NO_REFERENCE]:
        head = "Means over frames, against the visible image V and the thermal image T; higher is better unless said."
        parts += [head, _means(comparison, others)]
    parts.append("\n".join(f"- {metric}: {CONVENTIONS[metric]}" for metric in comparison.metrics))
    return "\n\n".join(parts) + "\n"


def as_json(comparison: Comparison, facts: dict[str, str]) -> dict[str, Any]:
    """Everything as plain types; infinite values are None."""
    statistics = {metric: comparison.of(metric) for metric in comparison.metrics}
    methods = {
        method.name: {
            "kind": method.kind,
            "mean": {metric: float(mean[i]) for metric, (mean, _) in statistics.items()},
            "standard_deviation": {metric: float(spread[i]) for metric, (_, spread) in statistics.items()},
        }
        for i, method in enumerate(comparison.methods)
    }
    return finite({"facts": facts, "frames": len(comparison.frames), "methods": methods})


def _no_reference(comparison: Comparison) -> str:
    rows = [[method.name] for method in comparison.methods]
    for metric in NO_REFERENCE:
        for row, mean, spread in zip(rows, *comparison.of(metric)):
            row.append(f"{mean:.2f} ± {spread:.2f}" if len(comparison.frames) > 1 else f"{mean:.2f}")
    return table(["method", *NO_REFERENCE], rows)


def _means(comparison: Comparison, metrics: list[str]) -> str:
    means = [comparison.of(metric)[0] for metric in metrics]
    rows = [[method.name, *(f"{m[i]:.4g}" for m in means)] for i, method in enumerate(comparison.methods)]
    return table(["method", *metrics], rows)


def _write_frames(comparison: Comparison, path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["dataset", "frame", "method", *comparison.metrics])
        for number, frame in enumerate(comparison.frames):
            for method, values in zip(comparison.methods, comparison.values[:, number]):
                writer.writerow([frame.dataset, frame.name, method.name, *(f"{value:.6g}" for value in values)])
