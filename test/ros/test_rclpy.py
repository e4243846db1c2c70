"""Says in the test report when no test of this folder could run."""

from __future__ import annotations

import pytest


def test_rclpy_is_installed():
    rclpy = pytest.importorskip(
        "rclpy", reason="no test in test/ros runs: rclpy is not installed", exc_type=ImportError
    )
    assert rclpy.init
