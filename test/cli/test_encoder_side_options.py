"""``--encoder-side`` of the commands: it changes their results as it does the engine's, and errors are one line."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from bags import images, pairs, read_bag, write_bag

from mrfs_ros import load_engine
from mrfs_ros.camera.image_io import read_rgb, write_png
from mrfs_ros.checkpoint import save_checkpoint
from mrfs_ros.cli.main import main
from mrfs_ros.types import MFNET

pytestmark = pytest.mark.slow  # seconds together: not for the core suite


@pytest.fixture(scope="module")
def sided_weights(small_weights, tmp_path_factory):
    from mrfs_ros import load_network

    path = tmp_path_factory.mktemp("sided") / "tiny64.safetensors"
    save_checkpoint(path, load_network(small_weights), MFNET, {}, encoder_side=64)
    return path


@pytest.fixture
def folder(tmp_path, small_pair):
    """One labelled pair in the folder layout."""
    rgb, thermal = small_pair
    label = np.where(thermal > 150, 2, 0).astype(np.uint8)
    for name, image in (("rgb", rgb), ("thermal", thermal), ("label", label)):
        (tmp_path / "data" / name).mkdir(parents=True)
        write_png(tmp_path / "data" / name / "a.png", image)
    return tmp_path / "data"


def fused_by(weights, side, pair):
    return load_engine(weights, "cpu", "eager", encoder_side=side)(*pair).fused


@pytest.mark.parametrize("options, side", [((), 64), (("--encoder-side", 48), 48), (("--encoder-side", 0), 0)])
def test_fuse(folder, tmp_path, sided_weights, small_pair, options, side):
    inputs = ("--rgb", folder / "rgb", "--thermal", folder / "thermal", "--weights", sided_weights)
    assert main([str(a) for a in ("fuse", *inputs, "--backend", "eager", *options, "--out", tmp_path / "out")]) == 0
    assert (read_rgb(tmp_path / "out/a_fused.png") == fused_by(sided_weights, side, small_pair)).all()


@pytest.mark.parametrize("options, side", [((), 64), (("--encoder-side", 48), 48)])
def test_bag(tmp_path, sided_weights, options, side):
    source = write_bag(tmp_path / "drive", pairs(2, size=(96, 128)))
    command = ("bag", source, "--weights", sided_weights, "--backend", "eager", "--out", tmp_path / "made", *options)
    assert main([str(a) for a in command]) == 0
    inputs, made = read_bag(source), read_bag(tmp_path / "made")
    triples = [images(x).values() for x in (inputs["/rgb/image"], inputs["/thermal/image"], made["/mrfs/fused"])]
    for rgb, thermal, fused in zip(*triples):
        assert (fused == fused_by(sided_weights, side, (rgb, thermal))).all()


def test_bag_reads_it_from_the_nodes_file_and_an_option_goes_before(tmp_path, sided_weights, capsys):
    source = write_bag(tmp_path / "drive", pairs(2, size=(96, 128)))
    (tmp_path / "robot.yaml").write_text("/**: {ros__parameters: {encoder_side: 48}}")
    command = (
        "bag",
        source,
        "--weights",
        sided_weights,
        "--backend",
        "eager",
        "--params-file",
        tmp_path / "robot.yaml",
    )
    assert main([str(a) for a in (*command, "--csv", tmp_path / "a.csv")]) == 0
    assert "encoder side 48 pixels, " in capsys.readouterr().out
    assert main([str(a) for a in (*command, "--csv", tmp_path / "b.csv", "--encoder-side", "weights")]) == 0
    assert "encoder side 64 pixels (as the weights file says), " in capsys.readouterr().out


def test_bag_refuses_what_only_a_live_node_can_measure(tmp_path, sided_weights, capsys):
    source = write_bag(tmp_path / "drive", pairs(2, size=(96, 128)))
    (tmp_path / "robot.yaml").write_text("/**: {ros__parameters: {encoder_side: auto, target_rate_hz: 30.0}}")
    command = ("bag", source, "--weights", sided_weights, "--params-file", tmp_path / "robot.yaml")
    assert main([str(a) for a in (*command, "--csv", tmp_path / "a.csv")]) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("mrfs: error: encoder_side: auto is measured by the live node alone")
    assert len(error.splitlines()) == 1


def test_evaluate(folder, tmp_path, sided_weights):
    scores = {}
    for side in ("weights", "48", "0"):
        out = tmp_path / f"out{side}"
        command = ("evaluate", "--root", folder, "--weights", sided_weights, "--backend", "eager", "--out", out)
        assert main([str(a) for a in (*command, "--encoder-side", side)]) == 0
        scores[side] = json.loads((out / "scores.json").read_text())
    assert scores["weights"]["facts"]["encoder side"] == "64 pixels (as the weights file says)"
    assert scores["48"]["facts"]["encoder side"] == "48 pixels"
    assert len({content["groups"]["all"]["fusion"]["fused"]["EN"] for content in scores.values()}) == 3


def test_evaluate_in_windows_is_the_papers_way(folder, tmp_path, sided_weights, capsys):
    command = ("evaluate", "--root", folder, "--weights", sided_weights, "--window", "64x96", "--no-fusion")
    assert main([str(a) for a in (*command, "--out", tmp_path / "out")]) == 0
    facts = json.loads((tmp_path / "out/scores.json").read_text())["facts"]
    assert facts["encoder side"] == "the image's own size"
    assert main([str(a) for a in (*command, "--out", tmp_path / "out", "--encoder-side", "48")]) == 2
    assert "--window shows the encoders its own size, as the paper does: leave" in capsys.readouterr().err


def test_export_and_what_loads_it(tmp_path, sided_weights, small_pair, capsys):
    path = tmp_path / "side.onnx"
    command = ("export", "--weights", sided_weights, "--size", "96x128", "--onnx", path)
    assert main([str(a) for a in (*command, "--encoder-side", 48)]) == 0
    assert "encoders see pairs at 48x64 (HxW)" in capsys.readouterr().out
    fused = load_engine(path, "cpu")(*small_pair).fused
    assert np.abs(fused.astype(int) - fused_by(sided_weights, 48, small_pair)).max() <= 1
    assert main(["info", str(path)]) == 0
    assert "encoder side 48 pixels (as exported)" in " ".join(capsys.readouterr().out.split())
    for name, image in zip(("rgb", "thermal"), small_pair):
        write_png(tmp_path / f"{name}.png", image)
    pair = ("--rgb", tmp_path / "rgb.png", "--thermal", tmp_path / "thermal.png", "--out", tmp_path / "out")
    assert main([str(a) for a in ("fuse", *pair, "--weights", path, "--encoder-side", "64")]) == 2
    assert f"{path} was exported with encoder side 48, asked for is 64 pixels" in capsys.readouterr().err


def test_features_follow_it(folder, tmp_path, sided_weights):
    sheets = []
    for side in ("0", "48"):
        out = tmp_path / side
        pair = ("--rgb", folder / "rgb", "--thermal", folder / "thermal", "--weights", sided_weights, "--out", out)
        assert main([str(a) for a in ("features", *pair, "--encoder-side", side)]) == 0
        sheets.append(cv2.imread(str(out / "features_a.jpg")))
    assert sheets[0].shape != sheets[1].shape or (sheets[0] != sheets[1]).any()


def test_info_says_it(small_weights, sided_weights, capsys):
    for weights, said in (
        (sided_weights, "64 pixels (as the weights file says)"),
        (small_weights, "the image's own size"),
    ):
        assert main(["info", str(weights)]) == 0
        assert f"encoder side {said}" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    "side, text",
    [
        ("20", "or whole pixels from 32 up, the smallest that works, got '20'"),
        ("half", "encoder_side: expected weights (as the weights file says), auto (the node alone), 0"),
        ("97", "encoder_side 97 is larger than the short side of an image of 96x128 (HxW): expected 0"),
        ("auto", "encoder_side: auto is measured by the live node alone"),
    ],
)
@pytest.mark.parametrize("command", ["fuse", "export"])
def test_bad_sides_end_in_one_line_and_exit_code_2(folder, tmp_path, small_weights, capsys, command, side, text):
    pair = ("--rgb", folder / "rgb", "--thermal", folder / "thermal", "--out", tmp_path / "out", "--backend", "eager")
    options = pair if command == "fuse" else ("--size", "96x128", "--onnx", tmp_path / "w.onnx")
    assert main([str(a) for a in (command, *options, "--weights", small_weights, "--encoder-side", side)]) == 2
    errors = capsys.readouterr().err.strip()
    assert text in errors
    assert errors.startswith("mrfs: error: ")
    assert len(errors.splitlines()) == 1
    assert not (tmp_path / "w.onnx").exists()
