"""Calibration files: strict YAML in, readable YAML out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mrfs_ros.errors import ConfigError
from mrfs_ros.files import write_text
from mrfs_ros.geometry.camera_models import Calibration, CameraModel, Homography, Matrix, Stereo
from mrfs_ros.yaml_text import parsed_yaml

_KEYS = {
    "homography": ("kind", "thermal_size", "rgb_size", "matrix"),
    "stereo": ("kind", "thermal", "rgb", "R", "t", "plane_distance_m"),
}
_CAMERA_KEYS = ("size", "distortion_model", "K", "D")
_OPENCV = "%YAML:1"  # how OpenCV's FileStorage begins a file, which is no YAML to any other reader
_OTHERS_MODELS = (
    "of other tools' camera models (OpenCV, Kalibr, camera_info) write one of kind: stereo (docs/calibration.md)"
)


def read_calibration(path: Path) -> Calibration:
    """The calibration in a YAML file; ConfigError in one line for everything that is wrong with it.

    MissingPackageError without PyYAML.
    """
    values = _content(path)
    try:
        return _calibration(values)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def write_calibration(path: Path, calibration: Calibration, comment: str = "") -> None:
    """Write the YAML that ``read_calibration`` reads, ``comment`` above it; ConfigError if it cannot be written."""
    head = "".join(f"# {line}".rstrip() + "\n" for line in comment.splitlines())
    try:
        write_text(path, head + to_yaml(calibration))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written ({error.strerror}): choose another file") from error


def to_yaml(calibration: Calibration) -> str:
    """The calibration as YAML text, every number to its last bit."""
    if isinstance(calibration, Homography):
        return (
            "kind: homography  # thermal pixels to rgb pixels\n"
            f"thermal_size: {_row(calibration.thermal_size)}  # height, width\n"
            f"rgb_size: {_row(calibration.rgb_size)}\n"
            f"matrix:\n{_rows(calibration.matrix, '')}"
        )
    return (
        "kind: stereo\n"
        f"plane_distance_m: {_number(calibration.plane_distance_m)}  # what is seen lies there, before the rgb camera\n"
        f"thermal:\n{_camera(calibration.thermal)}rgb:\n{_camera(calibration.rgb)}"
        f"R:  # thermal camera to rgb camera\n{_rows(calibration.R, '')}"
        f"t: {_row(calibration.t)}  # metres\n"
    )


def _camera(camera: CameraModel) -> str:
    return (
        f"  size: {_row(camera.size)}  # height, width\n  distortion_model: {camera.distortion_model}\n"
        f"  K:\n{_rows(camera.K, '  ')}  D: {_row(camera.D)}\n"
    )


def _rows(matrix: Matrix, indent: str) -> str:
    return "".join(f"{indent}  - {_row(row)}\n" for row in matrix)


def _row(numbers: tuple[float, ...]) -> str:
    return f"[{', '.join(map(_number, numbers))}]"


def _number(value: float) -> str:
    """A number that every YAML reader takes for one: to PyYAML, 1e-05 is a text, unlike 1.0e-05."""
    text = repr(value)
    return text.replace("e", ".0e") if "e" in text and "." not in text else text


def _content(path: Path) -> Any:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read ({error.strerror}): expected a calibration file, which mrfs calibrate makes"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is no YAML: {error}") from error
    if text.startswith(_OPENCV):
        raise ConfigError(f"{path}: is no calibration of mrfs but a file of OpenCV's: {_OTHERS_MODELS}")
    try:
        return parsed_yaml(text, "reading a calibration", "bags")
    except ConfigError as error:
        raise ConfigError(f"{path}: is no YAML: {error}") from error


def _calibration(values: Any) -> Calibration:
    kind = values.get("kind") if isinstance(values, Mapping) else None
    if kind not in tuple(_KEYS):
        raise ConfigError(
            f"is no calibration: expected a line 'kind: homography' or 'kind: stereo', got {_brief(values)}; "
            f"{_OTHERS_MODELS}"
        )
    _check_keys(values, _KEYS[kind], "")
    if kind == "homography":
        return Homography(_numbers(values["matrix"]), values["thermal_size"], values["rgb_size"])
    return Stereo(
        thermal=_camera_model(values["thermal"], "thermal"),
        rgb=_camera_model(values["rgb"], "rgb"),
        R=_numbers(values["R"]),
        t=_numbers(values["t"]),
        plane_distance_m=_numbers(values["plane_distance_m"]),
    )


def _camera_model(values: Any, name: str) -> CameraModel:
    if not isinstance(values, Mapping):
        raise ConfigError(f"{name}: expected a camera ({', '.join(_CAMERA_KEYS)}), got {_brief(values)}")
    _check_keys(values, _CAMERA_KEYS, f"{name}: ")
    try:
        return CameraModel(
            size=values["size"],
            distortion_model=values["distortion_model"],
            K=_numbers(values["K"]),
            D=_numbers(values["D"]),
        )
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}") from error


def _check_keys(values: Mapping, expected: tuple[str, ...], where: str) -> None:
    unknown = sorted(str(key) for key in values if key not in expected)
    missing = [key for key in expected if key not in values]
    for what, keys in (("unknown", unknown), ("missing", missing)):
        if keys:
            raise ConfigError(f"{where}{what} {', '.join(keys)}: expected {', '.join(expected)}")


def _numbers(value: Any) -> Any:
    """``value`` with what is no number as ``_NoNumber``."""
    if isinstance(value, list):
        return [_numbers(entry) for entry in value]
    return value if type(value) in (int, float) else _NoNumber(value)


class _NoNumber:
    """Shown as it was written; no array takes it, as it would take a text of digits."""

    def __init__(self, value: Any):
        self._value = value

    def __repr__(self) -> str:
        return repr(self._value)


def _brief(value: Any) -> str:
    text = repr(dict(list(value.items())[:3]) if isinstance(value, Mapping) else value)
    return text if len(text) <= 80 else text[:77] + "..."
