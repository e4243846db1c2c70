"""Gives each argument of a docstring a paragraph of its own: in the source they stand line under line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

_BEGINS_ANEW = re.compile(r"``[\w.]+``(, ``[\w.]+``)*( and ``[\w.]+``)?: |Raises? |Returns? ")


def separate(app: Sphinx, what: str, name: str, documented: object, options: object, lines: list[str]) -> None:
    """Put an empty line before every line that begins an argument, what is returned, or what is raised."""
    separated: list[str] = []
    for line in lines:
        if _BEGINS_ANEW.match(line) and separated and separated[-1].endswith("."):
            separated.append("")
        separated.append(line)
    lines[:] = separated


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", separate)
    return {"parallel_read_safe": True}
