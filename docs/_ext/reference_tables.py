"""The node's parameters and the commands of ``mrfs`` as Markdown, from the program itself."""

from __future__ import annotations

import argparse
from dataclasses import Field, fields

from mrfs_ros.cli.main import parser
from mrfs_ros.cli.ros_commands import COMMANDS as ROS_COMMANDS
from mrfs_ros.config import NodeConfig


def node_parameters() -> str:
    """The parameters as a Markdown table: name, default, what is allowed, what it does."""
    rows = ["| parameter | default | allowed | |", "| --- | --- | --- | --- |"]
    for spec in fields(NodeConfig):
        value = getattr(NodeConfig(), spec.name)
        default = f"`{str(value).lower() if isinstance(value, bool) else value}`" if value != "" else "empty"
        read = " *(restart)*" if spec.metadata["once"] else " *(configure)*" if spec.metadata["fixed"] else ""
        text = _cell(spec.metadata["text"])
        rows.append(f"| `{spec.name}` | {default} | {_allowed(spec)} | {text}{read} |")
    return "\n".join(rows)


def commands() -> str:
    """Every command as a Markdown section: what it does, usage, options, examples."""
    return "\n\n".join(_section(name, command) for name, command in _subparsers(parser()).items())


def _section(name: str, command: argparse.ArgumentParser) -> str:
    if name in ROS_COMMANDS:
        text = f"{ROS_COMMANDS[name].capitalize()}. Needs ROS 2: `mrfs {name} --help` lists its options there."
        return f"## mrfs {name}\n\n{text}"
    parts = [f"## mrfs {name}", command.description, f"```text\n{command.format_usage().strip()}\n```"]
    first, second, *others = command._action_groups  # argparse has no public way to see them
    groups = {"": [*first._group_actions, *second._group_actions]}
    groups |= {f"**{group.title.capitalize()}**": group._group_actions for group in others}
    for title, actions in groups.items():
        rows = [_option(command, action) for action in actions if action.dest != "help"]
        if rows:
            parts.append("\n".join((title, "", "| | |", "| --- | --- |", *rows)))
    if command.epilog:
        parts.append(f"```text\n{command.epilog.strip()}\n```")
    return "\n\n".join(parts)


def _option(command: argparse.ArgumentParser, action: argparse.Action) -> str:
    names = ", ".join(f"`{name}`" for name in action.option_strings) or f"`{action.metavar or action.dest}`"
    value = ""
    if action.option_strings and action.nargs != 0:
        value = f" `{action.metavar or '|'.join(map(str, action.choices or [])) or action.dest.upper()}`"
    text = command._get_formatter()._expand_help(action) if action.help else ""
    return f"| {_cell(names + value)} | {_cell(text)} |"


def _subparsers(top: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    (action,) = (action for action in top._actions if isinstance(action, argparse._SubParsersAction))
    return dict(action.choices)


def _allowed(spec: Field) -> str:
    rules = spec.metadata
    if rules["choices"]:
        return ", ".join(f"`{choice}`" for choice in rules["choices"])
    if rules["low"] is not None:
        return f"{rules['low']:g} to {rules['high']:g}"
    return "true, false" if isinstance(spec.default, bool) else "text"


def _cell(text: str) -> str:
    """Text that Markdown keeps as it is, in one cell of a table."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")
