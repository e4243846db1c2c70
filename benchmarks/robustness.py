"""What misaligned, noisy, frozen and missing images cost: ``benchmarks/robustness.py NAME=WEIGHTS ... --out FOLDER``.

Every model sees the same pairs of the val lists in shared/data, beside the project. Writes robustness.json, and a
picture of curves and bars. Two models that were trained alike but for the augmentation, as compared in
docs/robustness.md:

    mrfs train benchmarks/robust_with.yaml --out runs/robust_with
    mrfs train benchmarks/robust_without.yaml --out runs/robust_without
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import matplotlib

matplotlib.use("agg")
import matplotlib.pyplot as plt
from tqdm import tqdm

from mrfs_ros import load_engine
from mrfs_ros.data.dataset import DatasetConfig, PairDataset
from mrfs_ros.evaluation.disturbances import disturbances
from mrfs_ros.evaluation.robustness import Robustness, robustness

ROOT = Path(__file__).resolve().parent.parent
METRICS = ("Qabf", "VIF")
COLOURS = ("#4a6fa5", "#c0392b", "#2e8b57", "#8e5ea2")


def measured(weights: str, every: int, datasets: list[str]) -> list[Robustness]:
    engine = load_engine(weights)
    sets = [
        PairDataset(DatasetConfig(root=str(ROOT.parent / "shared/data" / name), split="val"), engine.info.classes)
        for name in datasets
    ]
    return robustness(engine, sets, disturbances(), every=every, progress=tqdm)


def as_row(entry: Robustness) -> dict:
    row = asdict(entry)
    del row["disturbance"]["apply"]
    row["iou"] = {name: value for name, value in row["iou"].items() if value == value}
    return row


def picture(scores: dict[str, list[Robustness]], path: Path) -> None:
    figure, axes = plt.subplots(4, 3, figsize=(13, 12.5), layout="constrained")
    measures = {
        "IoU of person [%]": lambda e: 100 * e.iou["person"],
        "mIoU [%]": lambda e: 100 * e.miou,
        "Qabf": lambda e: e.metrics["Qabf"],
        "VIF": lambda e: e.metrics["VIF"],
    }
    for row, (title, value) in enumerate(measures.items()):
        for column, (kind, unit) in enumerate((("shift", "pixels"), ("noise", "grey levels, standard deviation"))):
            axis = axes[row][column]
            for (name, entries), colour in zip(scores.items(), COLOURS):
                chosen = [e for e in entries if e.disturbance.name in ("none", kind)]
                levels = [e.disturbance.level for e in chosen]
                axis.plot(levels, [value(e) for e in chosen], "o-", color=colour, label=name)
            axis.set(title=f"{title}, thermal {'shifted' if kind == 'shift' else 'with noise'}", xlabel=unit)
            axis.margins(y=0.12)
            axis.set_ylim(bottom=0)
            axis.grid(alpha=0.3)
        bars = ("none", "thermal frozen", "thermal missing", "rgb missing")
        for number, ((name, entries), colour) in enumerate(zip(scores.items(), COLOURS)):
            found = {e.disturbance.name: e for e in entries}
            places = [i + 0.8 * (number + 0.5) / len(scores) - 0.4 for i in range(len(bars))]
            heights = [value(found[bar]) for bar in bars]
            axes[row][2].bar(places, heights, 0.8 / len(scores), color=colour, label=name)
        axes[row][2].set(title=f"{title}, frozen or missing", xticks=range(len(bars)))
        axes[row][2].set_xticklabels([bar.replace(" ", "\n") for bar in bars])
        axes[row][2].grid(alpha=0.3, axis="y")
    named = axes[0][0].get_legend_handles_labels()
    figure.legend(*named, loc="outside upper center", ncols=len(scores), frameon=False)
    figure.savefig(path, dpi=90)


def labels_table(scores: dict[str, list[Robustness]]) -> str:
    """How well the labels are found, by each model."""
    head = [*(f"{name}: mIoU %" for name in scores), *(f"{name}: person %" for name in scores)]
    rows = [
        (entries[0], [100 * e.miou for e in entries] + [100 * e.iou["person"] for e in entries])
        for entries in zip(*scores.values())
    ]
    return _table(head, rows, 1)


def fused_table(scores: dict[str, list[Robustness]]) -> str:
    """What is left in the fused image of the good pair, by each model."""
    head = [f"{name}: {metric}" for metric in METRICS for name in scores]
    rows = [
        (entries[0], [e.metrics[metric] for metric in METRICS for e in entries]) for entries in zip(*scores.values())
    ]
    return _table(head, rows, 3)


def _table(head: list[str], rows: list[tuple[Robustness, list[float]]], digits: int) -> str:
    lines = [["disturbance", *head], ["---", *("---:" for _ in head)]]
    for entry, values in rows:
        what = entry.disturbance
        level = f" {what.level:g} {what.unit}" if what.unit else ""
        lines.append([f"{what.name}{level}", *(f"{value:.{digits}f}" for value in values)])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="What misaligned, noisy, frozen and missing images cost.")
    parser.add_argument("models", nargs="+", metavar="NAME=WEIGHTS")
    parser.add_argument("--every", type=int, default=1, help="take every n-th pair (default: all)")
    parser.add_argument("--datasets", nargs="+", default=["msrs", "roadscene"], help="folders of shared/data")
    parser.add_argument("--out", type=Path, required=True, help="folder for robustness.json and robustness.png")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    scores = {}
    for model in arguments.models:
        name, _, weights = model.partition("=")
        scores[name] = measured(weights, arguments.every, arguments.datasets)
    content = {name: [as_row(entry) for entry in entries] for name, entries in scores.items()}
    (arguments.out / "robustness.json").write_text(json.dumps(content, indent=1) + "\n")
    picture(scores, arguments.out / "robustness.png")
    print(labels_table(scores), fused_table(scores), sep="\n\n")


if __name__ == "__main__":
    main()
