"""Fixtures for tests over real ROS 2; without rclpy only test_rclpy.py is left, which says so."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent

try:
    import rclpy
except ImportError:
    rclpy = None
    collect_ignore = [path.name for path in HERE.glob("test_*.py") if path.name != "test_rclpy.py"]


def pytest_collection_modifyitems(items):
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.ros)


@pytest.fixture(scope="session")
def ros():
    """rclpy, up for the whole session, in the tests' own domain."""
    rclpy.init(args=[])
    yield rclpy
    rclpy.try_shutdown()


@pytest.fixture
def live_node(ros):
    """Makes ``LiveNode``; ends them before the cameras of the test."""
    from harness import LiveNode

    made = []

    def make(**arguments) -> LiveNode:
        made.append(LiveNode(**arguments))
        return made[-1]

    yield make
    for node in made:
        node.end()


@pytest.fixture
def cameras(ros):
    """Makes ``Cameras``; takes them down at the end of the test."""
    from harness import Cameras

    made = []

    def make(**arguments) -> Cameras:
        made.append(Cameras(**arguments))
        return made[-1]

    yield make
    for node in made:
        node.destroy_node()
