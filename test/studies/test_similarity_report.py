"""The table, the JSON and the plot of similarities, against means worked out by hand."""

from __future__ import annotations

import json
import sys

import cv2
import pytest

from mrfs_ros.errors import ImageError, MissingPackageError
from mrfs_ros.studies.similarity import PairSimilarity, Similarity
from mrfs_ros.studies.similarity_plot import write_plot
from mrfs_ros.studies.similarity_report import as_json, courses, markdown


def pair(name: str, *ckas: float) -> PairSimilarity:
    """Before IGM-Att all 0.1; after it ``ckas``, and cosines that fall."""
    after = tuple(Similarity(cka, 0.05, 0.5 - 0.1 * i, 0.0) for i, cka in enumerate(ckas))
    return PairSimilarity(name, (Similarity(0.1, 0.1, 0.1, 0.1),) * 4, after)


PAIRS = [pair("a", 0.1, 0.2, 0.3, 0.4), pair("b", 0.3, 0.4, 0.5, 0.8)]


def test_the_table_has_means_and_deviations():
    text = markdown(PAIRS)
    assert "| after IGM-Att | linear CKA | 0.20 ± 0.10 | 0.30 ± 0.10 | 0.40 ± 0.10 | 0.60 ± 0.20 |" in text
    assert "| before IGM-Att | cosine, chance | 0.10 ± 0.00 |" in text
    assert courses(PAIRS) in text
    assert "| after IGM-Att | linear CKA | 0.10 | 0.20 | 0.30 | 0.40 |" in markdown(PAIRS[:1])


def test_it_says_plainly_whether_features_converge():
    lines = courses(PAIRS).splitlines()
    assert (
        lines[2] == "- before IGM-Att, linear CKA does not rise with every block: highest in block 1, lowest in block 1"
    )
    assert lines[4] == "- after IGM-Att, linear CKA rises with every block: highest in block 4, lowest in block 1"
    assert lines[5] == "- after IGM-Att, cosine does not rise with every block: highest in block 1, lowest in block 4"


def test_json_holds_means_and_every_pair():
    content = json.loads(json.dumps(as_json(PAIRS, {"network": "tiny"}), allow_nan=False))
    assert content["facts"] == {"network": "tiny"}
    assert content["blocks"]["after"]["cka"]["mean"] == pytest.approx([0.2, 0.3, 0.4, 0.6])
    assert content["blocks"]["after"]["cka"]["std"] == pytest.approx([0.1, 0.1, 0.1, 0.2])
    assert content["blocks"]["after"]["cosine_chance"]["mean"] == [0, 0, 0, 0]
    assert [entry["name"] for entry in content["pairs"]] == ["a", "b"]
    assert content["pairs"][1]["after"][3]["cka"] == 0.8


@pytest.mark.parametrize("count", [1, 2])
def test_the_plot_is_a_picture(tmp_path, count):
    write_plot(tmp_path / "plot.png", PAIRS[:count], r"w$\fracx$, pairs: 2")  # a file's name, no formula
    picture = cv2.imread(str(tmp_path / "plot.png"))
    assert picture.shape == (420, 1000, 3)
    assert ((picture[:, :, 2] > 150) & (picture[:, :, 0] < 100)).any()  # the red curve


def test_a_plot_that_cannot_be_written(tmp_path):
    with pytest.raises(ImageError, match="cannot be written"):
        write_plot(tmp_path / "nowhere" / "plot.png", PAIRS, "")


def test_without_matplotlib_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(
        MissingPackageError, match=r"^similarity.png needs matplotlib: pip install 'mrfs_ros\[plots\]'$"
    ):
        write_plot(tmp_path / "plot.png", PAIRS, "")
