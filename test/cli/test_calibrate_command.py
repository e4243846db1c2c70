"""mrfs calibrate: from the command line to files, and what it refuses."""

from __future__ import annotations

import re

import cv2
import numpy as np
import pytest
from bags import message, write_bag
from made_scenes import ShakenCameras, chessboard, distance_px, pseudo_thermal, sample_pairs, seen_through, truth

from mrfs_ros.camera.image_io import write_png
from mrfs_ros.cli.main import main
from mrfs_ros.geometry.calibration_file import read_calibration, write_calibration
from mrfs_ros.geometry.camera_models import Homography
from mrfs_ros.geometry.registration import load_registration

SIZE = (256, 320)
TRUTH = truth(SIZE, (0.9, 20, -12, 2.0))


@pytest.fixture
def calibrate(tmp_path, monkeypatch, capsys):
    """Runs ``mrfs calibrate`` in an empty folder; returns (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)

    def run(*options: object) -> tuple[int, str, str]:
        code = main(["calibrate", *map(str, options)])
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def folders(tmp_path):
    """rgb/ and thermal/ of two samples, the thermal images made from the rgb ones, warped by TRUTH."""
    for name, (rgb, _) in zip("ab", sample_pairs(["190001", "190004"], SIZE[1])):
        for folder, image in (("rgb", rgb), ("thermal", seen_through(pseudo_thermal(rgb), TRUTH))):
            (tmp_path / folder).mkdir(exist_ok=True)
            write_png(tmp_path / folder / f"{name}.png", image)
    return "--rgb", tmp_path / "rgb", "--thermal", tmp_path / "thermal"


def stamped(topic: str, pixels: np.ndarray, stamp_ns: int):
    return topic, stamp_ns, *message(pixels, stamp_ns, "camera")


@pytest.mark.slow
def test_folders_to_a_file_that_the_node_reads(calibrate, folders, tmp_path):
    code, out, _ = calibrate(*folders, "--out", "calib.yaml")
    assert code == 0
    assert re.search(r"edge correlation 0\.\d+ before, 0\.\d+ after", out) and "made calib.yaml\n" in out
    found = read_calibration(tmp_path / "calib.yaml")
    assert distance_px(found.matrix, TRUTH, SIZE) < 0.5
    assert load_registration("calib.yaml").warp(np.zeros(SIZE, np.uint8), SIZE)[0].shape == SIZE
    assert cv2.imread("calib.png").shape[1] == 1280
    assert (tmp_path / "calib.yaml").read_text().startswith("# Made by mrfs calibrate from 2 pairs of files.\n# ")
    code, _, err = calibrate(*folders, "--out", "calib.yaml")
    assert code == 2 and "calib.yaml exists already: --force replaces it" in err
    code, *_ = calibrate(*folders, "--out", "calib.yaml", "--force", "--max-pairs", 1, "--initial", "0.88,18,-10,1")
    assert code == 0


def test_a_board_in_a_bag(calibrate, tmp_path):
    place = np.array([(0.42, 0.03, 40), (-0.02, 0.4, 40), (1e-4, -5e-5, 1)])
    drawn = chessboard(place, SIZE)
    thermal = 255 - chessboard(np.linalg.inv(TRUTH) @ place, SIZE)
    rgb = np.repeat(drawn[:, :, None], 3, axis=2)
    messages = [
        stamped(topic, pixels, 10**18 + i * 10**8 + lag)
        for i in range(3)
        for topic, pixels, lag in (("/rgb/image", rgb, 0), ("/thermal/image", thermal, 4_000_000))
    ]
    bag = write_bag(tmp_path / "board", messages)
    code, out, _ = calibrate("--bag", bag, "--every", 2, "--pattern", "chessboard", "9x6", "--out", "c.yaml")
    assert code == 0
    assert "in 2 of 2 pairs" in out and "show the board in the corners too" in out
    assert "rgb from /rgb/image, thermal from /thermal/image" in out
    assert distance_px(read_calibration(tmp_path / "c.yaml").matrix, TRUTH, SIZE) < 0.5


def test_nothing_is_written_when_the_fit_is_poor(calibrate, tmp_path):
    for folder, image in (("rgb", np.zeros((*SIZE, 3), np.uint8)), ("thermal", np.zeros(SIZE, np.uint8))):
        (tmp_path / folder).mkdir()
        write_png(tmp_path / folder / "a.png", image)
    code, _, err = calibrate("--rgb", "rgb", "--thermal", "thermal", "--out", "calib.yaml")
    assert code == 2 and "no alignment stands out" in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rgb", "thermal"]


@pytest.mark.slow
@pytest.mark.parametrize("offset_s, rgb_hz, thermal_hz", [(0.037, 30, 9), (-0.120, 9, 30)])
def test_the_offset_of_the_clocks(calibrate, tmp_path, offset_s, rgb_hz, thermal_hz):
    cameras, messages = ShakenCameras(), []
    for stamp_ns, image in cameras.stream(rate_hz=rgb_hz, late_s=0.0, thermal=False):
        messages.append(stamped("/rgb/image", np.repeat(image[:, :, None], 3, axis=2), stamp_ns))
    for stamp_ns, image in cameras.stream(rate_hz=thermal_hz, late_s=-offset_s, thermal=True):
        messages.append(stamped("/thermal/image", image, stamp_ns))
    bag = write_bag(tmp_path / "shaken", sorted(messages, key=lambda entry: entry[1]))
    code, out, _ = calibrate("--time", bag, "--picture", "time.png")
    assert code == 0
    found = float(re.search(r"^thermal_time_offset_s: (-?\d+\.\d+)$", out, re.MULTILINE)[1])
    assert found == pytest.approx(offset_s, abs=0.005)
    assert f"ms {'late' if offset_s < 0 else 'early'}" in out
    assert cv2.imread("time.png").shape[1] == 1200


def test_no_motion_is_refused(calibrate, tmp_path):
    messages = [
        stamped(topic, pixels, 10**18 + i * 10**8)
        for i in range(60)
        for topic, pixels in (
            ("/rgb/image", np.zeros((48, 64, 3), np.uint8)),
            ("/thermal/image", np.zeros((48, 64), np.uint8)),
        )
    ]
    code, _, err = calibrate("--time", write_bag(tmp_path / "still", messages), "--picture", "t.png")
    assert code == 2 and "rgb: nothing moves in these images" in err
    assert not (tmp_path / "t.png").exists()


@pytest.mark.parametrize(
    "options, expected",
    [
        ((), "expected one of --rgb DIR with --thermal DIR, --bag BAG, --time BAG"),
        (("--rgb", "a", "--bag", "b", "--out", "c"), "expected one of"),
        (("--rgb", "a", "--out", "c"), "--rgb DIR and --thermal DIR together"),
        (("--bag", "b"), "--out: expected the calibration file to make"),
        (("--bag", "b", "--out", "c.png"), "c.png: --out and --picture need two files"),
        (("--time", "b", "--out", "c"), "--time makes no calibration file"),
        (("--time", "b", "--longest", "0"), "--longest: expected more than 0"),
        (("--bag", "b", "--out", "c", "--pattern", "chessboard"), "--pattern: expected none, chessboard"),
        (
            ("--bag", "b", "--out", "c", "--pattern", "chessboard", "9x6", "--initial", "1,0,0"),
            "--initial: a board needs none",
        ),
        (("--bag", "b", "--out", "none/c.yaml"), "no such folder: none"),
        (("--bag", "b", "--out", "c.yaml"), "b: no such bag"),
        (("--time", "b"), "b: no such bag"),
        (("--rgb", "a", "--thermal", "b", "--out", "c.yaml"), "a: no such file or folder"),
    ],
)
def test_what_does_not_go_together(calibrate, options, expected):
    code, _, err = calibrate(*options)
    assert code == 2 and expected in err and err.count("\n") == 1


def test_a_start_that_is_none(calibrate, folders, tmp_path):
    for text, expected in (
        ("1,2", "--initial: expected SCALE,DX,DY"),
        ("0,1,1", "scale above 0"),
        ("no.yaml", "no.yaml: cannot"),
    ):
        code, _, err = calibrate(*folders, "--out", "c.yaml", "--initial", text)
        assert code == 2 and expected in err
    write_calibration(tmp_path / "other.yaml", Homography(np.eye(3), (100, 320), (100, 320)))
    code, _, err = calibrate(*folders, "--out", "c.yaml", "--initial", "other.yaml")
    assert code == 2 and "was made for 100x320" in err
