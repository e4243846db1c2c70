"""The guard of optional packages: its text, and that every package is guarded by it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mrfs_ros.errors import MissingPackageError, needs_package

ROOT = Path(__file__).resolve().parent.parent


def test_a_missing_package_is_one_line_with_what_installs_it():
    with pytest.raises(MissingPackageError) as error, needs_package("the chart", "matplotlib", "plots"):
        import no_such_package  # noqa: F401
    assert str(error.value) == "the chart needs matplotlib: pip install 'mrfs_ros[plots]'"
    assert isinstance(error.value.__cause__, ModuleNotFoundError)


def test_what_is_there_is_imported_and_other_errors_pass():
    with needs_package("numbers", "the standard library", "none"):
        import math
    assert math.pi
    with pytest.raises(ZeroDivisionError), needs_package("the chart", "matplotlib", "plots"):
        1 / 0  # noqa: B018


def test_every_extra_that_a_guard_names_is_one_of_setup_py():
    setup = (ROOT / "setup.py").read_text()
    with_guards = ("errors.py", "yaml_text.py")  # they define needs_package and parsed_yaml: the extra is an argument
    texts = [path.read_text() for path in (ROOT / "mrfs_ros").rglob("*.py") if path.name not in with_guards]
    guards = [
        guard
        for text in texts
        for pattern in (r"needs_package\(([^()]*(?:\([^()]*\))?[^()]*)\):", r" parsed_yaml\((.*)\)")
        for guard in re.findall(pattern, text)
    ]
    extras = {re.findall(r'"(\w+)"\s*$', guard)[0] for guard in guards}
    assert {"train", "onnx", "openvino", "plots", "bags"} <= extras
    assert {extra for extra in extras if f'"{extra}": [' not in setup} == set()
