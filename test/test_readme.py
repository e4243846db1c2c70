"""What the README shows is what happens."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from mrfs_ros.config import NodeConfig

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()


@pytest.mark.slow
def test_the_python_example_runs_and_is_short():
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip()]) <= 8
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("(512, 640, 3) (512, 640) ('unlabeled', 'car', 'person'")


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(((?!http)[^)#]+)\)", README))))
def test_links_lead_somewhere(target):
    assert (ROOT / target).exists()


def test_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"make ([a-z-]+)", README)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_topics_and_launch_arguments_exist():
    launch = (ROOT / "launch" / "mrfs.launch.py").read_text()
    lines = README.splitlines()
    given = {name for line in lines if "ros2 launch" in line for name in re.findall(r"(\w+):=", line)}
    assert given
    assert {name for name in given if f'"{name}"' not in launch} == set()
    parameters = {name for line in lines if "mrfs_node" in line for name in re.findall(r"-p (\w+):=", line)}
    assert parameters <= {spec.name for spec in fields(NodeConfig)}
