"""Folders of PNG files: the results of each pair, or the pair itself as training takes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from mrfs_ros.bag.frame import Frame
from mrfs_ros.bag.writing.result_writer import working_path
from mrfs_ros.camera.encoded import encode_png
from mrfs_ros.files import move


class ImageFiles:
    """A ``Sink``: ``images(frame)`` says which files a frame has, by their paths in the folder."""

    def __init__(
        self, target: Path, images: Callable[[Frame], dict[str, np.ndarray]], *, folders: tuple[str, ...] = (".",)
    ):
        self.target = target
        self._images = images
        self._folders = folders
        self._new: list[Path] = []

    def resume(self, frames: int) -> None:
        for name in self._folders:
            (working_path(self.target) / name).mkdir(parents=True, exist_ok=True)

    def encode(self, frame: Frame) -> dict[str, bytes]:
        return {name: encode_png(image) for name, image in self._images(frame).items()}

    def write(self, frame: Frame, encoded: dict[str, bytes]) -> None:
        for name, content in encoded.items():
            path = working_path(self.target) / name
            path.write_bytes(content)
            self._new.append(path)

    def flush(self) -> list[Path]:
        new, self._new = self._new, []
        return new

    def close(self) -> None:
        """Nothing is open between frames."""

    def finish(self) -> None:
        move(working_path(self.target), self.target)


def result_files(target: Path) -> ImageFiles:
    """``000012_fused.png``, ``000012_labels.png`` and ``000012_overlay.png`` for the pair of index 12."""

    def images(frame: Frame) -> dict[str, np.ndarray]:
        shown = {"fused": frame.result.fused, "labels": frame.result.labels, "overlay": frame.made.overlay}
        return {f"{frame.index:06d}_{name}.png": image for name, image in shown.items()}

    return ImageFiles(target, images)


def pair_files(target: Path) -> ImageFiles:
    """``rgb/000012.png`` and ``thermal/000012.png``, as the network got them; nothing where a camera was missing."""

    def images(frame: Frame) -> dict[str, np.ndarray]:
        if frame.rgb_stamp_ns is None or frame.thermal_stamp_ns is None:
            return {}
        return {f"rgb/{frame.index:06d}.png": frame.rgb, f"thermal/{frame.index:06d}.png": frame.thermal}

    return ImageFiles(target, images, folders=("rgb", "thermal"))
