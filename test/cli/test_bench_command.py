"""The command mrfs bench as a user runs it: table, files, what auto knows afterwards, and refusals."""

from __future__ import annotations

import json

import pytest

from mrfs_ros import load_engine
from mrfs_ros.cli.main import main

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("operators_loaded", "empty_cache")]


def bench(*arguments) -> int:
    try:
        return main(["bench", "--device", "cpu", *map(str, arguments)])
    except SystemExit as end:  # argparse
        return end.code


def test_it_prints_the_table_keeps_it_and_auto_goes_by_it(tiny_weights, tmp_path, capsys):
    assert "mrfs bench measures which is fastest" in load_engine(tiny_weights, device="cpu").info.reason
    small = ("--sizes", "64x96,32x32", "--rounds", 2, "--backends", "torch,torch-plain")
    assert bench("--weights", tiny_weights, *small, "--out", tmp_path / "new") == 0
    output = capsys.readouterr().out
    assert output == (tmp_path / "new" / "bench.md").read_text()
    assert output.count("| mit_b0 | 64x96 | 1 | ") == output.count("| mit_b0 | 32x32 | 1 | ") == 3
    facts = json.loads((tmp_path / "new" / "bench.json").read_text())
    first, second = facts["side by side"]
    assert (first["size"], second["size"]) == ([64, 96], [32, 32])
    times = {timing["backend"]: timing["median_ms"] for timing in first["backends"]}
    assert list(times) == ["eager", "torch", "torch-plain"]
    info = load_engine(tiny_weights, device="cpu").info
    assert info.backend == min(times, key=times.get)
    assert info.reason.startswith(f"measured here on {facts['date']} at 64x96: {info.backend} ")
    assert all(f"{name} " in info.reason for name in times)


def test_encoder_sides_are_measured_each(tiny_weights, tmp_path, capsys):
    small = ("--sizes", "64x96", "--rounds", 1, "--backends", "torch-plain", "--encoder-sides", "0,32,64")
    assert bench("--weights", tiny_weights, *small, "--out", tmp_path) == 0
    output = capsys.readouterr().out
    assert output.count("| torch-plain | 32 | ") == output.count("| eager | 32 | ") == 1
    assert output.count("| eager | 0 | ") == 2  # 64 is the own size of 64x96
    sides = [case["encoder_side"] for case in json.loads((tmp_path / "bench.json").read_text())["side by side"]]
    assert sides == ["0", "32", "0"]


def test_batches_are_measured_but_auto_goes_by_single_pairs(empty_cache, capsys):
    small = ("--sizes", "32x32", "--rounds", 1, "--backends", "eager")
    assert bench("--untrained", "mit_b0,mit_b1", *small, "--batches", 2) == 0
    output = capsys.readouterr().out
    for variant in ("mit_b0", "mit_b1"):
        assert f"| {variant} | 32x32 | 2 | eager | " in output
    assert not list(empty_cache.glob("speeds-*"))


def test_a_cache_that_cannot_be_written_is_a_warning(tiny_weights, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tiny_weights))
    assert bench("--weights", tiny_weights, "--sizes", "32x32", "--rounds", 1, "--backends", "torch") == 0
    output = capsys.readouterr()
    assert "| mit_b0 | 32x32 | 1 | eager | " in output.out
    assert "mrfs: warning: " in output.err
    assert "set XDG_CACHE_HOME to a folder of yours" in output.err


@pytest.mark.parametrize(
    "arguments, text",
    [
        (["--backends", "magic"], "--backends magic: expected some of eager, torch, torch-plain, onnx, openvino"),
        (["--backends", "torch,auto"], "--backends auto: expected some of eager, torch, torch-plain, onnx, openvino"),
        (["--backends", "torch,"], "--backends: expected entries with commas between them, got 'torch,'"),
        (["--sizes", "10x10"], "--sizes: expected HEIGHTxWIDTH from 32x32 up, such as 480x640, got '10x10'"),
        (["--sizes", "640"], "--sizes: expected HEIGHTxWIDTH from 32x32 up, such as 480x640, got '640'"),
        (["--sizes", ""], "--sizes: expected entries with commas between them, got ''"),
        (["--rounds", "0"], "--rounds: expected a whole number from 1 up, got '0'"),
        (["--rounds", "few"], "--rounds: expected a whole number from 1 up, got 'few'"),
        (["--batches", "0"], "--batches: expected a whole number from 1 up, got '0'"),
        (["--batches", "1,x"], "--batches: expected a whole number from 1 up, got 'x'"),
        (["--precision", "fp8"], "--precision: invalid choice: 'fp8'"),
        (["--precision", "fp16"], "precision fp16 is for backend torch on CUDA"),
        (["--untrained", "mit_b9"], "unknown variant 'mit_b9': expected one of mit_b0, "),
        (["--untrained", "mit_b0", "--weights", "w.pth"], "--weights: not allowed with argument --untrained"),
        (["--weights", "nowhere.pth"], "no weights file at "),
        (["--encoder-sides", "20"], "whole pixels from 32 up, the smallest that works, got '20'"),
        (["--encoder-sides", "0,auto"], "encoder_side: auto is measured by the live node alone"),
        (["--encoder-sides", "64"], "encoder_side 64 is larger than the short side of an image of 32x32 (HxW)"),
    ],
)
def test_bad_arguments_end_in_one_line_and_exit_code_2(arguments, text, capsys):
    cheap = {"--backends": "eager", "--rounds": "1", "--sizes": "32x32"}  # should it run in spite of them
    assert bench(*(x for name, value in cheap.items() if name not in arguments for x in (name, value)), *arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    *usage, line = output.err.strip().splitlines()
    assert text in line
    assert line.startswith(("mrfs: error: ", "mrfs bench: error: argument "))
    assert not usage or usage[0].startswith("usage: mrfs bench ")


def test_out_that_is_a_file(tiny_weights, capsys):
    small = ("--weights", tiny_weights, "--sizes", "32x32", "--rounds", 1, "--backends", "eager")
    assert bench(*small, "--out", tiny_weights) == 2
    output = capsys.readouterr()
    assert (output.out, output.err) == (
        "", f"mrfs: error: {tiny_weights}: cannot be made (File exists): choose another folder\n",
    )  # fmt: skip


def test_help_shows_examples(capsys):
    assert bench("--help") == 0
    assert "examples:\n  mrfs bench\n" in capsys.readouterr().out
