"""Fingerprint of a run: files that it depends on count by their content."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mrfs_ros.bag.run_configuration import requested_of
from mrfs_ros.bag.settings import BagSettings
from mrfs_ros.config import NodeConfig


@pytest.mark.parametrize("name", ["calibration", "label_groups"])
def test_another_content_of_a_file_is_another_run(tmp_path, name):
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    first.write_text("a")
    second.write_text("a")
    settings = [
        BagSettings(source="drive", node=replace(NodeConfig(), **{name: str(file)})) for file in (first, second)
    ]
    one, other = map(requested_of, settings)
    assert one == other != requested_of(BagSettings(source="drive"))
    second.write_text("b")
    assert requested_of(settings[1]) != one
