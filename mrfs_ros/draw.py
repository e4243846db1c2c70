"""Pictures for people: class colours over the fused image, and frames side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from mrfs_ros.config import OVERLAY_OPACITY
from mrfs_ros.types import UNLABELLED, ClassSet

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_DIM, _GAMMA = 0.6, 0.6
_BAR = 26  # height in pixels of a strip of text


def overlay(
    fused: np.ndarray, labels: np.ndarray, classes: ClassSet, *, opacity: float = OVERLAY_OPACITY, notice: str = ""
) -> np.ndarray:
    """The class colours blended into the fused image; background (0) and ``UNLABELLED`` stay as they are.

    Args:
        fused: (H, W, 3) uint8 RGB.
        labels: (H, W) uint8 class ids.
        classes: their colours.
        opacity: 0 (fused only) to 1 (colours only).
        notice: a text to print at the lower edge.

    Returns:
        A new image, (H, W, 3) uint8 RGB: ``(1 - opacity) * fused + opacity * colour`` where a pixel has a class.

    Example:
        >>> from mrfs_ros.types import MFNET
        >>> fused, labels = np.zeros((32, 32, 3), np.uint8), np.ones((32, 32), np.uint8)
        >>> overlay(fused, labels, MFNET, opacity=1.0)[0, 0].tolist() == list(MFNET.colors[1])
        True
    """
    blended = cv2.addWeighted(fused, 1 - opacity, class_colors(labels, classes), opacity, 0)
    coloured = (labels != 0) & (labels != UNLABELLED)
    picture = cv2.copyTo(blended, coloured.view(np.uint8), fused.copy())
    return with_notice(picture, notice) if notice else picture


def class_colors(labels: np.ndarray, classes: ClassSet) -> np.ndarray:
    """``classes.palette()[labels]``, five times as fast: (H, W) uint8 class ids to (H, W, 3) uint8 RGB.

    Example:
        >>> from mrfs_ros.types import MFNET
        >>> class_colors(np.ones((32, 32), np.uint8), MFNET)[0, 0].tolist() == list(MFNET.colors[1])
        True
    """
    return cv2.LUT(cv2.merge([labels] * 3), classes.palette()[None])


def alignment(rgb: np.ndarray, thermal: np.ndarray, valid: np.ndarray | None = None, *, tiles: int = 8) -> np.ndarray:
    """Checkerboard of both cameras, each under the other's edges: where they are aligned, lines go on across tiles.

    Args:
        rgb: (H, W, 3) uint8 RGB, shown in dim grey with the thermal edges in orange.
        thermal: (H, W) uint8 on the same grid, shown in dim grey with the rgb edges in cyan.
        valid: (H, W) bool, where there is thermal; elsewhere rgb is shown. None = everywhere.
        tiles: of the checkerboard, in a row.

    Returns:
        (H, W, 3) uint8 RGB.

    Example:
        >>> alignment(np.zeros((64, 96, 3), np.uint8), np.zeros((64, 96), np.uint8)).shape
        (64, 96, 3)
    """
    height, width = thermal.shape
    side = max(1, -(-width // tiles))
    rows, columns = np.ogrid[:height, :width]
    seen = np.ones((height, width), bool) if valid is None else valid
    cold = ((rows // side + columns // side) % 2 == 0) | ~seen  # tiles of the rgb image
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    picture = np.repeat(np.where(cold, _stretched(grey), _stretched(thermal))[:, :, None], 3, axis=2)
    picture = cv2.convertScaleAbs(picture, alpha=_DIM)
    edge = cv2.erode(seen.astype(np.uint8), np.ones((5, 5), np.uint8), borderValue=1) > 0  # not the mask's own border
    picture[_edges(thermal) & edge & cold] = (255, 150, 0)
    picture[_edges(grey) & ~cold] = (0, 220, 255)
    return picture


def _stretched(grey: np.ndarray) -> np.ndarray:
    """(H, W) uint8 with its 1st to 99th percentile spread over 0 to 255, dark parts brightened."""
    low, high = np.percentile(grey[::4, ::4], (1, 99))
    scale = 255 / max(high - low, 1.0)
    linear = cv2.convertScaleAbs(np.maximum(grey, low), alpha=scale, beta=-low * scale)
    return cv2.LUT(linear, (255 * (np.arange(256) / 255) ** _GAMMA).astype(np.uint8))


def _edges(grey: np.ndarray) -> np.ndarray:
    """(H, W) bool: the strongest tenth of the edges, thin lines, whatever the image's contrast."""
    smooth = cv2.GaussianBlur(_stretched(grey), (0, 0), 1.5)
    slope_x, slope_y = (cv2.Sobel(smooth, cv2.CV_16S, *order) for order in ((1, 0), (0, 1)))
    high = max(float(np.percentile(np.abs(slope_x[::2, ::2]) + np.abs(slope_y[::2, ::2]), 90)), 8.0)
    return cv2.Canny(slope_x, slope_y, high / 2, high) > 0


def with_colours(grey: np.ndarray, rgb: np.ndarray) -> np.ndarray:
    """``grey`` ((H, W) uint8) in place of the luma (BT.601) of ``rgb``: (H, W, 3) uint8 RGB, as is what returns.

    Cut off where a colour does not exist so bright or so dark.
    """
    colours = cv2.cvtColor(rgb, cv2.COLOR_RGB2YCrCb)
    colours[:, :, 0] = grey
    return cv2.cvtColor(colours, cv2.COLOR_YCrCb2RGB)


def with_notice(picture: np.ndarray, text: str) -> np.ndarray:
    """Return ``picture`` ((H, W, 3) uint8 RGB) with ``text`` on a dark strip at its lower edge."""
    picture = np.ascontiguousarray(picture)
    height, width = picture.shape[:2]
    scale, thickness = 0.6, 1
    (text_width, _), _ = cv2.getTextSize(text, _FONT, scale, thickness)
    scale *= min(1.0, (width - 8) / text_width)
    cv2.rectangle(picture, (0, height - _BAR), (width, height), (0, 0, 0), cv2.FILLED)
    cv2.putText(picture, text, (4, height - 8), _FONT, scale, (255, 220, 0), thickness, cv2.LINE_AA)
    return picture


def no_wider(picture: np.ndarray, width: int) -> np.ndarray:
    """Return ``picture`` ((H, W, 3) or (H, W) uint8), scaled down to ``width`` pixels where it is wider."""
    height, own = picture.shape[:2]
    if own <= width:
        return picture
    return cv2.resize(picture, (width, max(1, round(height * width / own))), interpolation=cv2.INTER_AREA)


def side_by_side(panels: Mapping[str, np.ndarray]) -> np.ndarray:
    """Titled panels in a row.

    Args:
        panels: title -> (H, W, 3) uint8 RGB or (H, W) uint8 grey, all of one height.

    Returns:
        (H + 26, sum of the widths, 3) uint8 RGB: a strip of text above the panels.

    Example:
        >>> side_by_side({"thermal": np.zeros((48, 64), np.uint8), "labels": np.zeros((48, 64), np.uint8)}).shape
        (74, 128, 3)
    """
    columns = []
    for title, panel in panels.items():
        colour = np.repeat(panel[:, :, None], 3, axis=2) if panel.ndim == 2 else panel
        bar = np.full((_BAR, colour.shape[1], 3), 255, np.uint8)
        cv2.putText(bar, title, (4, _BAR - 8), _FONT, 0.55, (0, 0, 0), 1, cv2.LINE_AA)
        columns.append(np.vstack((bar, colour)))
    return np.hstack(columns)


def contact_sheet(rows: Sequence[Mapping[str, np.ndarray]], panel_width: int = 320) -> np.ndarray:
    """One picture of many frames, a row each.

    Args:
        rows: titled panels of each frame, as for ``side_by_side``; all rows have as many.
        panel_width: width [pixels] that every panel is scaled to, by area averaging.

    Returns:
        (H, W, 3) uint8 RGB.

    Example:
        >>> row = {"rgb": np.zeros((48, 64, 3), np.uint8), "thermal": np.zeros((48, 64), np.uint8)}
        >>> contact_sheet([row, row], panel_width=32).shape
        (100, 64, 3)
    """
    sheet = []
    for row in rows:
        height, width = next(iter(row.values())).shape[:2]
        size = panel_width, round(height * panel_width / width)
        sheet.append(side_by_side({t: cv2.resize(p, size, interpolation=cv2.INTER_AREA) for t, p in row.items()}))
    return np.vstack(sheet)


def mosaic(rows: Sequence[Mapping[str, np.ndarray]], widest: int = 1920) -> np.ndarray:
    """Rows of titled panels as one picture of a video: at most ``widest`` pixels wide, both sides even.

    Panels as for ``side_by_side``; all rows are equally wide. Returns (H, W, 3) uint8 RGB.
    """
    picture = np.vstack([side_by_side(row) for row in rows])
    scale = min(1.0, widest / picture.shape[1])
    height, width = (int(side * scale) // 2 * 2 for side in picture.shape[:2])
    return scaled(picture, height, width)


def scaled(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """``picture`` ((H, W, 3) uint8 RGB) at another size, itself if it has it."""
    if picture.shape[:2] == (height, width):
        return picture
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
