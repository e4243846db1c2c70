"""The chart's bars are as long as the means."""

from __future__ import annotations

import sys

import cv2
import numpy as np
import pytest

from mrfs_ros.errors import MissingPackageError
from mrfs_ros.studies.generalization import KINDS, Comparison, Frame, Method
from mrfs_ros.studies.generalization_chart import check_matplotlib, write_chart

pytest.importorskip("matplotlib")
MEANS = {"input": (6, 10), "classical": (4.5, 20), "given": (3, 30), "network": (7, 40)}
INKS = {"input": 0xD9D9D9, "classical": 0x8C96A3, "given": 0x5B8DB8, "network": 0xD9541E}


def two_runs(picture: np.ndarray, ink: int) -> np.ndarray:
    """Pixels of the two long stretches of ``ink`` in the first row that has two: one bar in each panel."""
    for row in picture == ink:
        edges = np.flatnonzero(np.diff(np.concatenate(([0], row, [0]))))
        runs = edges[1::2] - edges[::2]
        if (runs > 20).sum() == 2:
            return runs[runs > 20]
    raise AssertionError(f"no two bars of colour {ink:06x}")


def test_bars_are_as_long_as_the_means(tmp_path):
    methods = [Method(f"a {kind}", kind, lambda pair: pair.rgb) for kind in KINDS]
    values = np.array([[np.array(MEANS[kind]) - 1, np.array(MEANS[kind]) + 1] for kind in KINDS])
    frames = [Frame("night", name, lambda: None) for name in "ab"]
    write_chart(Comparison(methods, frames, ("EN", "SD"), values), tmp_path / "chart.png", "night")
    picture = cv2.imread(str(tmp_path / "chart.png")).astype(int) @ (1, 256, 65536)
    scale = two_runs(picture, INKS["network"]) / MEANS["network"]
    for kind, ink in INKS.items():
        assert two_runs(picture, ink) == pytest.approx(scale * MEANS[kind], abs=2)


def test_names_are_no_formulas(tmp_path):
    methods = [Method(r"MRFS w$\fracx$", "network", lambda pair: pair.rgb)]
    comparison = Comparison(methods, [Frame("night", "a", lambda: None)], ("EN", "SD"), np.array([[[6.0, 40.0]]]))
    write_chart(comparison, tmp_path / "chart.png", r"da$\fracx$")
    assert cv2.imread(str(tmp_path / "chart.png")) is not None


def test_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingPackageError, match=r"the chart needs matplotlib: pip install 'mrfs_ros\[plots\]'"):
        check_matplotlib()
