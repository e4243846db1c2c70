"""``NodeConfig`` declared as ROS parameters with text, range and validation, and read back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import Field, fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter

from mrfs_ros.config import NodeConfig
from mrfs_ros.errors import ConfigError

_FOREIGN = ("use_sim_time", "start_type_description_service", "qos_overrides.", "diagnostic_updater.")


def declare_parameters(node: Node) -> NodeConfig:
    """Declare every field of ``NodeConfig`` on ``node``; return the values it got from YAML, launch or command line.

    ConfigError for a value of the wrong type, out of range or not among the choices.
    """
    values: dict[str, Any] = {}
    for spec in fields(NodeConfig):
        try:
            value = node.declare_parameter(spec.name, spec.default, _descriptor(spec)).value
            values[spec.name] = _text(value) if spec.metadata["whole"] else value
        except Exception as error:  # rclpy raises four unrelated types here; each text names the parameter
            decimal = " Write it as 1.0: decimal point, no quotes." if "type 'DOUBLE'" in str(error) else ""
            raise ConfigError(f"parameter {spec.name}: {error}.{decimal} {spec.metadata['text']}") from error
    _check_choices(values)
    return NodeConfig(**values)


def unknown_parameters(node: Node) -> list[str]:
    """Names given to the node that it does not know: most likely typos in a YAML file."""
    known = {spec.name for spec in fields(NodeConfig)}
    given = getattr(node, "_parameter_overrides", {})  # rclpy offers no public way to see undeclared overrides
    return sorted(name for name in given if name not in known and not name.startswith(_FOREIGN))


def unknown_qos_overrides(node: Node) -> str:
    """Names below qos_overrides that no topic of the node, now that all are open, has taken; with commas."""
    given = getattr(node, "_parameter_overrides", {})  # as above
    return ", ".join(sorted(n for n in given if n.startswith("qos_overrides.") and not node.has_parameter(n)))


def params_files(arguments: Sequence[str]) -> list[Path]:
    """The params files that a program's arguments name."""
    return [Path(file) for word, file in pairwise(arguments) if word == "--params-file"]


def changed(
    config: NodeConfig, parameters: list[Parameter], *, configured: str = ""
) -> tuple[NodeConfig, SetParametersResult]:
    """The config after ``parameters`` are set, and the answer to who sets them: all of the set or nothing.

    ``configured``: the state, inactive or active, in which fixed parameters stay as they are; empty = unconfigured.
    """
    specs = {spec.name: spec for spec in fields(NodeConfig)}
    try:
        values = {p.name: p.value for p in parameters if p.name in specs}
        for name in values:
            if specs[name].metadata["whole"]:
                values[name] = _text(values[name])
        _check_choices(values)
        for name, value in values.items():
            if configured and specs[name].metadata["fixed"] and value != getattr(config, name):
                raise ConfigError(
                    f"parameter {name} is read when the node is configured, and it is {configured}: "
                    f"{'' if configured == 'inactive' else 'deactivate, '}clean up, set it, configure again"
                )
        return replace(config, **values), SetParametersResult(successful=True)
    except (ConfigError, TypeError) as error:
        return config, SetParametersResult(successful=False, reason=str(error))


def _text(value: Any) -> str:
    """A text or a whole number as text."""
    if type(value) not in (str, int):
        raise TypeError(f"expected a word or whole number, got {value!r}")
    return str(value)


def _check_choices(values: dict[str, Any]) -> None:
    for spec in fields(NodeConfig):
        choices = spec.metadata["choices"]
        if choices and spec.name in values and values[spec.name] not in choices:
            raise ConfigError(f"parameter {spec.name}: expected one of {', '.join(choices)}, got {values[spec.name]!r}")


def _descriptor(spec: Field) -> ParameterDescriptor:
    meta = spec.metadata
    # Numbers and texts are types of their own in ROS.
    descriptor = ParameterDescriptor(description=meta["text"], read_only=meta["once"], dynamic_typing=meta["whole"])
    if meta["choices"]:
        descriptor.additional_constraints = "one of: " + ", ".join(meta["choices"])
    if meta["low"] is not None:
        if isinstance(spec.default, float):
            descriptor.floating_point_range = [FloatingPointRange(from_value=meta["low"], to_value=meta["high"])]
        else:
            descriptor.integer_range = [IntegerRange(from_value=meta["low"], to_value=meta["high"], step=1)]
    return descriptor
