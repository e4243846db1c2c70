"""What is written of a comparison: the same numbers in Markdown, JSON and CSV."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from mrfs_ros.studies.generalization import Comparison, Frame, Method
from mrfs_ros.studies.generalization_report import as_json, markdown, write_generalization

METRICS = ("EN", "SD", "SF", "AG", "PSNR")
VALUES = np.array([[[6, 30, 1, 2, 40], [7, 50, 3, 2, np.inf]], [[5, 20, 4, 1, 10], [5, 22, 4, 1, 20]]], float)
METHODS = [Method("MRFS", "network", lambda pair: pair.rgb), Method("average", "classical", lambda pair: pair.thermal)]
FRAMES = [Frame("night", name, lambda: None) for name in ("a", "b")]
COMPARISON = Comparison(METHODS, FRAMES, METRICS, VALUES)


def test_tables():
    text = markdown(COMPARISON, {"data": "two frames"})
    assert "| data | two frames |" in text
    assert "Mean ± standard deviation over 2 frames" in text
    assert "| MRFS | 6.50 ± 0.50 | 40.00 ± 10.00 | 2.00 ± 1.00 | 2.00 ± 0.00 |" in text
    assert "| average | 5.00 ± 0.00 | 21.00 ± 1.00 | 4.00 ± 0.00 | 1.00 ± 0.00 |" in text
    assert "| MRFS | inf |" in text
    assert "| average | 15 |" in text
    assert text.count("- SD: standard deviation of F") == 1


def test_one_frame_has_no_spread():
    text = markdown(Comparison(METHODS, FRAMES[:1], METRICS, VALUES[:, :1]), {})
    assert "| MRFS | 6.00 | 30.00 | 1.00 | 2.00 |" in text


def test_no_table_of_what_was_not_scored():
    text = markdown(Comparison(METHODS, FRAMES, METRICS[:4], VALUES[:, :, :4]), {})
    assert "against the visible image" not in text


@pytest.mark.parametrize("name", ["scores.json", "scores.md", "frames.csv"])
def test_files_are_replaced_whole(tmp_path, replaced_whole, name):
    with replaced_whole(tmp_path / name):
        write_generalization(COMPARISON, tmp_path, {"data": "two frames"})


def test_files(tmp_path):
    write_generalization(COMPARISON, tmp_path, {"data": "two frames"})
    assert (tmp_path / "scores.md").read_text(encoding="utf-8") == markdown(COMPARISON, {"data": "two frames"})
    content = json.loads((tmp_path / "scores.json").read_text())
    assert content == as_json(COMPARISON, {"data": "two frames"})
    assert content["frames"] == 2
    assert content["methods"]["MRFS"]["kind"] == "network"
    assert content["methods"]["MRFS"]["mean"] == {"EN": 6.5, "SD": 40, "SF": 2, "AG": 2, "PSNR": None}
    assert content["methods"]["average"]["standard_deviation"]["PSNR"] == 5
    rows = list(csv.DictReader((tmp_path / "frames.csv").open()))
    assert [(row["frame"], row["method"]) for row in rows] == [
        ("a", "MRFS"), ("a", "average"), ("b", "MRFS"), ("b", "average"),
    ]  # fmt: skip
    assert (rows[2]["dataset"], rows[2]["SD"], rows[2]["PSNR"]) == ("night", "50", "inf")
