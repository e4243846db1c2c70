"""Finds what the documents show to be typed: console lines that begin with ``$``, and Python blocks."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATTERNS = ("README.md", "CONTRIBUTING.md", "docs/*.md", "models/README.md", "samples/README.md", "benchmarks/*.md")
# Up to a comment: a # behind a space, outside quotes.
_COMMAND = re.compile(r"""(?:[^'"#]|'[^']*'|"[^"]*"|(?<!\s)#)*""")
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Snippet:
    """One command, or one Python block; ``block`` numbers the blocks of a document, ``line`` counts from 1."""

    document: str
    line: int
    block: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.document}:{self.line}"


def documents(root: Path = ROOT) -> list[Path]:
    """Every page of the site that is Markdown."""
    return [path for pattern in PATTERNS for path in sorted(root.glob(pattern))]


def snippets(path: Path, root: Path = ROOT) -> list[Snippet]:
    """What ``path`` shows to be typed, in order; commands in one line each, without their comments."""
    text, found = path.read_text(), []
    for number, match in enumerate(_FENCE.finditer(text)):
        language, content = match.groups()
        first = text.count("\n", 0, match.start()) + 2
        where = str(path.relative_to(root))
        if language == "python":
            found.append(Snippet(where, first, number, language, content))
        elif language == "console":
            found += [Snippet(where, first + at, number, language, command) for at, command in _commands(content)]
    return found


def words(command: str) -> list[list[str]]:
    """The words of each part of a command, as a shell splits them at ``&&``."""
    parts: list[list[str]] = [[]]
    for word in shlex.split(command):
        if word == "&&":
            parts.append([])
        else:
            parts[-1].append(word)
    return parts


def _commands(block: str) -> list[tuple[int, str]]:
    found, lines = [], block.splitlines()
    for at, line in enumerate(lines):
        if not line.startswith("$ "):
            continue
        command, end = line[2:], at
        while command.endswith("\\"):
            end += 1
            command = command[:-1].rstrip() + " " + lines[end].strip()
        found.append((at, _COMMAND.match(command)[0].strip()))
    return found
