"""A comparison of fusion methods written down: Markdown for people, JSON for programs, CSV with every frame."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mrfs_ros.evaluation.metrics import CONVENTIONS, NO_REFERENCE
from mrfs_ros.evaluation.score_report import finite, table
from mrfs_ros.files import write_csv, write_text
from mrfs_ros.studies.generalization import Comparison


def write_generalization(comparison: Comparison, folder: Path, facts: dict[str, str]) -> None:
    """Write scores.md, frames.csv and, whole and last, scores.json to ``folder``; ``facts``: what was compared."""
    write_text(folder / "scores.md", markdown(comparison, facts))
    write_csv(folder / "frames.csv", _frame_rows(comparison))
    write_text(folder / "scores.json", json.dumps(as_json(comparison, facts), indent=1, allow_nan=False) + "\n")


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


def _frame_rows(comparison: Comparison) -> Iterator[list]:
    yield ["dataset", "frame", "method", *comparison.metrics]
    for number, frame in enumerate(comparison.frames):
        for method, values in zip(comparison.methods, comparison.values[:, number]):
            yield [frame.dataset, frame.name, method.name, *(f"{value:.6g}" for value in values)]
