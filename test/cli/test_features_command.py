"""``mrfs features`` as a user runs it: sheets, table, plot, one line per error."""

from __future__ import annotations

import json
import sys

import pytest

from mrfs_ros.camera.image_io import read_rgb, write_png
from mrfs_ros.cli.main import main
from mrfs_ros.engine.load import load_model
from mrfs_ros.studies.feature_maps import FeatureReader
from mrfs_ros.studies.similarity import pair_similarity

pytestmark = pytest.mark.slow  # seconds together: not for the core suite


@pytest.fixture
def folders(tmp_path, small_pair):
    """Pairs a and b, and c without a partner."""
    rgb, thermal = small_pair
    for folder, image, names in (("rgb", rgb, "abc"), ("thermal", thermal, "ab")):
        (tmp_path / folder).mkdir()
        for name in names:
            write_png(tmp_path / folder / f"{name}.png", image)
    return tmp_path / "rgb", tmp_path / "thermal"


def features(rgb, thermal, out, weights) -> int:
    words = ["features", "--rgb", rgb, "--thermal", thermal, "--out", out, "--weights", weights, "--device", "cpu"]
    return main([str(word) for word in words])


def test_folders_become_sheets_and_numbers(folders, tmp_path, small_weights, small_pair, capsys):
    assert features(*folders, tmp_path / "out", small_weights) == 3  # an image was left out
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "features_a.jpg", "features_b.jpg", "similarity.json", "similarity.png",
    ]  # fmt: skip
    assert read_rgb(tmp_path / "out/features_a.jpg").shape == (2 * 26 + 3 * (26 + 237), 5 * 320 + 48, 3)
    expected = pair_similarity("a", FeatureReader(load_model(small_weights), "cpu")(*small_pair)[0])
    content = json.loads((tmp_path / "out/similarity.json").read_text())
    assert content["blocks"]["after"]["cka"]["mean"] == pytest.approx([block.cka for block in expected.after])
    printed = capsys.readouterr()
    assert "2 of 2 pairs drawn" in printed.out
    assert f"| after IGM-Att | linear CKA | {expected.after[0].cka:.2f} ± 0.00 |" in printed.out
    assert "without a partner in the other folder, left out: 1 rgb images (such as c.png)" in printed.err


def test_a_bad_pair_is_named_and_the_others_go_on(folders, tmp_path, small_weights, capsys):
    write_png(folders[1] / "b.png", read_rgb(folders[0] / "b.png")[:64, :, 0].copy())
    assert features(*folders, tmp_path / "out", small_weights) == 2
    printed = capsys.readouterr()
    assert "1 of 2 pairs drawn" in printed.out
    assert "b.png: rgb is 96x128 (HxW) but thermal is 64x128" in printed.err
    assert (tmp_path / "out/features_a.jpg").exists() and not (tmp_path / "out/features_b.jpg").exists()


@pytest.mark.parametrize(
    "rgb, weights, text",
    [
        ("nowhere.png", "{tiny}", "nowhere.png: no such file or folder"),
        ("{rgb}", "exported.onnx", "exported.onnx: expected a weights file (.pth, .safetensors)"),
        ("{rgb}", "nowhere.pth", "no weights file at"),
    ],
)
def test_what_cannot_be_used_ends_in_one_line(folders, tmp_path, small_weights, capsys, rgb, weights, text):
    words = (rgb.format(rgb=folders[0] / "a.png"), folders[1] / "a.png", tmp_path / "out", weights)
    assert features(*words[:3], weights.format(tiny=small_weights)) == 2
    errors = capsys.readouterr().err.strip()
    assert errors.startswith("mrfs: error: ")
    assert text in errors
    assert len(errors.splitlines()) == 1


def test_without_matplotlib_all_but_the_plot_is_there(folders, tmp_path, small_weights, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert features(folders[0] / "a.png", folders[1] / "a.png", tmp_path / "out", small_weights) == 2
    printed = capsys.readouterr()
    assert printed.err.strip().endswith("similarity.png needs matplotlib: pip install 'mrfs_ros[plots]'")
    assert "| after IGM-Att | linear CKA |" in printed.out
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["features_a.jpg", "similarity.json"]
