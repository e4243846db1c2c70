"""Notices about a camera's images: what was assumed of them, each kind said once."""

from __future__ import annotations

import warnings
from collections.abc import Callable


class ImageWarning(UserWarning):
    """What was assumed of image files; Python shows each text once."""


class Notices:
    """Hands sentences on to ``say``, the first of each kind."""

    def __init__(self, say: Callable[[str], None]):
        self._say = say
        self._told: set[str] = set()

    def tell(self, kind: str, text: str) -> None:
        """Say ``text``, unless one of its ``kind`` was said before."""
        if kind not in self._told:
            self._told.add(kind)
            self._say(text)


def warn(text: str) -> None:
    """Say it as a Python warning, for image files that are read one by one."""
    warnings.warn(text, ImageWarning, stacklevel=1)
