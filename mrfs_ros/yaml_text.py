"""YAML texts that people write: numbers as in YAML 1.2, and no key that stands there twice."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mrfs_ros.errors import ConfigError, needs_package

if TYPE_CHECKING:
    import yaml

EXPONENT = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$")
"""A number such as 6e-5, which PyYAML alone takes for a text, unlike 6.0e-5."""


def parsed_yaml(text: str, purpose: str, extra: str) -> Any:
    """What a YAML text holds: mappings, lists, numbers, texts.

    Args:
        text: the YAML.
        purpose: what it is read for, as the subject of a sentence: "reading label groups".
        extra: the extra of mrfs_ros in setup.py that installs PyYAML.

    Raises:
        ConfigError: it is no YAML, or a key stands there twice, of which PyYAML would take the last one in silence;
            one line.
        MissingPackageError: without PyYAML.

    Example:
        >>> parsed_yaml("rate: 6e-5", "reading settings", "train")
        {'rate': 6e-05}
        >>> parsed_yaml("{rate: 1, rate: 2}", "reading settings", "train")
        Traceback (most recent call last):
        mrfs_ros.errors.ConfigError: rate stands there twice, in line 1 again: leave one
    """
    with needs_package(purpose, "PyYAML", extra):
        import yaml

    class Loader(yaml.SafeLoader):
        """The safe one, with the two differences."""

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
            _check_once([key for key, _ in node.value])
            return super().construct_mapping(node, deep)

    Loader.add_implicit_resolver("tag:yaml.org,2002:float", EXPONENT, list("-+.0123456789"))
    try:
        return yaml.load(text, Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: no such day, as in 2026-02-30
        raise ConfigError(" ".join(str(error).split())) from error


def _check_once(keys: list[yaml.Node]) -> None:
    met = set()
    for key in keys:
        written = (key.tag, str(key.value))
        if written in met:
            raise ValueError(f"{key.value} stands there twice, in line {key.start_mark.line + 1} again: leave one")
        met.add(written)
