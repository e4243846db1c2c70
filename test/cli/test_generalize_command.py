"""``mrfs generalize`` as a user runs it: a folder of pairs in, tables and pictures out, one line per error."""

from __future__ import annotations

import csv
import json
import shutil

import cv2
import pytest

from mrfs_ros import load_engine
from mrfs_ros.cli.main import main
from mrfs_ros.evaluation.metrics import fusion_metrics
from mrfs_ros.geometry.calibration_file import write_calibration
from mrfs_ros.geometry.camera_models import Homography
from mrfs_ros.studies.classical_fusion import laplacian_pyramid

METHODS = ["rgb alone", "thermal alone", "average", "maximum", "Laplacian pyramid", "guided filter"]


@pytest.fixture
def street(tmp_path, small_pair):
    """Two pairs in the layout of LLVIP, another method's outputs for them, and one output that is too small."""
    rgb, thermal = small_pair
    folders = {"street/visible/test": rgb, "street/infrared/test": thermal, "theirs": rgb[::-1], "small": rgb[1:]}
    for folder, image in folders.items():
        (tmp_path / folder).mkdir(parents=True)
        for name in ("a", "b"):
            assert cv2.imwrite(str(tmp_path / folder / f"{name}.png"), image[..., ::-1] if image.ndim == 3 else image)
    shutil.copytree(tmp_path / "theirs", tmp_path / "half")
    (tmp_path / "half" / "b.png").unlink()
    return tmp_path / "street"


def generalize(*arguments) -> int:
    return main(["generalize", *map(str, arguments), "--device", "cpu", "--backend", "eager"])


@pytest.mark.slow
def test_a_folder_is_compared(street, tmp_path, small_weights, small_pair, capsys):
    out = tmp_path / "out"
    theirs = f"SeAFusion={tmp_path / 'theirs'}"
    arguments = ("--layout", "llvip", "--weights", small_weights, "--fused", theirs, "--out", out)
    assert generalize("--root", street, *arguments) == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "contact_sheet.jpg", "frames.csv", "generalization.png", "scores.json", "scores.md",
    ]  # fmt: skip
    printed = capsys.readouterr().out
    assert (out / "scores.md").read_text(encoding="utf-8") in printed
    assert "| data | street test: 2 pairs |" in printed
    assert f"| given SeAFusion | images in {tmp_path / 'theirs'} |" in printed
    methods = [*METHODS, "SeAFusion", "MRFS mit_b0"]
    rows = list(csv.DictReader((out / "frames.csv").open()))
    assert [(row["frame"], row["method"]) for row in rows] == [(name, m) for name in "ab" for m in methods]
    rgb, thermal = small_pair
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    fused = load_engine(small_weights, "cpu", "eager")(rgb, thermal).fused
    images = {
        "Laplacian pyramid": laplacian_pyramid(grey, thermal),
        "SeAFusion": grey[::-1],
        "MRFS mit_b0": cv2.cvtColor(fused, cv2.COLOR_RGB2GRAY),
    }
    scores = json.loads((out / "scores.json").read_text())["methods"]
    for method, image in images.items():
        expected = fusion_metrics(image, grey, thermal)
        assert scores[method]["mean"] == pytest.approx({metric: expected[metric] for metric in scores[method]["mean"]})
        assert scores[method]["standard_deviation"]["SD"] == pytest.approx(0, abs=1e-9)  # twice the same pair
    assert cv2.imread(str(out / "contact_sheet.jpg")).shape == (2 * (26 + 240), len(methods) * 320, 3)


@pytest.mark.slow
def test_several_networks_quickly_and_no_labels(street, tmp_path, small_weights, capsys):
    (street / "test").mkdir()
    for own, msrs in (("visible", "vi"), ("infrared", "ir")):
        shutil.move(street / own / "test", street / "test" / msrs)
    (street / "test" / "Segmentation_labels").mkdir()
    (street / "test" / "Segmentation_labels" / "a.png").write_text("no image, and none for b")
    runs = [tmp_path / run / "best.safetensors" for run in ("one", "other")]
    for path in runs:
        path.parent.mkdir()
        shutil.copy(small_weights, path)
    weights = [word for path in (*runs, "untrained") for word in ("--weights", path)]
    out = tmp_path / "out"
    arguments = ("--layout", "msrs", "--every", "2", "--quick", "--sheet", "1", "--out", out)
    assert generalize("--root", street, *arguments, *weights) == 0
    scores = json.loads((out / "scores.json").read_text())
    assert list(scores["methods"]) == [*METHODS, "MRFS one/best", "MRFS other/best", "MRFS mit_b0, UNTRAINED"]
    assert scores["methods"]["MRFS one/best"]["mean"] == scores["methods"]["MRFS other/best"]["mean"]
    assert list(scores["methods"]["average"]["mean"]) == ["EN", "SD", "SF", "AG"]
    assert scores["frames"] == 1
    assert scores["facts"]["data"] == "street test: 2 pairs; of each, one in 2"
    assert "UNTRAINED network: random weights" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments, text",
    [
        ([], "expected a training configuration or --root FOLDER, one of them"),
        (["--root", "nowhere"], "dataset root 'nowhere': expected a folder"),
        (["--root", "{root}", "--split", "../street"], "expected a folder or a list inside"),
        (["--root", "{root}", "--fused", "A={root}/no"], "expected a folder of fused images, there is none"),
        (["--root", "{root}", "--fused", "A={root}/../half"], "of each of 2 pairs, 1 are missing: b"),
        (["--root", "{root}", "--fused", "A={root}/../small"], "a.png: is 95x128 (HxW), but the pair is 96x128"),
        (["--root", "{root}", *["--fused", "A={root}/../theirs"] * 2], "2 methods are named 'A'"),
        (["--root", "{root}", "--fused", "average={root}/../theirs"], "2 methods are named 'average'"),
        (["--root", "{root}", "--weights", "no.pth"], "no.pth"),
    ],
)
def test_what_cannot_be_compared(street, tmp_path, small_weights, capsys, arguments, text):
    words = [word.format(root=street) for word in arguments]
    weights = [] if "--weights" in arguments else ["--weights", small_weights]
    assert generalize("--layout", "llvip", *words, *weights, "--quick", "--out", tmp_path / "out") == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("mrfs: error: ")]
    assert len(errors) == 1
    assert text in errors[0]


@pytest.mark.parametrize("given", ["theirs", "=theirs", "theirs=", "../up=theirs", "a|b=theirs", "..=theirs", "a\nb=x"])
def test_fused_that_is_no_name_and_folder(given, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["generalize", "--root", "anywhere", "--out", "out", "--fused", given])
    assert stop.value.code == 2
    assert "expected NAME=DIR, such as SeAFusion=out/sea" in capsys.readouterr().err


@pytest.mark.slow
def test_cameras_that_are_not_aligned(street, tmp_path, small_weights, capsys):
    for name in ("a", "b"):
        path = street / "infrared/test" / f"{name}.png"
        assert cv2.imwrite(str(path.with_stem(f"{name}_ir")), cv2.imread(str(path), 0)[:, :96])
        path.unlink()
    homography = Homography(((1.0, 0, 20.0), (0, 1.0, 0), (0, 0, 1.0)), (96, 96), (96, 128))
    write_calibration(tmp_path / "calib.yaml", homography)
    arguments = (
        "--root",
        street,
        "--layout",
        "llvip",
        "--weights",
        small_weights,
        "--out",
        tmp_path / "out",
        "--quick",
    )
    assert generalize(*arguments) == 2
    assert "make a calibration with mrfs calibrate" in capsys.readouterr().err
    assert generalize(*arguments, "--calibration", tmp_path / "calib.yaml", "--thermal-name", "{}_ir") == 0
    assert "{} and {}_ir" in capsys.readouterr().out
