"""One picture of a pair's features: the inputs, and what IGM-Att and PC-Att make of them in blocks 1 to 4."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mrfs_ros.draw import contact_sheet, overlay, scaled, side_by_side, with_notice
from mrfs_ros.engine.protocol import UNTRAINED_NOTICE, EngineInfo
from mrfs_ros.studies.feature_maps import BlockFeatures
from mrfs_ros.studies.heat_map import activity, coloured, heat_map
from mrfs_ros.types import FusionResult

_PANEL_WIDTH, _PANEL_HEIGHT = 320, 400  # pixels; a picture lies in it without being stretched
_GAP = 4
_BAR_WIDTH = 48
_LEGEND = "colour: |feature - its channel's mean over the image|, mean over channels, each map by its own 1-99 % range"


def feature_sheet(
    rgb: np.ndarray,
    thermal: np.ndarray,
    blocks: Sequence[BlockFeatures],
    result: FusionResult,
    info: EngineInfo,
    *,
    title: str = "",
) -> np.ndarray:
    """The sheet of a pair, (H, W, 3) uint8 RGB, with the heat maps of MRFS, supplement, section 1.

    Rows: IGM-Att's rgb map, its thermal map, PC-Att's map, each as ``heat_map`` of its ``activity``. Columns: rgb,
    thermal, and the fused image with its classes; blocks 1 to 4; the colour bar. ``rgb``: (H, W, 3) uint8, RGB.
    ``thermal``: (H, W) uint8. ``title`` names the pair. The sheet says what runs: in a variant of the paper's network
    IGM-Att and PC-Att are what stands in their places. An untrained network is said too.
    """
    height, width = _fitting(*thermal.shape)
    inputs = {
        "rgb": rgb,
        "thermal": np.repeat(thermal[:, :, None], 3, axis=2),
        "fused, classes": overlay(result.fused, result.labels, info.classes),
    }
    rows = [{name: _panel(scaled(picture, height, width))} for name, picture in inputs.items()]
    for number, block in enumerate(blocks, start=1):
        maps = {"IGM-Att rgb": block.rgb_after, "IGM-Att thermal": block.thermal_after, "PC-Att": block.semantic}
        for row, (name, features) in zip(rows, maps.items()):
            grid = f"{features.shape[1]}x{features.shape[2]}"
            row[f"block {number}: {name}, {grid}"] = _panel(heat_map(activity(features), height, width))
    sheet = contact_sheet(rows, _PANEL_WIDTH)
    sheet = np.hstack((sheet, _colour_bar(sheet.shape[0])))
    network = f"{Path(info.weights).name} ({info.variant})" if info.weights else info.variant
    sheet = side_by_side({f"{title}  {network}".strip(): side_by_side({_LEGEND: sheet})})
    return with_notice(np.vstack((sheet, _strip("", sheet.shape[1]))), UNTRAINED_NOTICE) if info.untrained else sheet


def _fitting(height: int, width: int) -> tuple[int, int]:
    """The largest size of these proportions that a panel holds."""
    scale = min((_PANEL_WIDTH - _GAP) / width, _PANEL_HEIGHT / height)
    return max(1, round(height * scale)), max(1, round(width * scale))


def _panel(picture: np.ndarray) -> np.ndarray:
    """``picture`` with white at its right, up to the panel's width."""
    return np.pad(picture, ((0, 0), (0, _PANEL_WIDTH - picture.shape[1]), (0, 0)), constant_values=255)


def _colour_bar(height: int) -> np.ndarray:
    """A titled bar, red at its upper end."""
    ends = [_strip(name, _BAR_WIDTH) for name in ("high", "low")]
    length = height - sum(len(end) for end in ends)
    shares = np.linspace(1, 0, length)[:, None].repeat(_BAR_WIDTH, axis=1)
    return np.vstack((ends[0], coloured(shares), ends[1]))


def _strip(text: str, width: int) -> np.ndarray:
    """The title of a panel that is not there."""
    return side_by_side({text: np.empty((0, width, 3), np.uint8)})
