"""Environment variable of the Fast DDS profile file."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

FIRST_RCLPY_WITH_FAST_DDS_3 = 8  # Kilted has rclpy 9; Jazzy 7 and Humble 3 run on Fast DDS 2


def profile_variable() -> str:
    """Name of the variable for the ROS 2 that is here: Fast DDS 3 warns about the old one, 2 ignores the new one."""
    try:
        old = int(version("rclpy").partition(".")[0]) < FIRST_RCLPY_WITH_FAST_DDS_3
    except PackageNotFoundError:
        old = False
    return "FASTRTPS_DEFAULT_PROFILES_FILE" if old else "FASTDDS_DEFAULT_PROFILES_FILE"
