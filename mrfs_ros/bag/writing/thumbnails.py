"""A few small overlays of a run of unknown length, spread evenly, the same after a kill and without one."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mrfs_ros.bag.frame import Frame
from mrfs_ros.camera.image_io import write_jpeg
from mrfs_ros.draw import no_wider, overlay, with_notice
from mrfs_ros.types import ClassSet

MOST = 48
WIDTH = 400  # pixels
QUALITY = 80


class Thumbnails:
    """JPEG files in ``folder``, named by how many frames came before and by the index of the pair.

    Of n frames every s-th is shown, s the smallest power of two that leaves at most ``most``; no file goes before, so
    that a run may be cut anywhere.
    """

    def __init__(self, folder: Path, classes: ClassSet, notice: str = "", *, most: int = MOST):
        self._folder = folder
        self._classes = classes
        self._notice = notice
        self._most = most
        self._count = 0

    def resume(self, frames: int) -> None:
        """Go on after ``frames`` frames."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._count = frames

    def add(self, frame: Frame) -> Path | None:
        """Take the next frame; its picture is made only if it may be shown."""
        before, self._count = self._count, self._count + 1
        if before % _stride(before + 1, self._most):
            return None
        path = self._folder / f"{before:08d}_{frame.index:08d}.jpg"
        write_jpeg(path, self._picture(frame), QUALITY)
        return path

    def pictures(self) -> dict[int, Path]:
        """Index of the pair to its picture, in order."""
        names = {path: path.stem.split("_") for path in sorted(self._folder.glob("*.jpg"))}
        stride = _stride(self._count, self._most)
        return {int(index): path for path, (before, index) in names.items() if int(before) % stride == 0}

    def _picture(self, frame: Frame) -> np.ndarray:
        picture = no_wider(overlay(frame.result.fused, frame.result.labels, self._classes), WIDTH)
        return with_notice(picture, self._notice) if self._notice else picture  # legible, because added last


def _stride(frames: int, most: int) -> int:
    stride = 1
    while frames > most * stride:
        stride *= 2
    return stride
