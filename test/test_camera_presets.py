"""Presets of thermal cameras: parameters of the node, with right types and values, and only those that differ."""

from __future__ import annotations

from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from mrfs_ros.bag.yaml_parameters import read_parameters
from mrfs_ros.config import NodeConfig
from mrfs_ros.errors import ConfigError

ROOT = Path(__file__).resolve().parent.parent
PRESETS = sorted((ROOT / "config" / "cameras").glob("*.yaml"))
GUIDE = (ROOT / "docs" / "cameras.md").read_text()


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_a_preset_sets_what_differs_from_the_defaults(path):
    given = yaml.safe_load(path.read_text())["/**"]["ros__parameters"]
    config, defaults = asdict(read_parameters(path)), asdict(NodeConfig())
    assert {name: config[name] for name in given} == given
    assert {name for name in config if config[name] != defaults[name]} == set(given) != set()


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_a_preset_says_for_which_images_it_is_and_stands_in_the_guide(path):
    lines = path.read_text().splitlines()
    head = " ".join(line for line in lines[: lines.index("/**:")])
    assert "Not tried on hardware." in head and any(encoding in head for encoding in ("mono16", "32FC1"))
    assert f"`{path.stem}`" in GUIDE
    for before, line in pairwise(lines):
        assert not line.startswith("    ") or line.lstrip().startswith("#") or before.lstrip().startswith("#"), line


@pytest.mark.parametrize(
    "line, text",
    [
        ("thermal_unti: celsius", "unknown setting thermal_unti"),
        ("thermal_unit: fahrenheit", "thermal_unit: expected one of"),
        ("slop_s: 11.0", "slop_s: expected 0.0001 to 10.0"),
        ("slop_s: '0.01'", "slop_s: expected float, got str"),
    ],
)
def test_a_preset_with_a_mistake_is_found(tmp_path, line, text):
    path = tmp_path / "camera.yaml"
    path.write_text(f"/**:\n  ros__parameters:\n    {line}\n")
    with pytest.raises(ConfigError, match=text):
        read_parameters(path)
