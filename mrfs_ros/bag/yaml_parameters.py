"""The node's own parameter file, so that a bag is read as the robot reads its cameras."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

from mrfs_ros.config import NodeConfig, check_settings, from_mapping
from mrfs_ros.errors import ConfigError
from mrfs_ros.yaml_text import parsed_yaml

_OF_EVERY_NODE = ("use_sim_time", "start_type_description_service", "qos_overrides", "diagnostic_updater")
"""Parameters that rclpy and its helpers declare: in what ``ros2 param dump`` writes."""
NODE = "/mrfs"  # the node's name, as it is launched without a namespace
_PARAMETERS = "ros__parameters"


def read_parameters(path: Path, node: str = NODE) -> NodeConfig:
    """The parameters of ``node`` in a ROS 2 params file; ConfigError for anything else, and if none are for it."""
    sections = _sections(path)
    if not sections:
        raise ConfigError(f"{path}: is no ROS 2 params file (/**: {_PARAMETERS}: ...): it has no section of parameters")
    values: dict[str, Any] = {}
    for name, section in sections.items():
        if applies(name, node):
            values.update(section)
    if not any(applies(name, node) for name in sections):
        raise ConfigError(_unused(path, list(sections), node))
    values = {name: value for name, value in values.items() if str(name).split(".")[0] not in _OF_EVERY_NODE}
    try:
        config = from_mapping(NodeConfig, values)
        check_settings(config)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    return config


def unused_sections(path: Path, node: str = NODE) -> str:
    """A sentence if sections of a params file look as if they were meant for ``node``, and are not; else empty.

    Those with one of its parameters, and all if none is for it. Errors as of ``read_parameters``.
    """
    sections = _sections(path)
    own = {field.name for field in fields(NodeConfig)}
    others = {name: section for name, section in sections.items() if not applies(name, node)}
    if len(others) < len(sections):
        others = {name: section for name, section in others.items() if own & {str(key) for key in section}}
    return _unused(path, list(others), node) if others else ""


def applies(section: str, node: str) -> bool:
    """Whether ROS 2 takes a section's name for the node: ``*`` stands for one part of it, ``**`` for any number."""
    parts = [part for part in section.split("/") if part]
    patterns = {"**": r"(/\w+)*", "*": r"/\w+"}
    return bool(re.fullmatch("".join(patterns.get(part, "/" + re.escape(part)) for part in parts), node))


def _unused(path: Path, names: list[str], node: str) -> str:
    return (
        f"{path}: nothing of {', '.join(names)} is taken: the node's name is {node}, so its section must be called "
        f"{node.lstrip('/')} or /**"
    )


def _sections(path: Path) -> dict[str, dict[str, Any]]:
    """Full names of nodes to their parameters, in the order of the file; namespaces may be levels of their own."""
    try:
        content = parsed_yaml(path.read_text(encoding="utf-8"), "reading --params-file", "bags")
        found: dict[str, dict[str, Any]] = {}
        for name, value in _mapping(content, "the file").items():
            _add_sections(found, str(name), value)
        return found
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read ({error.strerror}): expected a ROS 2 params file (/**: {_PARAMETERS}: ...)"
        ) from error
    except (ConfigError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: is no ROS 2 params file (/**: {_PARAMETERS}: ...): {error}") from error


def _mapping(value: Any, where: str) -> dict[Any, Any]:
    """``value`` if it has entries; ConfigError, which names ``where`` it stands, for anything else."""
    if not isinstance(value, dict):
        held = "is empty" if value is None else f"holds {value!r}"
        raise ConfigError(f"{where} {held}: expected lines 'name: value'")
    return value


def _add_sections(found: dict[str, dict[str, Any]], name: str, value: Any) -> None:
    for key, inside in _mapping({} if value is None else value, name).items():
        if key == _PARAMETERS:
            found.setdefault(name, {}).update(_mapping({} if inside is None else inside, f"{name}: {_PARAMETERS}"))
        elif isinstance(inside, dict):
            _add_sections(found, f"{name.rstrip('/')}/{key}".replace("//", "/"), inside)
        else:
            raise ConfigError(f"{name}: {key} stands outside of {_PARAMETERS}")
