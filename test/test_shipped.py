"""The model that comes along: found in a checkout and in an installation, missed with the places looked at."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mrfs_ros import shipped
from mrfs_ros.shipped import MODEL, shipped_model

ROOT = Path(__file__).resolve().parent.parent


def test_in_a_checkout():
    assert shipped_model() == ROOT / "models" / MODEL


@pytest.fixture
def installed(tmp_path) -> Path:
    """A prefix with the package as pip and colcon lay it out, without the model."""
    package = tmp_path / "lib/python3.11/site-packages/mrfs_ros"
    package.mkdir(parents=True)
    for name in ("__init__.py", "errors.py", "shipped.py"):
        shutil.copy(Path(shipped.__file__).parent / name, package)
    return tmp_path


def ask(prefix: Path) -> str:
    code = (
        "from mrfs_ros.errors import CheckpointError\n"
        "from mrfs_ros.shipped import shipped_model\n"
        "try: print(shipped_model())\n"
        "except CheckpointError as error: print(error)"
    )
    packages = prefix / "lib/python3.11/site-packages"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=packages)
    return run.stdout.strip()


def test_in_an_installation(installed):
    model = installed / "share/mrfs_ros/models" / MODEL
    model.parent.mkdir(parents=True)
    model.write_bytes(b"weights")
    assert ask(installed) == str(model.resolve())


def test_missing(installed):
    text = ask(installed)
    assert str(installed / "share/mrfs_ros/models" / MODEL) in text
    assert "weights: untrained" in text
