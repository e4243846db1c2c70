"""The scores of an ablation as one table: means over seeds with their spread, costs beside them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mrfs_ros.errors import ConfigError
from mrfs_ros.evaluation.metrics import CONVENTIONS
from mrfs_ros.evaluation.score_report import ALIASES, table
from mrfs_ros.files import write_text
from mrfs_ros.network.cost import Cost
from mrfs_ros.studies.ablation import SCORES, Run
from mrfs_ros.studies.ablation_variants import FULL, Change

MEAN = "mIoU"
AGAINST = f"{MEAN} - {FULL}'s"
NOTES = (
    "- Numbers are means over the seeds, ± their sample standard deviation where there are two or more: differences "
    "smaller than that say nothing.",
    f"- {MEAN}: mean IoU [%] of the classes that the scored labels contain, background among them; IoU by class [%].",
    f"- {AGAINST}: the difference at equal seeds, which share their crops and what they begin with.",
    "- Multiply-adds [G] of one 480x640 pair, as the paper's graph computes it; parameters in millions.",
)


@dataclass(frozen=True)
class Scored:
    """A variant's scores: name -> one value for each seed; IoUs in percent, fusion metrics in their own units."""

    variant: str
    seeds: tuple[int, ...]
    values: dict[str, list[float]]

    def against(self, other: Scored, name: str) -> list[float]:
        """This variant's values less ``other``'s, at the seeds that both have."""
        others = dict(zip(other.seeds, other.values[name]))
        return [value - others[seed] for seed, value in zip(self.seeds, self.values[name]) if seed in others]


def scored(runs: Iterable[Run]) -> list[Scored]:
    """The scores of all runs that are done, by variant, in the order of ``runs``; what every run has.

    ConfigError when one cannot be read, or was scored on other frames or labels than the first.
    """
    read = [(run, run.scores()) for run in runs if run.done]
    done = [(run, _values(scores)) for run, scores in read]
    names = [name for name in done[0][1] if all(name in values for _, values in done)] if done else []
    for run, scores in read:
        first, others = read[0]
        if _scored_on(scores) != _scored_on(others):
            raise ConfigError(
                f"{run.folder / SCORES}: was scored on other frames or labels than {first.folder}: val has changed: "
                "delete the older scores.json, and that run is scored again"
            )
    found: dict[str, list[tuple[Run, dict[str, float]]]] = {}
    for run, values in done:
        found.setdefault(run.variant, []).append((run, values))
    return [
        Scored(variant, tuple(run.seed for run, _ in seeds), {name: [v[name] for _, v in seeds] for name in names})
        for variant, seeds in found.items()
    ]


def write_table(
    out: Path, results: Sequence[Scored], changes: dict[str, Change], costs: dict[str, Cost], facts: dict[str, str]
) -> str:
    """Write ablation.md and ablation.json to ``out``; returns the Markdown. ``facts``: budget, data and such."""
    text = markdown(results, changes, costs, facts)
    write_text(out / "ablation.md", text)
    content = {
        "facts": facts,
        "variants": {
            result.variant: {
                "change": changes[result.variant].text,
                "parameters": costs[result.variant].parameters,
                "multiply_adds": costs[result.variant].multiply_adds,
                "seeds": result.seeds,
                "scores": result.values,
            }
            for result in results
        },
    }
    write_text(out / "ablation.json", json.dumps(content, indent=1) + "\n")
    return text


def markdown(
    results: Sequence[Scored], changes: dict[str, Change], costs: dict[str, Cost], facts: dict[str, str]
) -> str:
    """What the study is, a table of segmentation and cost, one of fusion, and what the numbers mean."""
    full = next((result for result in results if result.variant == FULL), None)
    ious = [name for name in results[0].values if name not in CONVENTIONS]
    metrics = [name for name in results[0].values if name in CONVENTIONS]
    segmentation = [
        [
            result.variant,
            changes[result.variant].text,
            f"{costs[result.variant].parameters / 1e6:.2f}",
            f"{costs[result.variant].multiply_adds / 1e9:.1f}",
            *(shown(result.values[name], 1) for name in ious[:1]),
            *(shown(result.against(full, name), 1, "+") for name in ious[:1] if full),
            *(shown(result.values[name], 1) for name in ious[1:]),
        ]
        for result in results
    ]
    columns = [*ious[:1], *([AGAINST] if full and ious else []), *ious[1:]]
    fusion = [[result.variant, *(shown(result.values[name]) for name in metrics)] for result in results]
    parts = [
        "# Ablation",
        table(["what", "value"], [[name, value] for name, value in facts.items()]),
        "## Segmentation and cost",
        table(["variant", "change", "parameters, M", "multiply-adds, G", *columns], segmentation),
        "## Fused image",
        table(["variant", *metrics], fusion),
        "\n".join((*NOTES, *(f"- {metric}: {CONVENTIONS[metric]}" for metric in metrics))),
    ]
    return "\n\n".join(parts) + "\n"


def _values(everything: dict[str, Any]) -> dict[str, float]:
    """Scores of all frames by name; classes without a labelled pixel are left out, undefined metrics too."""
    values: dict[str, float] = {}
    if present := _labelled(everything):
        ious = {name: 100 * everything["segmentation"]["IoU"][name] for name in present}
        values = {MEAN: float(np.mean(list(ious.values()))), **ious}
    fused = everything["fusion"]["fused"]
    return values | {name: fused[name] for name in CONVENTIONS if name not in ALIASES and fused[name] is not None}


def _labelled(everything: dict[str, Any]) -> list[str]:
    """The classes that the scored labels contain."""
    recalls = everything.get("segmentation", {}).get("recall", {})
    return [name for name, recall in recalls.items() if recall is not None]


def _scored_on(everything: dict[str, Any]) -> tuple[int, list[str]]:
    """The number of frames, and the classes that they contain."""
    return everything.get("frames", 0), _labelled(everything)


def shown(values: Sequence[float], digits: int | None = None, sign: str = "") -> str:
    """Mean ± sample standard deviation with ``digits`` behind the point, None = so that the mean has three in all.

    A single value has no deviation; no value is a dash.
    """
    if not values:
        return "-"
    mean = float(np.mean(values))
    if digits is None:
        digits = max(0, 2 - math.floor(math.log10(abs(mean)))) if mean else 2
    text = f"{mean:{sign}.{digits}f}"
    return text if len(values) == 1 else f"{text} ± {np.std(values, ddof=1):.{digits}f}"
