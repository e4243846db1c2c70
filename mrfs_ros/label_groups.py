"""Label groups: a network's classes joined under new ids and names, as a YAML file says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from mrfs_ros.errors import ConfigError
from mrfs_ros.types import BACKGROUND, UNLABELLED, ClassSet
from mrfs_ros.yaml_text import parsed_yaml

FORM = "groups: {1: {name: vehicle, classes: [car, bike]}, ...}"
_KEYS = ("name", "classes", "color")
_BLACK = (0, 0, 0)


@dataclass(frozen=True, eq=False)
class LabelGroups:
    """``source``: the network's classes. ``classes``: those in their place; ids between groups have names of none.

    ``table``: (256,) uint8, read-only: ``table[labels]`` are the labels by group; 255 stays.
    """

    source: ClassSet
    classes: ClassSet
    table: np.ndarray


def read_label_groups(path: str | Path, classes: ClassSet) -> LabelGroups:
    """The label groups in a YAML file.

    Args:
        path: of a file with ``groups``: id (1 to 254) to ``name``, ``classes`` (names of ``classes``) and, if it is not
            to be that of its first class, ``color`` ([red, green, blue], 0-255). What is in no group is background, id
            0, which can be a group of that name too.
        classes: the network's.

    Raises:
        ConfigError: the file cannot be read, or says anything else, in one line.
        MissingPackageError: without PyYAML.

    Example:
        >>> from mrfs_ros.files import write_text
        >>> from mrfs_ros.types import MFNET
        >>> write_text(Path("groups.yaml"), "groups: {1: {name: vehicle, classes: [car, bike]}}")
        >>> read_label_groups("groups.yaml", MFNET).classes.names
        ('background', 'vehicle')
    """
    path = Path(path).expanduser()
    try:
        return _groups(_entries(_content(path)), classes, path.name)
    except ConfigError as error:
        raise ConfigError(f"label_groups: {path}: {error}") from error


def _content(path: Path) -> Any:
    try:
        return parsed_yaml(path.read_text(encoding="utf-8"), "reading label groups", "bags")
    except OSError as error:
        raise ConfigError(f"cannot be read ({error.strerror}): expected a YAML file with {FORM}") from error
    except (ConfigError, UnicodeDecodeError) as error:
        raise ConfigError(f"is no YAML: {error}") from error


def _entries(content: Any) -> dict[int, dict[str, Any]]:
    """Id to group, by id; ConfigError unless both are such."""
    groups = content.get("groups") if isinstance(content, Mapping) and len(content) == 1 else None
    if not isinstance(groups, Mapping) or not groups:
        raise ConfigError(f"expected {FORM}, got {_brief(content)}")
    for number, group in groups.items():
        if type(number) is not int or not 0 <= number < UNLABELLED:
            raise ConfigError(f"expected an id of 1 to {UNLABELLED - 1}, got {number!r}")
        if not isinstance(group, Mapping) or not {"name"} <= group.keys() <= set(_KEYS):
            raise ConfigError(f"group {number}: expected {', '.join(_KEYS)}, got {_brief(group)}")
        name, classes, color = group["name"], group.get("classes", []), group.get("color")
        if not isinstance(name, str) or not name.strip() or not name.isprintable():
            raise ConfigError(f"group {number}: expected a text as name, got {name!r}")
        if (number == 0) != (name == BACKGROUND):
            raise ConfigError(f"group {number}: {name}: id 0 is {BACKGROUND}, and no other id is: expected 1 up")
        if not isinstance(classes, list) or not all(isinstance(each, str) for each in classes):
            raise ConfigError(f"group {number} ({name}): classes: expected a list of names, got {_brief(classes)}")
        if number and not classes:
            raise ConfigError(f"group {number} ({name}) names no class: expected classes: [NAME, ...]")
        if color is not None and not _is_color(color):
            raise ConfigError(f"group {number} ({name}): color: expected [red, green, blue] of 0-255, got {color!r}")
    return dict(sorted(groups.items()))


def _groups(entries: dict[int, dict[str, Any]], source: ClassSet, file: str) -> LabelGroups:
    """ConfigError for names that are unknown or stand there twice."""
    names = [BACKGROUND, *(f"unused_{number}" for number in range(1, max(entries) + 1))]
    colors = [_BLACK for _ in names]
    table = np.full(256, UNLABELLED, np.uint8)
    table[: len(source)] = 0
    taken: dict[str, str] = {}
    for number, group in entries.items():
        classes = group.get("classes", [])
        for name in classes:
            if name not in source.names:
                near = get_close_matches(name, source.names, 3) or source.names
                raise ConfigError(
                    f"group {number} ({group['name']}): {name!r} is no class of {source.name}: did you mean "
                    f"{', '.join(near)}?"
                )
            if name in taken:
                raise ConfigError(f"class {name} is named twice, in {taken[name]} and {group['name']}: expected once")
            taken[name] = group["name"]
        ids = [source.names.index(name) for name in classes]
        table[ids] = number
        names[number] = group["name"]
        first = source.colors[ids[0]] if number else _BLACK
        colors[number] = tuple(group["color"]) if group.get("color") is not None else first
    if twice := {name for name in names if names.count(name) > 1}:
        raise ConfigError(f"two groups are called {', '.join(twice)}: expected a name of its own for each")
    table.setflags(write=False)
    return LabelGroups(source, ClassSet(f"{source.name} by {file}", tuple(names), tuple(colors)), table)


def _is_color(color: Any) -> bool:
    return isinstance(color, list) and len(color) == 3 and all(type(c) is int and 0 <= c <= 255 for c in color)


def _brief(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
