"""A few small overlays of a run of unknown length, spread evenly, the same after a kill and without one."""

from __future__ import annotations

import shutil
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

    Of n frames every s-th is kept, s the smallest power of two that leaves at most ``most``. One more frame than
    the diary knows of must do no harm, so that a frame is written first and thins out the others only by the next.
    """

    def __init__(self, folder: Path, classes: ClassSet, notice: str = "", *, most: int = MOST):
        self._folder = folder
        self._classes = classes
        self._notice = notice
        self._most = most
        self._count = 0

    def keep(self, frames: int) -> None:
        """Forget all but the first ``frames`` frames."""
        if not frames:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True, exist_ok=True)
        for path in self._folder.glob("*.jpg"):
            if _count(path) >= frames:
                path.unlink()
        self._count = frames

    def add(self, frame: Frame) -> None:
        """Take the next frame; its picture is made only if it is one to keep."""
        before = self._count
        self._thin()
        if before % _stride(before + 1, self._most) == 0:
            path = self._folder / f"{before:08d}_{frame.index:08d}.jpg"
            unfinished = path.with_suffix(".tmp")
            write_jpeg(unfinished, self._picture(frame), QUALITY)
            unfinished.replace(path)
        self._count += 1

    def pictures(self) -> dict[int, Path]:
        """Index of the pair to its picture, in order."""
        self._thin()
        return {int(path.stem.partition("_")[2]): path for path in sorted(self._folder.glob("*.jpg"))}

    def _thin(self) -> None:
        """Remove what a run of as many frames as there are now does not keep."""
        stride = _stride(self._count, self._most)
        for path in self._folder.glob("*.jpg") if stride > 1 else ():
            if _count(path) % stride:
                path.unlink()

    def _picture(self, frame: Frame) -> np.ndarray:
        picture = no_wider(overlay(frame.result.fused, frame.result.labels, self._classes), WIDTH)
        return with_notice(picture, self._notice) if self._notice else picture  # legible, because added last


def _stride(frames: int, most: int) -> int:
    stride = 1
    while frames > most * stride:
        stride *= 2
    return stride


def _count(path: Path) -> int:
    return int(path.stem.partition("_")[0])
