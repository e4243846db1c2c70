"""``mrfs preview``: one picture of the crops that training would learn from."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from toy_run import write_pairs, write_settings

from mrfs_ros.cli.main import main

BAR = 26  # height of the titles


@pytest.fixture
def settings(tmp_path, small_pair) -> Path:
    root = write_pairs(tmp_path / "data", small_pair, (64, 96))
    simulated = {"root": str(root), "split": "all", "thermal": "simulated", "share": 1}
    real = {"root": str(root), "split": "all", "share": 1}
    return write_settings(tmp_path / "settings.yaml", root, train=[real, simulated])


def test_a_sheet_of_real_and_simulated_crops(settings, tmp_path, capsys):
    out = tmp_path / "new" / "crops.jpg"
    assert main(["preview", str(settings), "--out", str(out), "--sheet", "4"]) == 0
    assert capsys.readouterr().out.endswith(f"{out}: 4 crops of 4 frames\n")
    sheet = cv2.imread(str(out))
    assert sheet.shape == (2 * (240 + BAR), 6 * 240, 3)
    panels = [sheet[BAR:240, 240 * column : 240 * (column + 1)] for column in range(6)]
    assert all(panel.std() > 3 for panel in panels)
    grey = [np.ptp(panel.astype(int), axis=2).mean() < 3 for panel in panels]
    assert grey[1] and grey[4]  # thermal


def test_another_seed_shows_other_crops(settings, tmp_path):
    for seed in ("1", "2"):
        assert main(["preview", str(settings), "--out", str(tmp_path / f"{seed}.jpg"), "--set", f"seed={seed}"]) == 0
    assert (tmp_path / "1.jpg").read_bytes() != (tmp_path / "2.jpg").read_bytes()


def test_wrong_settings_are_one_line(settings, tmp_path, capsys):
    assert main(["preview", str(settings), "--out", str(tmp_path / "a.jpg"), "--set", "batch=2"]) == 2
    assert capsys.readouterr().err.startswith("mrfs: error: unknown setting batch: expected one of ")
