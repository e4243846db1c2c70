"""Sheet of pictures of evenly spread frames, collected while a command goes through all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


class Sheet:
    """``frames``: how many will come; ``wanted``: how many to keep, at most; ``row``: makes a frame's panels."""

    def __init__(self, frames: int, wanted: int, row: Callable[..., Mapping[str, np.ndarray]]):
        self._every, self._seen, self._row = max(1, -(-frames // wanted)), 0, row
        self._rows: list[Mapping[str, np.ndarray]] = []

    def add(self, *frame) -> None:
        """Keep the panels of a frame if it is its turn."""
        if self._seen % self._every == 0:
            self._rows.append(self._row(*frame))
        self._seen += 1

    def write(self, path: Path) -> None:
        """Write what was kept as JPEG."""
        from mrfs_ros.camera.image_io import write_jpeg
        from mrfs_ros.draw import contact_sheet

        write_jpeg(path, contact_sheet(self._rows))
