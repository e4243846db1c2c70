"""Rules of the architecture: who may import whom, what stays light, which words are used."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "mrfs_ros"

# A subpackage imports only from those of lower layers, or itself. cli and ros share one: they never import each other.
LAYERS = {
    "errors": 0,
    "files": 1,
    "types": 1,
    "config": 1,
    "shipped": 1,
    "yaml_text": 1,
    "label_groups": 2,
    "objects": 2,
    "network": 2,
    "camera": 2,
    "geometry": 2,
    "pairing": 2,
    "draw": 2,
    "checkpoint": 3,
    "preprocess": 3,
    "data": 4,
    "engine": 4,
    "process": 5,
    "pair_outputs": 6,
    "training": 6,
    "evaluation": 6,
    "bench": 6,
    "calibration": 7,
    "bag": 7,
    "studies": 7,
    "fleet": 8,
    "cli": 9,
    "ros": 9,
}
ROS_PACKAGES = {
    "rclpy", "sensor_msgs", "std_msgs", "std_srvs", "diagnostic_msgs", "rcl_interfaces", "builtin_interfaces",
    "rosgraph_msgs", "vision_msgs", "message_filters", "lifecycle_msgs",
}  # fmt: skip
HOME = {  # the subpackages in which a heavy package may be imported
    "torch": {"network", "checkpoint", "engine", "training", "evaluation", "bench", "studies"},
    "safetensors": {"checkpoint"},
    "cv2": {"camera", "geometry", "draw", "objects", "data", "training", "evaluation", "calibration", "studies"},
    "yaml": {"training", "bag", "yaml_text"},
    "PIL": {"data"},
    "matplotlib": {"studies"},
    **{package: {"ros"} for package in ROS_PACKAGES},
    "rosbags": {"bag", "ros"},
    "mcap": {"bag"},
    "apsw": {"bag"},
    "av": {"bag"},
    **{package: {"engine"} for package in ("onnx", "onnxruntime", "openvino")},
    **{package: {"bag"} for package in ("plotly", "jinja2", "rerun")},
    **{package: {"fleet"} for package in ("ray", "fsspec")},
    "cv_bridge": {"ros"},
    "launch": set(),
    "launch_ros": set(),
}
INSIDE_FUNCTIONS_ONLY = {
    "rosbags",
    "mcap",
    "apsw",
    "av",
    "message_filters",
    "cv_bridge",
    "vision_msgs",
    "tqdm",
    "yaml",
    "PIL",
    "matplotlib",
    "onnx",
    "onnxruntime",
    "openvino",
    "plotly",
    "jinja2",
    "rerun",
    "ray",
    "fsspec",
}


# Parts of a subpackage, and what these do not import from it.
PARTS = {
    "bag.reading": ("mrfs_ros.bag.writing", "mrfs_ros.bag.job", "mrfs_ros.bag.journal", "mrfs_ros.bag.plan"),
    "bag.writing": ("mrfs_ros.bag.job",),
}


def part(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).parts[:2])


OWN_TEXTS = [
    path
    for path in sorted([*PACKAGE.rglob("*.py"), *ROOT.glob("docs/*.md"), *ROOT.glob("*.md"), *ROOT.glob("config/*")])
    if path.is_file()
]


def subpackage(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def unmapped(page: str) -> set[str]:
    """Modules and packages that the table of CONTRIBUTING.md does not name."""
    rows = re.findall(r"^\| (`.*?`) \|", page, re.MULTILINE)
    return LAYERS.keys() - {name for row in rows for name in re.findall(r"`(\w+)`", row)}


def test_contributing_maps_every_module_and_package():
    page = (ROOT / "CONTRIBUTING.md").read_text()
    assert unmapped(page) == set()
    assert unmapped(page.replace("| `pairing` |", "| pairs |")) == {"pairing"}
    found = {subpackage(path) for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.stem != "__init__"}
    assert found == LAYERS.keys()


def imports(source: str) -> list[tuple[str, bool]]:
    """(dotted name, at the top of the module?) of every import; blocks for type checkers do not count."""
    found = []

    def visit(node: ast.AST, top: bool) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
                continue
            if isinstance(child, ast.Import):
                found.extend((alias.name, top) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                found.append((child.module or "", top))
            visit(child, top and not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)))

    visit(ast.parse(source), True)
    return found


def broken_rules(own: str, source: str, part: str = "") -> list[str]:
    """What the imports of a file in subpackage ``own`` (or its ``part``) do against the rules."""
    broken = [f"{part} imports {name}" for name, _ in imports(source) if name.startswith(PARTS.get(part, "no part"))]
    for name, top in imports(source):
        base, *rest = name.split(".")
        if base == "mrfs_ros" and rest and own != "__init__" and rest[0] != own and LAYERS[rest[0]] >= LAYERS[own]:
            broken.append(f"{own} imports {name}")
        if base in HOME and own not in HOME[base]:
            broken.append(f"{own} imports {name}")
        if base in INSIDE_FUNCTIONS_ONLY and top:
            broken.append(f"{own} imports {name} at the top")
    return broken


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_follow_the_rules(path):
    assert broken_rules(subpackage(path), path.read_text(), part(path)) == []


@pytest.mark.parametrize(
    "own, source",
    [
        ("network", "from mrfs_ros.checkpoint import read_checkpoint"),
        ("cli", "def f():\n    from mrfs_ros.ros import node"),
        ("ros", "import torch"),
        ("ros", "def f():\n    import cv2"),
        ("engine", "import rclpy.node"),
        ("ros", "import rosbags"),
        ("camera", "import torch.nn"),
        ("camera", "from mrfs_ros.geometry.warp import Warp"),
        ("geometry", "from mrfs_ros.camera.gray import to_gray"),
        ("preprocess", "import cv2"),
        ("preprocess", "from mrfs_ros.engine import Engine"),
        ("engine", "from mrfs_ros.process import process_pairs"),
    ],
)
def test_the_rules_can_be_broken(own, source):
    assert broken_rules(own, source)


@pytest.mark.parametrize("own", PARTS)
def test_the_rules_of_parts_can_be_broken(own):
    assert broken_rules("bag", "from mrfs_ros.bag.job import run_bag", own)
    assert not broken_rules("bag", "from mrfs_ros.bag.settings import BagSettings", own)


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_modules(source: str, known: set[str]) -> set[str]:
    """Modules of ``known`` that a file imports anywhere, inside functions too; for type checkers only: not at all."""
    found = set()
    for node in running_code(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in found if name in known}


def running_code(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes below but those under ``if TYPE_CHECKING``, which never run and so close no circle."""
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test)):
            yield child
            yield from running_code(child)


def circles(sources: dict[str, str]) -> list[list[str]]:
    """Groups of modules (name -> source) that import each other, directly or through others."""
    reached = {name: imported_modules(source, sources.keys() - {name}) for name, source in sources.items()}
    grows = True
    while grows:
        more = {name: seen.union(*(reached[other] for other in seen)) for name, seen in reached.items()}
        grows, reached = more != reached, more
    groups = {name: frozenset(other for other in seen if name in reached[other]) for name, seen in reached.items()}
    return sorted(sorted(group) for group in set(groups.values()) if group)


def test_no_module_imports_itself_through_others():
    assert circles({module_name(path): path.read_text() for path in PACKAGE.rglob("*.py")}) == []


def test_the_search_for_circles_finds_them():
    lazy = "def f():\n    from mrfs_ros.part import a"
    typed = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from mrfs_ros.part.a import A"
    direct = {"mrfs_ros.part.a": "import mrfs_ros.part.b", "mrfs_ros.part.b": lazy, "mrfs_ros.part.c": lazy}
    assert circles(direct) == [["mrfs_ros.part.a", "mrfs_ros.part.b"]]
    assert circles({**direct, "mrfs_ros.part.b": typed}) == []
    through = {**direct, "mrfs_ros.part.b": "from mrfs_ros.part.c import x"}
    assert circles(through) == [["mrfs_ros.part.a", "mrfs_ros.part.b", "mrfs_ros.part.c"]]


@cache
def loaded_after(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint(' '.join(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in run.stdout.split()}


@pytest.mark.parametrize(
    "statement, absent",
    [
        ("import mrfs_ros", {"torch", "cv2", "numpy", "rclpy"}),
        ("import mrfs_ros.engine", {"torch", "rclpy", "cv2"}),
        ("import mrfs_ros.engine.load", {"rclpy", "cv2", "sensor_msgs"}),
        ("import mrfs_ros.cli.main", {"torch", "cv2", "numpy", "rclpy"}),
        ("import mrfs_ros.camera.image_fields", {"torch", "cv2", "rclpy"}),
    ],
)
def test_what_stays_light(statement, absent):
    loaded = loaded_after(statement)
    assert "mrfs_ros" in loaded
    assert loaded & absent == set()


def test_the_lightness_check_can_fail():
    assert "torch" in loaded_after("import mrfs_ros.engine.load")


def test_public_names():
    import mrfs_ros

    assert set(mrfs_ros.__all__) <= set(dir(mrfs_ros))
    for name in mrfs_ros.__all__:
        assert getattr(mrfs_ros, name).__module__.startswith("mrfs_ros.")
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        mrfs_ros.nonsense  # noqa: B018


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_files_and_functions_stay_small(path):
    source = path.read_text()
    assert len(source.splitlines()) <= 400
    assert ast.get_docstring(ast.parse(source)), "a file begins with what it is for"
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            documented = node.body[0].end_lineno if ast.get_docstring(node) else node.lineno
            assert node.end_lineno - documented < 50, node.name


RIDDLES = ("What", "Where", "How", "Which", "Whose", "Who", "When", "Why")
WORDS = {  # word of no standard meaning -> what an engineer would search for
    r"diar(y|ies)": "journal",
    r"wish(es|ed)?": "requested",
    r"promise[sd]?|contradictions?": "index check",
    r"intake|spoken_for": "preprocess, translate errors",
    r"answers\(": "process, infer",
    r"stillborn": "failed start",
    r"stor(y|ies)": "provenance",
    r"slips? of the pen": "typos",
    r"unrest|bent|parts of one": "noise, curve error, non-integer",
    r"shutter events?": "flat-field correction",
    r"standout": "peak ratio",
}


def words_of_no_meaning(text: str) -> list[str]:
    """Words of ``WORDS`` in a text, names in code included."""
    return [f"{found[0]}: say {better}" for word, better in WORDS.items()
            for found in re.finditer(rf"(?<![a-zA-Z])({word})(?![a-zA-Z])", text, re.IGNORECASE)]  # fmt: skip


def is_riddle(source: str) -> bool:
    """Whether the first sentence of a module begins with a question word, not with the concept's name."""
    return (ast.get_docstring(ast.parse(source)) or "").split(" ")[0].rstrip(":,") in RIDDLES


@pytest.mark.parametrize("path", OWN_TEXTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_words_are_those_of_vision_and_robotics(path):
    text = path.read_text()
    assert words_of_no_meaning(text) == []
    assert path.suffix != ".py" or not is_riddle(text)


@pytest.mark.parametrize("text", ["the run's diary", "def story(self):", "_DIARY = 1", "Stillborn runs", "two wishes"])
def test_words_of_no_meaning_are_found(text):
    assert words_of_no_meaning(text)


def test_riddles_are_found():
    assert is_riddle('"""What a bag\'s index says."""') and is_riddle('"""Where pixels lie."""')
    assert not is_riddle('"""Index check of bags: how many messages they hold."""')


def not_atomic(source: str) -> list[str]:
    """Places where a file is written past ``mrfs_ros.files``."""
    return re.findall(r"(?<!unfinished)\.(?:(?:write_text|write_bytes)\(|open\(\"w\"[^)]*\))", source)


@pytest.mark.parametrize("path", [p for p in OWN_TEXTS if p.suffix == ".py"], ids=lambda p: str(p.relative_to(ROOT)))
def test_files_are_written_whole_or_not_at_all(path):
    allowed = {
        "bags.py": ['.open("w")'],  # /dev/null
        "image_io.py": [".write_bytes("],  # pictures: thousands of them, none of which is worth a wait for the disk
        "png_folders.py": [".write_bytes("],  # in a folder that is moved when it is whole
    }
    assert not_atomic(path.read_text()) == allowed.get(path.name, [])


def test_writing_past_the_atomic_function_is_found():
    assert not_atomic('(out / "scores.md").write_text("")') and not_atomic('path.open("w", newline="")')
    assert not not_atomic('unfinished.write_text("")') and not not_atomic('unfinished.open("w")')


def test_no_two_files_have_one_name():
    names = [path.name for path in PACKAGE.rglob("*.py") if path.name != "__init__.py"]
    assert {name for name in names if names.count(name) > 1} == set()


def releases() -> dict[str, tuple[str, ...]]:
    """Version, and date where there is one, of the newest release by each file that names it."""
    files = {
        "CHANGELOG.rst": r"^(\d+\.\d+\.\d+) \((.+)\)$",
        "CITATION.cff": r"^version: (.+)\ndate-released: (.+)$",
        "package.xml": r"<version>(.+)</version>",
    }
    return {
        name: re.search(pattern, (ROOT / name).read_text(), re.MULTILINE).groups() for name, pattern in files.items()
    }


def test_version_date_and_licence_are_one():
    import mrfs_ros

    setup = [sys.executable, "setup.py", "--version"]
    installed = subprocess.run(setup, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()[-1]
    version, date = releases()["CHANGELOG.rst"]
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", date)
    assert releases() == {
        "CHANGELOG.rst": (version, date), "CITATION.cff": (version, date), "package.xml": (version,),
    }  # fmt: skip
    assert mrfs_ros.__version__ == installed == version
    assert "Apache License" in (ROOT / "LICENSE").read_text()[:200]


def test_metadata_is_in_setup_py_only():
    assert "[project]" not in [line.strip() for line in (ROOT / "pyproject.toml").read_text().splitlines()]
