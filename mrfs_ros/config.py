"""Every default of the project, once, as frozen dataclasses, and the one strict way to override them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from mrfs_ros.errors import ConfigError

Config = TypeVar("Config")


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """What a network is built from; read off a checkpoint, so that nobody has to type it."""

    variant: str = "mit_b0"
    num_classes: int = 9
    head_width: int = 512
    batch_norm_eps: float = 1e-5
    dropout: float = 0.1
    drop_path: float = 0.1


def from_mapping(kind: type[Config], values: Mapping[str, Any]) -> Config:
    """Build dataclass ``kind`` from ``values`` over its defaults.

    ConfigError for a name that it lacks (listing the valid ones) or a value of another type than the default's;
    an int is welcome where a float is expected.
    """
    known = {f.name: f.default for f in fields(kind)}
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise ConfigError(f"unknown setting {', '.join(unknown)}: expected one of {', '.join(known)}")
    checked = {}
    for name, value in values.items():
        expected = type(known[name])
        if expected is float and type(value) is int:
            value = float(value)
        if type(value) is not expected:
            raise ConfigError(f"{name}: expected {expected.__name__}, got {type(value).__name__} {value!r}")
        checked[name] = value
    return kind(**checked)
