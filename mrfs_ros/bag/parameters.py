"""The node's own parameter file, so that a bag is read as the robot reads its cameras."""

from __future__ import annotations

from pathlib import Path

from mrfs_ros.config import NodeConfig, check_settings, from_mapping
from mrfs_ros.errors import ConfigError, MissingPackageError

_OF_EVERY_NODE = ("use_sim_time", "start_type_description_service", "qos_overrides", "diagnostic_updater")
"""Parameters that rclpy and its helpers declare: in what ``ros2 param dump`` writes."""


def read_parameters(path: Path) -> NodeConfig:
    """The node's parameters of a ROS 2 params file (of ``/**`` or ``/mrfs``); ConfigError for anything else."""
    try:
        import yaml
    except ImportError as error:
        raise MissingPackageError("reading --params-file needs PyYAML: pip install 'mrfs_ros[bags]'") from error
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        values = {}
        for node in ("/**", "mrfs", "/mrfs"):
            values.update((content.get(node) or {}).get("ros__parameters") or {})
    except (OSError, yaml.YAMLError, AttributeError, ValueError, TypeError) as error:
        problem = " ".join(str(error).split())
        raise ConfigError(f"{path}: is no ROS 2 params file (/**: ros__parameters: ...): {problem}") from error
    values = {name: value for name, value in values.items() if str(name).split(".")[0] not in _OF_EVERY_NODE}
    config = from_mapping(NodeConfig, values)
    check_settings(config)
    return config
