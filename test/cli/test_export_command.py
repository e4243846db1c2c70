"""The command mrfs export as a user runs it: a file that mrfs fuse takes, and refusals."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import numpy as np
import pytest

from mrfs_ros import load_engine
from mrfs_ros.camera.image_io import read_rgb, write_png
from mrfs_ros.checkpoint import sha256_of
from mrfs_ros.cli.main import main
from mrfs_ros.engine.onnx_file import read_onnx
from mrfs_ros.types import MFNET


def mrfs(*arguments) -> int:
    try:
        return main([str(argument) for argument in arguments])
    except SystemExit as end:  # argparse
        return end.code


@pytest.fixture(scope="session")
def exported_saying(tiny_weights, tmp_path_factory) -> tuple[Path, str]:
    """An exported file, and what the command printed."""
    path = tmp_path_factory.mktemp("exported") / "new" / "tiny.onnx"
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        assert mrfs("export", "--weights", tiny_weights, "--size", "96x128", "--onnx", path) == 0
    return path, printed.getvalue()


@pytest.fixture(scope="module")
def exported(exported_saying) -> Path:
    return exported_saying[0]


@pytest.fixture
def pair_files(tmp_path, small_pair) -> tuple[Path, Path]:
    for name, image in zip(("street.png", "street_ir.png"), small_pair):
        write_png(tmp_path / name, image)
    return tmp_path / "street.png", tmp_path / "street_ir.png"


@pytest.mark.slow
def test_a_weights_file_becomes_an_onnx_file(exported, tiny_weights):
    file = read_onnx(exported)
    assert (file.shape, file.classes, file.config.variant) == ((1, 96, 128), MFNET, "mit_b0")
    assert tiny_weights.name in str(file.provenance)
    assert sha256_of(tiny_weights) in str(file.provenance)
    assert list(exported.parent.iterdir()) == [exported]


@pytest.mark.slow
def test_it_says_what_it_wrote_and_that_it_checked(exported_saying):
    path, printed = exported_saying
    written, checked = printed.splitlines()
    assert written == f"{path}: mit_b0, 9 classes (MFNet)"
    assert checked.startswith("checked in ONNX Runtime: ")


@pytest.mark.slow
def test_fuse_takes_the_file(exported, tiny_weights, pair_files, small_pair, tmp_path, capsys):
    rgb, thermal = pair_files
    images = ("--rgb", rgb, "--thermal", thermal, "--out", tmp_path / "out", "--device", "cpu")
    assert mrfs("fuse", *images, "--weights", exported) == 0
    output = capsys.readouterr().out
    assert "onnx (CPU) on cpu, " in output
    assert "1 of 1 pairs fused" in output
    expected = load_engine(tiny_weights, device="cpu", backend="eager")(*small_pair).fused
    assert np.abs(read_rgb(tmp_path / "out" / "street_fused.png").astype(int) - expected).max() <= 1


@pytest.mark.slow
def test_fuse_names_the_size_that_the_file_is_for(exported, pair_files, small_pair, tmp_path, capsys):
    rgb, thermal = pair_files
    for path, image in zip(pair_files, small_pair):
        write_png(path, image[:64])
    images = ("--rgb", rgb, "--thermal", thermal, "--out", tmp_path / "out", "--device", "cpu")
    assert mrfs("fuse", *images, "--weights", exported) == 2
    errors = capsys.readouterr().err
    assert "exported for 1 pair(s) of 96x128 (HxW), got 1 pair(s) of 64x128 (HxW): mrfs export " in errors
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.slow
def test_fuse_refuses_classes_that_the_file_has_not(exported, pair_files, tmp_path, capsys):
    images = ("--rgb", pair_files[0], "--thermal", pair_files[1], "--out", tmp_path / "out", "--device", "cpu")
    assert mrfs("fuse", *images, "--weights", exported, "--classes", "PST900") == 2
    assert "PST900 (5) was asked for" in capsys.readouterr().err


@pytest.mark.slow
def test_info_tells_what_the_file_takes(exported, capsys):
    assert mrfs("info", exported) == 0
    output = capsys.readouterr().out
    for fact in ("mit_b0", "1 pair(s) of 96x128 (HxW)", "9 (MFNet): background, car", "tiny.safetensors"):
        assert fact in output


@pytest.mark.parametrize(
    "arguments, text",
    [
        (["--onnx", "x.txt"], "--onnx x.txt: expected the name of a file that ends in .onnx"),
        (["--onnx", "x.onnx", "--batch", "0"], "--batch: expected a whole number from 1 up, got '0'"),
        (["--onnx", "x.onnx", "--batch", "two"], "--batch: expected a whole number from 1 up, got 'two'"),
        (["--onnx", "x.onnx", "--size", "10x10"], "--size: expected HEIGHTxWIDTH from 32x32 up, such as 480x640"),
        (["--onnx", "x.onnx", "--weights", "nowhere.pth"], "no weights file at "),
        (["--onnx", "x.onnx", "--classes", "PST900"], "has 9 classes, but class set PST900 has 5"),
        (["--onnx", "file/x.onnx"], "file: cannot be made (File exists): choose another folder"),
        (["--onnx", "file/below/x.onnx"], "file/below: cannot be made (Not a directory): choose another folder"),
        (["--onnx", "folder.onnx"], "--onnx folder.onnx: expected the name of a file that ends in .onnx"),
        ([], "the following arguments are required: --onnx"),
    ],
)
def test_bad_arguments_end_in_one_line_and_exit_code_2(tiny_weights, tmp_path, monkeypatch, arguments, text, capsys):
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("no folder")
    Path("folder.onnx").mkdir()
    weights = [] if "--weights" in arguments else ["--weights", tiny_weights]
    assert mrfs("export", *weights, *arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    *usage, line = output.err.strip().splitlines()
    assert text in line
    assert line.startswith(("mrfs: error: ", "mrfs export: error: "))
    assert not usage or usage[0].startswith("usage: mrfs export ")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder.onnx"]


def test_help_shows_examples(capsys):
    assert mrfs("export", "--help") == 0
    assert "examples:\n  mrfs export --onnx " in capsys.readouterr().out
