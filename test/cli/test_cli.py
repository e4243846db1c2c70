"""The program mrfs as a user runs it: real files, exit codes, one line per error."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from mrfs_ros import __version__
from mrfs_ros.camera.image_io import read_rgb, write_png
from mrfs_ros.checkpoint import save_checkpoint
from mrfs_ros.cli.main import main
from mrfs_ros.config import NetworkConfig
from mrfs_ros.geometry.calibration_file import write_calibration
from mrfs_ros.geometry.camera_models import Homography
from mrfs_ros.geometry.registration import load_registration
from mrfs_ros.geometry.warp import outside_fused
from mrfs_ros.network import build_network
from mrfs_ros.types import MFNET


@pytest.fixture
def pair_files(tmp_path, small_pair):
    rgb, thermal = small_pair
    write_png(tmp_path / "street.png", rgb)
    write_png(tmp_path / "street_ir.png", thermal)
    return tmp_path / "street.png", tmp_path / "street_ir.png"


def fuse(rgb, thermal, out, weights="", *more: str) -> int:
    arguments = ["fuse", "--rgb", rgb, "--thermal", thermal, "--out", out, "--device", "cpu", *more]
    return main([str(a) for a in [*arguments, *(["--weights", weights] if weights else [])]])


def test_installed_program_tells_its_version():
    run = subprocess.run([sys.executable, "-m", "mrfs_ros.cli.main", "--version"], capture_output=True, text=True)
    assert (run.returncode, run.stdout.strip()) == (0, f"mrfs_ros {__version__}")


@pytest.mark.parametrize(
    "arguments", [["--help"], *([name, "--help"] for name in ("fuse", "info", "train", "evaluate", "ablate"))]
)
def test_help_shows_examples(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 0
    assert "examples:\n  mrfs " in capsys.readouterr().out


def test_a_pair_becomes_three_images(pair_files, tmp_path, tiny_weights, small_pair, capsys):
    from mrfs_ros import load_engine
    from mrfs_ros.draw import overlay

    assert fuse(*pair_files, tmp_path / "out", tiny_weights) == 0
    expected = load_engine(tiny_weights, device="cpu")(*small_pair)
    assert (read_rgb(tmp_path / "out/street_fused.png") == expected.fused).all()
    labels = cv2.imread(str(tmp_path / "out/street_labels.png"), cv2.IMREAD_UNCHANGED)
    assert (labels == expected.labels).all()
    assert (read_rgb(tmp_path / "out/street_overlay.png") == overlay(expected.fused, labels, MFNET)).all()
    out = capsys.readouterr().out
    assert "1 of 1 pairs fused" in out
    assert "s a frame (median)" in out
    assert "UNTRAINED" not in out


def test_label_groups_are_in_mask_and_overlay(pair_files, tmp_path, tiny_weights, small_pair, capsys):
    from mrfs_ros import load_engine
    from mrfs_ros.draw import overlay
    from mrfs_ros.label_groups import read_label_groups

    (tmp_path / "road.yaml").write_text("groups: {5: {name: any, classes: [bike, color_cone], color: [9, 8, 7]}}")
    groups = read_label_groups(tmp_path / "road.yaml", MFNET)
    options = ("--label-groups", str(tmp_path / "road.yaml"))
    assert fuse(*pair_files, tmp_path / "out", tiny_weights, *options) == 0
    expected = load_engine(tiny_weights, device="cpu")(*small_pair)
    labels = cv2.imread(str(tmp_path / "out/street_labels.png"), cv2.IMREAD_UNCHANGED)
    assert (labels == groups.table[expected.labels]).all() and 5 in labels
    picture = overlay(expected.fused, labels, groups.classes)
    assert (read_rgb(tmp_path / "out/street_overlay.png") == picture).all()
    assert "6 classes (MFNet by road.yaml)" in capsys.readouterr().out
    (tmp_path / "road.yaml").write_text("groups: {5: {name: any, classes: [bikes]}}")
    assert fuse(*pair_files, tmp_path / "out", tiny_weights, *options) == 2
    assert capsys.readouterr().err == (
        f"mrfs: error: label_groups: {tmp_path}/road.yaml: group 5 (any): 'bikes' is no class of MFNet: did you mean "
        "bike?\n"
    )


def test_folders_pair_by_name_and_name_what_is_left(tmp_path, tiny_weights, small_pair, capsys):
    rgb, thermal = small_pair
    for folder, image, names in (("rgb", rgb, "abx"), ("thermal", thermal, "aby")):
        (tmp_path / folder).mkdir()
        for name in names:
            write_png(tmp_path / folder / f"{name}.png", image)
    (tmp_path / "rgb" / "notes.txt").write_text("no image")
    (tmp_path / "rgb" / "c.heic").write_bytes(b"an image of a kind that is not read")
    assert fuse(tmp_path / "rgb", tmp_path / "thermal", tmp_path / "out", tiny_weights) == 3
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == sorted(
        f"{name}_{kind}.png" for name in "ab" for kind in ("fused", "labels", "overlay")
    )
    output = capsys.readouterr()
    assert "2 of 2 pairs fused" in output.out
    counts = "1 rgb images (such as x.png), 1 thermal images (such as y.png)"
    unread = f"{tmp_path / 'rgb'}: files that are not read: 1 (.heic; such as c.heic): convert images to PNG"
    text = f"without a partner in the other folder, left out: {counts}; {unread}"
    assert f"mrfs: warning: {text}" in output.err
    assert text in output.out.splitlines()


@pytest.fixture
def folders(tmp_path, small_pair):
    """Makes two folders of the small pair under these names, or one of both."""

    def made(rgb_names: list[str], thermal_names: list[str], one: bool = False) -> tuple[Path, Path]:
        paths = tmp_path / "rgb", tmp_path / ("rgb" if one else "thermal")
        for path, names, image in zip(paths, (rgb_names, thermal_names), small_pair):
            path.mkdir(exist_ok=True)
            for name in names:
                write_png(path / f"{name}.png", image)
        return paths

    return made


@pytest.mark.parametrize("one", [False, True], ids=["two folders", "one folder"])
def test_names_are_matched_by_what_is_common(folders, tmp_path, tiny_weights, capsys, one):
    paths = folders(["A_rgb", "B_rgb"], ["A_ir", "B_ir"], one)
    assert fuse(*paths, tmp_path / "out", tiny_weights) == 0
    assert {p.name for p in (tmp_path / "out").glob("*_fused.png")} == {"A_fused.png", "B_fused.png"}
    assert "paired by their names: {}_rgb and {}_ir\n" in capsys.readouterr().out


def test_names_that_are_not_clear(folders, tmp_path, tiny_weights, capsys):
    paths = folders(["cam0_1", "cam0_2"], ["cam1_1", "cam1_2"])
    assert fuse(*paths, tmp_path / "out", tiny_weights) == 2
    error = capsys.readouterr().err
    assert "no pairs: " in error
    assert "such as cam0_1.png" in error
    assert "say how they differ by --rgb-name and --thermal-name, such as '{}_RGB'" in error
    patterns = ("--rgb-name", "cam0_{}", "--thermal-name", "cam1_{}")
    assert fuse(*paths, tmp_path / "out", tiny_weights, *patterns) == 0
    assert (tmp_path / "out/1_fused.png").exists()


def test_calibration_and_sizes_as_in_a_bag(tmp_path, tiny_weights, small_pair, capsys):
    """The files' pair is the node's: warped, fused, and cut to what both cameras saw; scaled without a calibration."""
    from mrfs_ros import load_engine

    rgb, thermal = small_pair
    write_png(tmp_path / "a.png", rgb)
    write_png(tmp_path / "a_ir.png", thermal[:, :96])  # another aspect
    homography = Homography(((1.0, 0, 20.0), (0, 1.0, 3.0), (0, 0, 1.0)), (96, 96), rgb.shape[:2])
    write_calibration(tmp_path / "calib.yaml", homography)
    files = tmp_path / "a.png", tmp_path / "a_ir.png", tmp_path / "out", tiny_weights
    assert fuse(*files) == 2
    assert "make a calibration with mrfs calibrate" in capsys.readouterr().err
    assert fuse(*files, "--calibration", str(tmp_path / "calib.yaml")) == 0
    engine = load_engine(tiny_weights, device="cpu")
    warped, warp = load_registration(tmp_path / "calib.yaml").prepared(thermal[:, :96].copy(), rgb.shape[:2])
    expected = outside_fused(engine(rgb, warp(warped)), rgb, warp.valid)
    assert 0.5 < warp.valid.mean() < 0.9
    assert (read_rgb(tmp_path / "out/a_fused.png") == expected.fused).all()
    labels = cv2.imread(str(tmp_path / "out/a_labels.png"), cv2.IMREAD_UNCHANGED)
    assert (labels == expected.labels).all()
    write_png(tmp_path / "a_ir.png", thermal[::2, ::2].copy())
    assert fuse(*files) == 0
    scaled = load_registration("").prepared(thermal[::2, ::2].copy(), rgb.shape[:2])[0]
    assert (read_rgb(tmp_path / "out/a_fused.png") == engine(rgb, scaled).fused).all()


def test_a_file_of_four_channels_is_both_images(pair_files, tmp_path, tiny_weights, small_pair, capsys):
    four = tmp_path / "four.png"
    assert cv2.imwrite(str(four), np.dstack([small_pair[0][:, :, ::-1], small_pair[1]]))
    assert fuse(four, four, tmp_path / "out", tiny_weights) == 0
    assert fuse(*pair_files, tmp_path / "out", tiny_weights) == 0
    images = [(tmp_path / "out" / f"{name}_fused.png").read_bytes() for name in ("four", "street")]
    assert images[0] == images[1]
    assert fuse(pair_files[0], pair_files[0], tmp_path / "out", tiny_weights) == 2
    assert "it is given as rgb and as thermal: give each camera's own file" in capsys.readouterr().err


def test_what_is_assumed_of_images_is_said_once_in_one_line(tmp_path, tiny_weights, small_pair, capsys):
    rgb, thermal = small_pair
    for folder, image in (("rgb", rgb[:, :, 1]), ("thermal", cv2.applyColorMap(thermal, cv2.COLORMAP_JET)[:, :, ::-1])):
        (tmp_path / folder).mkdir()
        for name in "abc":
            write_png(tmp_path / folder / f"{name}.png", image)
    assert fuse(tmp_path / "rgb", tmp_path / "thermal", tmp_path / "out", tiny_weights) == 0
    output = capsys.readouterr()
    assert "3 of 3 pairs fused" in output.out
    told = [line for line in output.err.splitlines() if line.startswith("mrfs: warning: ")]
    assert [line.split(": ")[2] for line in told] == [
        "rgb images are grey",
        "thermal images are in false colours, palette jet",
    ]
    assert "UserWarning" not in output.err and "ImageWarning" not in output.err


def test_files_above_the_limit_are_refused(pair_files, tmp_path, tiny_weights, capsys):
    assert fuse(*pair_files, tmp_path / "out", tiny_weights, "--max-image-pixels", "12287") == 2
    assert (
        "street.png: its header says 96x128 (HxW), 0.01229 million pixels: expected at most" in capsys.readouterr().err
    )
    assert fuse(*pair_files, tmp_path / "out", tiny_weights, "--max-image-pixels", "12288") == 0


def test_a_bad_pair_does_not_stop_the_others(tmp_path, tiny_weights, small_pair, capsys):
    rgb, thermal = small_pair
    for folder, image in (("rgb", rgb), ("thermal", thermal)):
        (tmp_path / folder).mkdir()
        for name in "abc":
            write_png(tmp_path / folder / f"{name}.png", image)
    (tmp_path / "thermal" / "b.png").write_bytes(b"broken")
    assert fuse(tmp_path / "rgb", tmp_path / "thermal", tmp_path / "out", tiny_weights) == 2
    assert (tmp_path / "out" / "c_fused.png").exists()
    output = capsys.readouterr()
    assert "thermal/b.png: is no image" in output.err
    assert "2 of 3 pairs fused" in output.out


def test_untrained_is_said_everywhere(pair_files, tmp_path, capsys):
    assert fuse(*pair_files, tmp_path / "out", "untrained") == 0
    assert "UNTRAINED" in capsys.readouterr().out
    picture = read_rgb(tmp_path / "out/street_overlay.png")
    assert (picture[-26:] == 0).mean() > 0.5  # the dark strip that the text stands on


def bad_inputs(tmp_path, rgb, thermal):
    write_png(tmp_path / "grey.png", thermal)
    cv2.imwrite(str(tmp_path / "float.tiff"), thermal.astype(np.float32))
    write_png(tmp_path / "other_size.png", thermal[:64])
    write_png(tmp_path / "dot.png", np.zeros((1, 1, 3), np.uint8))
    write_png(tmp_path / "dot_ir.png", np.zeros((1, 1), np.uint8))
    (tmp_path / "text.png").write_text("hello")
    (tmp_path / "empty").mkdir()
    street, street_ir = tmp_path / "street.png", tmp_path / "street_ir.png"
    return {
        "missing rgb": ([tmp_path / "nowhere.png", street_ir], "nowhere.png: no such file or folder"),
        "values as rgb": ([tmp_path / "float.tiff", street_ir], "expected 8 or 16 bits per channel, got float32"),
        "one picture twice": ([tmp_path / "grey.png", street_ir], "it is given as rgb and as thermal"),
        "other size": ([street, tmp_path / "other_size.png"], "rgb is 96x128 (HxW) but thermal is 64x128"),
        "one pixel": ([tmp_path / "dot.png", tmp_path / "dot_ir.png"], "at least 32x32 pixels, got 1x1"),
        "text as image": ([street, tmp_path / "text.png"], "is no image that OpenCV reads"),
        "file and folder": ([street, tmp_path / "empty"], "expected two files or two folders"),
        "empty folders": ([tmp_path / "empty", tmp_path / "empty"], "no pairs:"),
        "missing weights": ([street, street_ir, tmp_path / "w.pth"], "no weights file at"),
        "text as weights": ([street, street_ir, tmp_path / "text.png"], "is no PyTorch file"),
    }


def test_bad_input_ends_in_one_line_and_exit_code_2(pair_files, tmp_path, small_pair, capsys):
    for name, (paths, text) in bad_inputs(tmp_path, *small_pair).items():
        rgb, thermal, *weights = paths
        assert fuse(rgb, thermal, tmp_path / "out", *weights) == 2, name
        errors = capsys.readouterr().err.strip()
        assert text in errors, name
        assert errors.startswith("mrfs: error: "), name
        assert len(errors.splitlines()) == 1, name


def test_out_that_is_a_file(pair_files, capsys):
    assert fuse(*pair_files, pair_files[0]) == 2
    assert "cannot be made" in capsys.readouterr().err


def test_info_prints_the_facts(tiny_weights, capsys):
    assert main(["info", str(tiny_weights)]) == 0
    out = capsys.readouterr().out
    for fact in ("mit_b0", "sha256", "9 (MFNet): background, car, person", "head width     32", "made by"):
        assert fact in out


def test_info_prints_nested_facts_one_a_line(tiny_weights, tmp_path, capsys):
    from mrfs_ros.checkpoint import load_network, save_checkpoint

    facts = {"scores": {"mIoU": 0.5, "IoU/car": 0.25}, "settings": {}}
    save_checkpoint(tmp_path / "w.safetensors", load_network(tiny_weights), MFNET, facts)
    assert main(["info", str(tmp_path / "w.safetensors")]) == 0
    *_, first, second, last = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    assert (first, second, last) == (["scores", "mIoU: 0.5"], ["IoU/car:", "0.25"], ["settings", "-"])


def test_info_of_a_variant_names_the_paper_s_costs_beside_its_own(tmp_path, capsys):
    network = build_network(NetworkConfig(semantic_attention="none"))
    save_checkpoint(tmp_path / "variant.safetensors", network, MFNET, {})
    assert main(["info", str(tmp_path / "variant.safetensors")]) == 0
    text = capsys.readouterr().out
    assert "mit_b0 with semantic_attention none" in text
    assert "8.33 M, the paper's network: 10.91 M" in text
    assert "34.9 G, the paper's network: 39.1 G (a pair of 480x640)" in text


def test_info_refuses_what_is_no_network(tmp_path, capsys):
    (tmp_path / "w.pth").write_text("hello")
    assert main(["info", str(tmp_path / "w.pth")]) == 2
    assert capsys.readouterr().err.startswith("mrfs: error: ")
