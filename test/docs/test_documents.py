"""What the documents show is what happens: links, commands, arguments and names; make docs runs the commands."""

from __future__ import annotations

import ast
import re
from dataclasses import fields
from pathlib import Path

import pytest
from documents import ROOT, Snippet, documents, snippets, words
from stand_ins import ADDED, INSTEAD, plan

from mrfs_ros.cli.main import parser
from mrfs_ros.cli.ros_commands import COMMANDS as ROS_COMMANDS
from mrfs_ros.config import NodeConfig

PAGES = {str(path.relative_to(ROOT)): path.read_text() for path in documents()}
SNIPPETS = [snippet for name in PAGES for snippet in snippets(ROOT / name)]
COMMANDS = [snippet for snippet in SNIPPETS if snippet.language == "console"]
LAUNCH = (ROOT / "launch" / "mrfs.launch.py").read_text()
EXAMPLE = """# Title

```console
$ mrfs info a.pth      # what it holds
mrfs: what it prints
$ python make.py \\
    --out "a # b"  # two lines
```

```python
print(1)
```

```yaml
$ no: command
```
"""


def of(program: str) -> list[Snippet]:
    return [snippet for snippet in COMMANDS if snippet.text.startswith(program)]


def test_commands_and_blocks_are_found(tmp_path):
    path = tmp_path / "page.md"
    path.write_text(EXAMPLE)
    assert snippets(path, tmp_path) == [
        Snippet("page.md", 4, 0, "console", "mrfs info a.pth"),
        Snippet("page.md", 6, 0, "console", 'python make.py --out "a # b"'),
        Snippet("page.md", 11, 1, "python", "print(1)\n"),
    ]


def test_a_command_is_split_as_a_shell_does_it():
    assert words("mrfs bags 'a b/*' --csv && rerun x") == [["mrfs", "bags", "a b/*", "--csv"], ["rerun", "x"]]


def test_an_unknown_command_is_noticed():
    assert plan("mrfs fuse --rgb a --thermal b --out c").command
    assert plan("ros2 launch mrfs_ros mrfs.launch.py").command == ""
    assert plan("mrfs dream --on") is None
    assert plan("curl example.org") is None


@pytest.mark.parametrize("snippet", COMMANDS, ids=str)
def test_every_command_is_run_or_known_not_to(snippet):
    assert plan(snippet.text), f"{snippet}: {snippet.text}: say in test/docs/stand_ins.py how it can run"


def test_nothing_in_the_table_is_left_over():
    assert {*ADDED, *INSTEAD} <= {snippet.text for snippet in COMMANDS}


@pytest.mark.parametrize("snippet", of("mrfs "), ids=str)
def test_the_parser_accepts_every_mrfs_command(snippet):
    for part in words(snippet.text):
        if part[0] == "mrfs" and part[1] not in ROS_COMMANDS:
            assert parser().parse_args(part[1:]).command == part[1]


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    for target in set(re.findall(r"\]\(((?!https?:)[^)#\s]+)", PAGES[page])):
        assert (ROOT / page).parent.joinpath(target).exists(), target


def test_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text()
    for snippet in of("make "):
        target = snippet.text.split()[1]
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), snippet
    demo, _ = INSTEAD["make demo"]
    assert f"$(BIN)/{demo}\n" in makefile


def test_launch_arguments_and_parameters_exist():
    given = {name for snippet in of("ros2 launch") for name in re.findall(r"(\w+):=", snippet.text)}
    assert given
    assert {name for name in given if f'"{name}"' not in LAUNCH} == set()
    parameters = {name for snippet in of("mrfs_node") for name in re.findall(r"-p (\w+):=", snippet.text)}
    assert parameters
    assert parameters <= {spec.name for spec in fields(NodeConfig)}


def test_the_ros_guide_names_every_launch_argument():
    (table,) = (
        node.value
        for node in ast.parse(LAUNCH).body
        if isinstance(node, ast.Assign) and node.targets[0].id == "ARGUMENTS"
    )
    names = {ast.literal_eval(row.elts[0]) for row in table.elts}
    assert {name for name in names if f"`{name}`" not in PAGES["docs/ros.md"]} == set()


def test_the_ros_guide_names_every_topic_and_service_of_the_node():
    sources = [path.read_text() for path in (ROOT / "mrfs_ros" / "ros").glob("*.py")]
    names = {name for text in sources for name in re.findall(r'"~/([a-z_/]+)"', text)}
    assert "debug/features" in names
    assert {name for name in names if f"`/mrfs/{name}`" not in PAGES["docs/ros.md"]} == set()


def test_extras_and_requirements_that_are_installed_exist():
    setup = (ROOT / "setup.py").read_text()
    extras = {extra for text in PAGES.values() for found in re.findall(r"pip install[^\n]*\[([\w,]+)\]", text)
              for extra in found.split(",")}  # fmt: skip
    assert "train" in extras
    assert {extra for extra in extras if f'"{extra}": [' not in setup} == set()
    for snippet in of("python3 -m pip install -r"):
        (path,) = re.findall(r"src/mrfs_ros/(\S+)", snippet.text)
        assert Path(ROOT / path).is_file()
