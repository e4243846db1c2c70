"""The results as image files, three for each frame."""

from __future__ import annotations

import shutil
from pathlib import Path

from mrfs_ros.bag.frame import Frame
from mrfs_ros.bag.sinks.protocol import working_path
from mrfs_ros.draw import overlay
from mrfs_ros.sensing.encoded import encode_png
from mrfs_ros.types import ClassSet


class FrameFiles:
    """A ``Sink``: ``000012_fused.png``, ``000012_labels.png`` and ``000012_overlay.png`` for the pair of index 12."""

    def __init__(self, target: Path, classes: ClassSet, *, notice: str, opacity: float):
        self.target = target
        self._classes = classes
        self._notice = notice
        self._opacity = opacity

    def resume(self, frames: int) -> None:
        """Files of later frames, if any, are written again under the same names."""
        if not frames:
            shutil.rmtree(working_path(self.target), ignore_errors=True)
        working_path(self.target).mkdir(parents=True, exist_ok=True)

    def encode(self, frame: Frame) -> dict[str, bytes]:
        fused, labels = frame.result.fused, frame.result.labels
        picture = overlay(fused, labels, self._classes, opacity=self._opacity, notice=self._notice)
        return {name: encode_png(image) for name, image in (("fused", fused), ("labels", labels), ("overlay", picture))}

    def write(self, frame: Frame, encoded: dict[str, bytes]) -> None:
        for name, content in encoded.items():
            (working_path(self.target) / f"{frame.index:06d}_{name}.png").write_bytes(content)

    def close(self) -> None:
        """Nothing is open between frames."""

    def finish(self) -> None:
        working_path(self.target).rename(self.target)
