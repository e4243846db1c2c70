"""One tree for pip and colcon: what gets installed, and that it runs from there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = {
    "package.xml", "launch/mrfs.launch.py", "config/mrfs.yaml", "config/fastdds.xml", "config/cameras/boson.yaml",
    "config/foxglove_layout.json", "rviz/mrfs.rviz",
}  # fmt: skip


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    """The files of the project without what building and testing leaves behind."""
    target = tmp_path_factory.mktemp("workspace") / "src" / "mrfs_ros"
    made = (".git", ".venv", "out", "runs", "build", "*.egg-info", "__pycache__", ".*_cache", "samples")
    shutil.copytree(ROOT, target, ignore=shutil.ignore_patterns(*made))
    return target


@pytest.mark.slow
@pytest.mark.parametrize("flags", [[], ["--symlink-install"]], ids=["copied", "symlinked"])
def test_colcon_builds_and_the_result_runs(tree, tmp_path, flags):
    pytest.importorskip("colcon_core", reason="needs colcon: pip install colcon-common-extensions")
    command = [sys.executable, "-m", "colcon", "--log-base", str(tmp_path / "log"), "build", *flags]
    places = ["--base-paths", str(tree), "--build-base", str(tmp_path / "build"), "--install-base", str(tmp_path / "i")]
    built = subprocess.run([*command, *places], capture_output=True, text=True)
    assert "1 package finished" in built.stdout, built.stdout + built.stderr
    prefix = tmp_path / "i" / "mrfs_ros"
    share = prefix / "share" / "mrfs_ros"
    assert {name for name in SHARED if not (share / name).is_file()} == set()
    assert (prefix / "share/ament_index/resource_index/packages/mrfs_ros").is_file()
    for name, argument in (("mrfs", "--version"), ("mrfs_node", "--help")):
        library = next(prefix.glob("lib/python3*/site-packages"))
        paths = os.pathsep.join([str(library), str(tmp_path / "build" / "mrfs_ros")])
        program = prefix / "lib" / "mrfs_ros" / name
        run = subprocess.run(
            [program, argument], env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True
        )
        if name == "mrfs_node" and "No module named 'rclpy'" in run.stderr:
            continue  # the core tests run where ROS is not
        assert run.returncode == 0, run.stderr


@pytest.mark.slow
def test_a_wheel_holds_the_package_and_the_shared_files(tree, tmp_path):
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-q", "-w", str(tmp_path)]
    subprocess.run([*command, str(tree)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("mrfs_ros-*.whl")
    names = subprocess.run([sys.executable, "-m", "zipfile", "-l", wheel], capture_output=True, text=True).stdout
    for name in SHARED:
        assert f"data/share/mrfs_ros/{name}" in names
    kernels = [str(path.relative_to(ROOT / "mrfs_ros")) for path in ROOT.glob("mrfs_ros/engine/operators/kernels/*")]
    assert kernels
    modules = ("network/mrfs.py", "ros/node.py", "cli/fuse.py", "engine/eager.py", "pairing/approximate_time.py")
    for file in (
        *modules,
        *kernels,
        "bag/writing/page/report.html",
        "bag/writing/page/report.css",
        "bag/writing/page/report.js",
    ):
        assert f"mrfs_ros/{file}" in names
