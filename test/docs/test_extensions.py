"""What the site's own extensions make: nothing that the program offers is left out, and Markdown keeps its texts."""

from __future__ import annotations

import re
from dataclasses import fields

from docstrings import separate
from reference_tables import commands, node_parameters

from mrfs_ros.cli.main import parser
from mrfs_ros.config import NodeConfig


def test_the_table_has_every_parameter():
    rows = node_parameters().splitlines()[2:]
    assert [re.match(r"\| `(\w+)` \|", row)[1] for row in rows] == [spec.name for spec in fields(NodeConfig)]
    cells = {row.split(" | ")[0].strip("| `"): row.split(" | ")[1:] for row in rows}
    assert all(len(rest) == 3 for rest in cells.values())
    assert cells["slop_s"][:2] == ["`0.03`", "0.0001 to 10"]
    assert cells["on_missing"][:2] == ["`drop`", "`drop`, `rgb_only`, `thermal_only`"]
    assert cells["weights"][:2] == ["empty", "text"] and cells["weights"][2].endswith("*(configure)* |")
    assert cells["exit_with_parent"][:2] == ["`true`", "true, false"]


def test_every_command_and_option_is_there():
    text = commands()
    headings = re.findall(r"^## mrfs (\w+)$", text, re.MULTILINE)
    sections = dict(zip(headings, re.split(r"^## mrfs \w+$", text, flags=re.MULTILINE)[1:]))
    usage = parser().format_help()
    assert {"fuse", "bag", "train", "play"} <= set(headings)
    assert {name for name in headings if not re.search(rf"^ +{name}\b", usage, re.MULTILINE)} == set()
    assert "| `--slop` `S` | Stamps of a pair differ by less than this [s]. " in sections["bag"]
    assert "| `--rerun` `RRD\\|live` |" in sections["bag"]
    assert "| `config` |" in sections["train"] and "--resume" in sections["train"]
    assert "examples:\n  mrfs fuse " in sections["fuse"]


def test_arguments_get_paragraphs_of_their_own():
    lines = ["Do it.", "``rgb``: (H, W, 3).", "``a`` and ``b``: more of", "``x``: a text that goes on.", "Raises E."]
    separate(None, "function", "f", None, None, lines)
    assert lines == [
        "Do it.", "", "``rgb``: (H, W, 3).", "", "``a`` and ``b``: more of",
        "``x``: a text that goes on.", "", "Raises E.",
    ]  # fmt: skip
