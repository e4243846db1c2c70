"""Calibration files: what is written comes back, everything else is refused in one line."""

from __future__ import annotations

import builtins

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mrfs_ros.errors import ConfigError, MissingPackageError
from mrfs_ros.geometry.calibration_file import read_calibration, to_yaml, write_calibration
from mrfs_ros.geometry.camera_models import CameraModel, Homography, Stereo

CAMERA = {
    "size": [240, 320],
    "distortion_model": "plumb_bob",
    "K": [400, 0, 160, 0, 400, 120, 0, 0, 1],
    "D": [-0.3, 0.1, 0, 0, 0],
}
HOMOGRAPHY = {
    "kind": "homography",
    "thermal_size": [240, 320],
    "rgb_size": [480, 640],
    "matrix": np.diag([2, 2, 1]).tolist(),
}
STEREO = {
    "kind": "stereo",
    "thermal": CAMERA,
    "rgb": CAMERA,
    "R": np.eye(3).tolist(),
    "t": [0.1, 0, 0],
    "plane_distance_m": 5,
}


@pytest.fixture
def written(tmp_path):
    """Writes a mapping or a text; returns the file."""

    def write(content):
        path = tmp_path / "calib.yaml"
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        return path

    return write


def without(values: dict, *path: str) -> dict:
    return changed(values, path, None)


def changed(values: dict, path: tuple[str, ...], value: object) -> dict:
    first, *rest = path
    copy = dict(values)
    if rest:
        copy[first] = changed(copy[first], tuple(rest), value)
    elif value is None:
        del copy[first]
    else:
        copy[first] = value
    return copy


@settings(max_examples=30)
@given(st.lists(st.floats(-0.2, 0.2), min_size=8, max_size=8))
def test_a_homography_comes_back_to_the_bit(tmp_path_factory, offsets):
    matrix = np.eye(3) + np.append(offsets, 0).reshape(3, 3) * [(1, 1, 50), (1, 1, 50), (1e-4, 1e-4, 0)]
    calibration = Homography(matrix, (240, 320), (480, 640))
    path = tmp_path_factory.mktemp("calib") / "c.yaml"
    write_calibration(path, calibration, "two\nlines")
    assert read_calibration(path) == calibration
    assert path.read_text().startswith("# two\n# lines\n")


@pytest.mark.parametrize(
    "lens",
    [("plumb_bob", ()), ("rational_polynomial", (1e-5, 2, 0, 0, 0, 1, 2, 1e-12)), ("equidistant", (0.1, 0, 0, -1e-7))],
)
def test_stereo_comes_back_to_the_bit(written, lens):
    camera = CameraModel((240, 320), lens[0], [(400.1, 0, 1 / 3), (0, 400, 120), (0, 0, 1)], lens[1])
    calibration = Stereo(camera, camera, np.eye(3), (1e-5, 2e-17, -0.1), 12.5)
    assert read_calibration(written(to_yaml(calibration))) == calibration


def test_numbers_as_people_and_cameras_write_them(written):
    """Nine numbers in a row, as in CameraInfo; 1e-5, which YAML 1.1 takes for a text."""
    plain = read_calibration(written(HOMOGRAPHY))
    flat = "kind: homography\nthermal_size: [240, 320]\nrgb_size: [480, 640]\nmatrix: [2, 0, 0, 0, 2, 0, 0, 0, 1e0]\n"
    assert read_calibration(written(flat)) == plain
    scaled = changed(HOMOGRAPHY, ("matrix",), (3 * np.diag([2.0, 2, 1])).tolist())
    assert read_calibration(written(scaled)) == plain


NAN, INF = float("nan"), float("inf")
BAD = {
    "not YAML": ("a: [", "is no YAML"),
    "a binary file": ("\x00\x01", "is no YAML"),
    "empty": ("", "is no calibration: expected a line 'kind: homography'"),
    "a list": ("[1, 2]", "is no calibration"),
    "a number": ("3", "is no calibration"),
    "a camera_info": ({"camera_matrix": {"rows": 3}}, "is no calibration: .* write one of kind: stereo"),
    "OpenCV's": ("%YAML:1.0\n---\nM: !!opencv-matrix\n   rows: 3\n", "a file of OpenCV's: .* kind: stereo"),
    "a key twice": ("kind: stereo\nkind: homography\n", "kind stands there twice, in line 2 again: leave one"),
    "an unknown kind": (changed(HOMOGRAPHY, ("kind",), "affine"), "kind: homography"),
    "a kind that is a list": (changed(HOMOGRAPHY, ("kind",), ["stereo"]), "is no calibration"),
    "a missing key": (without(HOMOGRAPHY, "rgb_size"), "missing rgb_size: expected kind, thermal_size"),
    "an unknown key": (changed(HOMOGRAPHY, ("sise",), 1), "unknown sise: expected"),
    "a missing camera key": (without(STEREO, "rgb", "D"), "rgb: missing D"),
    "an unknown camera key": (changed(STEREO, ("thermal", "P"), 1), "thermal: unknown P"),
    "a camera that is a number": (changed(STEREO, ("rgb",), 3), "rgb: expected a camera"),
    "2x3": (
        changed(HOMOGRAPHY, ("matrix",), [[1, 0, 0], [0, 1, 0]]),
        r"matrix: expected 3x3 numbers, got shape \(2, 3\)",
    ),
    "ragged": (changed(HOMOGRAPHY, ("matrix",), [[1, 0], [0, 1, 0], [1]]), "matrix: expected 3x3 numbers"),
    "texts": (changed(HOMOGRAPHY, ("matrix",), [["a"] * 3] * 3), "matrix: expected 3x3 numbers"),
    "truths": (changed(HOMOGRAPHY, ("matrix",), [[True, 0, 0], [0, 1, 0], [0, 0, 1]]), "matrix: expected 3x3 numbers"),
    "NaN": (changed(HOMOGRAPHY, ("matrix",), [[NAN, 0, 0], [0, 1, 0], [0, 0, 1]]), "matrix: expected finite numbers"),
    "infinity": (changed(STEREO, ("t",), [INF, 0, 0]), "t: expected finite numbers"),
    "singular": (
        changed(HOMOGRAPHY, ("matrix",), [[1, 2, 3], [2, 4, 6], [0, 0, 1]]),
        "expected a homography that can be inv",
    ),
    "zeros": (changed(HOMOGRAPHY, ("matrix",), [[0] * 3] * 3), "can be inverted"),
    "a horizon in the image": (
        changed(HOMOGRAPHY, ("matrix",), [[1, 0, 0], [0, 1, 0], [-0.01, 0, 1]]),
        "through infinity",
    ),
    "a flat camera": (changed(STEREO, ("rgb", "K"), [0, 0, 1, 0, 400, 1, 0, 0, 1]), "rgb: K: expected .*fx, fy > 0"),
    "no last row": (changed(STEREO, ("rgb", "K"), [400, 0, 1, 0, 400, 1, 0, 0, 2]), "rgb: K: expected"),
    "skew": (changed(STEREO, ("rgb", "K"), [400, 3, 1, 0, 400, 1, 0, 0, 1]), "rgb: K: expected"),
    "K of four": (changed(STEREO, ("thermal", "K"), [1, 2, 3, 4]), "thermal: K: expected 3x3 numbers"),
    "an unknown lens": (changed(STEREO, ("rgb", "distortion_model"), "kannala"), "expected one of plumb_bob"),
    "a lens that is a list": (changed(STEREO, ("rgb", "distortion_model"), ["plumb_bob"]), "expected one of plumb_bob"),
    "too few D": (changed(STEREO, ("rgb", "D"), [0.1]), "rgb: D: plumb_bob has 0 or 4 or 5 numbers, got 1"),
    "D of another lens": (changed(STEREO, ("rgb", "distortion_model"), "equidistant"), "D: equidistant has 0 or 4"),
    "D of one": (changed(STEREO, ("rgb", "D"), 0), "rgb: D: expected a list of numbers, got 0"),
    "ragged D": (changed(STEREO, ("rgb", "D"), [0, [1, 2], 3]), r"rgb: D: expected 4 numbers, got \[0, \[1, 2\], 3\]"),
    "hundreds of digits": (
        changed(STEREO, ("rgb", "K"), [10**400, 0, 1, 0, 1, 1, 0, 0, 1]),
        "rgb: K: expected 3x3 num",
    ),
    "beyond squares": (changed(HOMOGRAPHY, ("matrix",), [1e308, 0, 0, 0, 1, 0, 0, 0, 1]), "finite numbers below 1e"),
    "quoted numbers": (changed(STEREO, ("t",), ["1", 0, 0]), r"t: expected 3 numbers, got \['1', 0, 0\]"),
    "D in rows": (changed(STEREO, ("rgb", "D"), [[0.1, 0, 0, 0, 0]]), "rgb: D: expected 5 numbers"),
    "no rotation": (changed(STEREO, ("R",), [[1, 0, 0], [0, 1, 0], [0, 0, 2]]), "R: expected a rotation"),
    "a mirror": (changed(STEREO, ("R",), [[1, 0, 0], [0, 1, 0], [0, 0, -1]]), "R: expected a rotation"),
    "t of two": (changed(STEREO, ("t",), [1, 2]), "t: expected 3 numbers"),
    "no distance": (changed(STEREO, ("plane_distance_m",), 0), "plane_distance_m: expected more than 0"),
    "a distance behind": (changed(STEREO, ("plane_distance_m",), -4), "plane_distance_m: expected more than 0"),
    "a distance in words": (changed(STEREO, ("plane_distance_m",), "far"), "plane_distance_m: expected a number"),
    "one side": (changed(HOMOGRAPHY, ("rgb_size",), [480]), r"rgb_size: expected \[height, width\]"),
    "halves": (changed(HOMOGRAPHY, ("rgb_size",), [480.5, 640]), r"rgb_size: expected \[height, width\]"),
    "nothing": (changed(HOMOGRAPHY, ("thermal_size",), [0, 640]), "thermal_size: expected"),
    "a giant": (changed(HOMOGRAPHY, ("thermal_size",), [480, 10**6]), "thermal_size: expected"),
    "a size in words": (changed(STEREO, ("rgb", "size"), "480x640"), "rgb: size: expected"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_files_are_refused_in_one_line(case, written):
    content, expected = BAD[case]
    path = written(content)
    with pytest.raises(ConfigError, match=expected) as caught:
        read_calibration(path)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


@pytest.mark.parametrize("values", [HOMOGRAPHY, STEREO])
def test_the_files_that_these_are_made_of_are_good(values, written):
    assert read_calibration(written(values)).thermal_size == (240, 320)


def test_no_such_file(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: cannot be read .*mrfs calibrate makes"):
        read_calibration(tmp_path / "nowhere.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_calibration(tmp_path)


def test_a_folder_that_is_none(tmp_path):
    with pytest.raises(ConfigError, match="cannot be written"):
        write_calibration(tmp_path / "none" / "c.yaml", Homography(np.eye(3), (48, 64), (48, 64)))


def test_without_pyyaml(written, monkeypatch):
    path = written(HOMOGRAPHY)
    original = builtins.__import__

    def lacking(name, *rest, **kwargs):
        if name == "yaml":
            raise ImportError("no yaml")
        return original(name, *rest, **kwargs)

    monkeypatch.setattr(builtins, "__import__", lacking)
    with pytest.raises(MissingPackageError, match=r"pip install 'mrfs_ros\[bags\]'"):
        read_calibration(path)
