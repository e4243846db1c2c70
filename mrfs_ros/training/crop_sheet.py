"""Contact sheet of training crops: rgb, thermal and labels as the network gets them, augmented."""

from __future__ import annotations

import numpy as np

from mrfs_ros.draw import contact_sheet, overlay
from mrfs_ros.training.batches import StepExamples
from mrfs_ros.types import ClassSet

PANEL_WIDTH = 240  # pixels
_CROPS_A_ROW = 2


def preview(examples: StepExamples, classes: ClassSet, count: int) -> np.ndarray:
    """Draw the first crops of a run, in the order of its batches.

    Args:
        examples: of the run.
        classes: names and colours of the labels.
        count: crops to draw, rounded up to whole rows of two.

    Returns:
        (H, W, 3) uint8 RGB: for each crop rgb, thermal (real or simulated), and the labels over rgb.
    """
    rows: list[dict[str, np.ndarray]] = []
    for number in range(-(-count // _CROPS_A_ROW) * _CROPS_A_ROW):
        key = divmod(number, examples.batch)
        example = examples[key]
        rgb = np.ascontiguousarray(example["rgb"].permute(1, 2, 0).numpy())
        labels = overlay(rgb, example["label"].numpy(), classes, opacity=0.7)
        if number % _CROPS_A_ROW == 0:
            rows.append({})
        dataset, frame = examples.source(key)
        panels = {dataset: rgb, "thermal": example["thermal"][0].numpy(), frame: labels}
        rows[-1] |= {f"{number + 1}: {title}": panel for title, panel in panels.items()}
    return contact_sheet(rows, PANEL_WIDTH)
