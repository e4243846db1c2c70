"""The layout for Foxglove and Lichtblick: whole, and for topics that launch knows; test/ros asks a running node."""

from __future__ import annotations

import ast
from pathlib import Path

from foxglove_layout import LAYOUT, image_topics, panels, placed, plotted

ROOT = Path(__file__).resolve().parent.parent
KINDS = {"Image", "DiagnosticSummary", "Plot"}  # as both viewers call their panels


def launched_topics() -> set[str]:
    """The topics of the launch file, as named without a namespace."""
    tree = ast.parse((ROOT / "launch" / "mrfs.launch.py").read_text())
    (table,) = [n.value for n in tree.body if isinstance(n, ast.Assign) and n.targets[0].id == "TOPICS"]
    return {"/" + name.lstrip("/") for name in ast.literal_eval(table)}


def test_every_panel_is_placed_once_and_has_a_kind_and_a_title():
    assert sorted(placed()) == sorted(LAYOUT["configById"])
    assert {name.split("!")[0] for name in placed()} == KINDS
    assert all(panel["foxglovePanelTitle"] for panel in LAYOUT["configById"].values())


def test_panels_show_topics_that_launch_records():
    assert image_topics() == {
        "rgb": "/rgb/image", "thermal": "/thermal/image", "fused": "/mrfs/fused", "overlay": "/mrfs/overlay",
    }  # fmt: skip
    (summary,) = panels("DiagnosticSummary").values()
    shown = {*image_topics().values(), summary["topicToRender"], *(topic for topic, _, _ in plotted())}
    assert shown <= launched_topics()


def test_a_topic_that_launch_does_not_know_would_be_found():
    renamed = {"configById": {"Image!x": {"foxglovePanelTitle": "x", "imageMode": {"imageTopic": "/mrfs/fusion"}}}}
    assert not set(image_topics(renamed).values()) <= launched_topics()
