"""The layout for Foxglove and Lichtblick, read for tests: its panels, the topics and diagnostics that they show."""

from __future__ import annotations

import json
import re
from pathlib import Path

LAYOUT = json.loads((Path(__file__).resolve().parent.parent / "config" / "foxglove_layout.json").read_text())
_SERIES = re.compile(r'(/\w+)\.status\[:\]\{name=="([^"]+)"\}\.values\[:\]\{key=="([^"]+)"\}\.value')


def panels(kind: str, layout: dict = LAYOUT) -> dict[str, dict]:
    """Panel id to configuration of the panels of a kind."""
    return {name: panel for name, panel in layout["configById"].items() if name.split("!")[0] == kind}


def placed(layout: dict | str = LAYOUT["layout"]) -> list[str]:
    """The panel ids that stand in the layout's tree of rows and columns."""
    return [layout] if isinstance(layout, str) else [*placed(layout["first"]), *placed(layout["second"])]


def image_topics(layout: dict = LAYOUT) -> dict[str, str]:
    """Title of each image panel to its topic."""
    return {panel["foxglovePanelTitle"]: panel["imageMode"]["imageTopic"] for panel in panels("Image", layout).values()}


def plotted(layout: dict = LAYOUT) -> list[tuple[str, str, str]]:
    """(topic, name of the status, key) of each plotted series; a series of another form fails."""
    paths = [path["value"] for panel in panels("Plot", layout).values() for path in panel["paths"]]
    return [_SERIES.fullmatch(path).groups() for path in paths]
