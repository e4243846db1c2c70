"""False colours of a thermal camera: found, and undone where the palette is a known one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mrfs_ros.camera.gray import to_gray
from mrfs_ros.camera.notices import Notices
from mrfs_ros.camera.palettes import Palette, coloured, find_palette, known_palettes, sample

_SOME = 0.05  # of the pixels: fewer in colours are a cross-hair, a logo, a scale
_MANY = 0.25  # of the pixels: so many in colours of no known palette are no overlay on a grey image
_STILL_FITS = 20.0  # mean distance to the palette that was found: further off it is looked for again
_PATIENCE = 30  # frames until an image in unknown colours is looked at again


class FalseColours:
    """Call ``grey`` with every image in colours of one thermal camera, in order; it remembers the palette."""

    def __init__(self, notices: Notices):
        self._notices = notices
        self._palette: Palette | None = None
        self._wait = 0

    def grey(self, rgb: np.ndarray, luma: Callable[[np.ndarray], np.ndarray] = to_gray) -> np.ndarray:
        """Grey of an image, bright is hot where the palette is a known one.

        Args:
            rgb: (H, W, 3) uint8, RGB.
            luma: What makes grey of it where no palette is undone.

        Returns:
            (H, W) uint8: levels of the palette, or the luma.
        """
        colours = sample(rgb)
        if (palette := self._palette) is not None:
            (levels,) = palette.levels(colours[None])
            if palette.misfit(colours, levels) < _STILL_FITS:
                return palette.levels(rgb)
        share = coloured(colours).mean()
        if share < _SOME:
            return luma(rgb)
        if self._wait:
            self._wait -= 1
            return luma(rgb)
        if (found := find_palette(colours)) is not None:
            self._palette = found
            self._notices.tell(f"palette {found.name}", _undone(found))
            return found.levels(rgb)
        self._wait = _PATIENCE
        if share > _MANY:
            self._notices.tell("unknown colours", _left())
        return luma(rgb)


def _undone(palette: Palette) -> str:
    cold, hot = (tuple(map(int, palette.colours[level])) for level in (0, 255))
    return (
        f"thermal images are in false colours, palette {palette.name}: undone, RGB {cold} is black (cold) and {hot} "
        "white (hot); if hot is the other way round, set thermal_invert"
    )


def _left() -> str:
    known = ", ".join(palette.name for palette in known_palettes() if " " not in palette.name)
    return (
        f"thermal images are in colours of no known palette ({known}): their luma is taken, which is no temperature, "
        "hot may be darker than warm; let the camera send grey (white hot) or counts. If a visible camera sends them, "
        "rgb and thermal are swapped"
    )
