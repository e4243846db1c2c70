"""Every variant's pictures of the same frames on one sheet, in the manner of the supplement's figure 2."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mrfs_ros.data.dataset import PairDataset
from mrfs_ros.draw import contact_sheet, overlay
from mrfs_ros.engine import load_engine
from mrfs_ros.preprocess import PairImages
from mrfs_ros.process import process_pairs
from mrfs_ros.studies.ablation import WEIGHTS, Run

PANEL_WIDTH = 240  # pixels


def variants_sheet(
    runs: Sequence[Run],
    datasets: Sequence[PairDataset],
    *,
    frames: int = 4,
    device: str = "auto",
    backend: str = "auto",
) -> np.ndarray:
    """(H, W, 3) uint8 RGB: for evenly spread frames a row of fused images and one with the classes on them.

    Columns are rgb, thermal (the second row: true labels) and the variants, each by its first run in ``runs`` that is
    done.
    """
    pairs = [(dataset, i) for dataset in datasets for i in range(len(dataset))]
    chosen = np.unique(np.linspace(0, len(pairs) - 1, min(frames, len(pairs)) * 2 + 1).round().astype(int)[1::2])
    shown = [dataset[i] for dataset, i in (pairs[number] for number in chosen)]
    rows: list[dict[str, np.ndarray]] = []
    for pair in shown:
        rows.append({f"rgb {pair.name}": pair.rgb, "thermal": pair.thermal})
        truth = {"truth": overlay(pair.rgb, pair.label, datasets[0].classes)}
        rows.append({"rgb": pair.rgb, **(truth if pair.labelled else {"thermal, no truth": pair.thermal})})
    for run in _first_of_each(runs):
        engine = load_engine(run.folder / WEIGHTS, device, backend)
        for pair, upper, lower in zip(shown, rows[::2], rows[1::2]):
            [(_, result)] = process_pairs(engine, [PairImages(pair.rgb, pair.thermal)])
            upper[f"{run.variant}"] = result.fused
            lower[f"{run.variant}: classes"] = overlay(result.fused, result.labels, engine.info.classes)
    return contact_sheet(rows, PANEL_WIDTH)


def _first_of_each(runs: Sequence[Run]) -> list[Run]:
    first: dict[str, Run] = {}
    for run in runs:
        if run.done:
            first.setdefault(run.variant, run)
    return list(first.values())
