"""Partners among files of two folders: the same names, but for a constant prefix or suffix or case; or stamps."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mrfs_ros.data.stamped_names import nearest_in_time
from mrfs_ros.errors import ConfigError, ImageError

_RUNS = re.compile(r"\d+|[^\W\d_]+|[\W_]")  # digits, letters, one of anything else
_ZEROS = re.compile(r"(?<!\d)(?<!\d\.)0+(?=\d)")  # before a number that is no fraction
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")  # of PreviewDataRGB: Preview, Data, RGB
_SEPARATORS = " _-."
_CAMERAS = {
    "rgb": {"rgb", "color", "colour", "vis", "vi", "visible", "visual"},
    "thermal": {"ir", "thermal", "tir", "lwir", "infrared"},
}
"""Words for a camera, to tell the files of one folder apart."""


@dataclass(frozen=True)
class NamePattern:
    """A prefix and a suffix around what the partners' names have in common, written ``prefix{}suffix``."""

    prefix: str = ""
    suffix: str = ""

    @classmethod
    def parsed(cls, text: str, option: str) -> NamePattern:
        """The pattern of ``text``, which has one {}; ConfigError, which names ``option``, for anything else."""
        if text.count("{}") != 1 or "/" in text:
            raise ConfigError(f"{option}: expected a file name with {{}} for what is common, as {{}}_rgb, got {text!r}")
        return cls(*text.split("{}"))

    def common(self, name: str) -> str | None:
        """What ``name`` has in the place of {}; None if it is not of this pattern, or nothing is left."""
        inner = name[len(self.prefix) : len(name) - len(self.suffix)]
        return inner if inner and self.prefix + inner + self.suffix == name else None

    def __str__(self) -> str:
        return f"{self.prefix}{{}}{self.suffix}"


@dataclass(frozen=True)
class Partners:
    """``of``: name in the first folder -> (what is common, name in the second). ``rule``: how, "" = the same names."""

    of: dict[str, tuple[str, str]]
    rule: str = ""

    def __bool__(self) -> bool:
        return bool(self.of)


def partners(
    names: Iterable[str], others: Iterable[str], pattern: str = "", other_pattern: str = "", *, options: str
) -> Partners:
    """Which of ``others`` belongs to which of ``names`` (file names without their ending).

    Where all names are stamps, the nearest in time are partners. Otherwise the same names are; if there are none, names
    that differ in case; if there are none, names that differ by one constant prefix or suffix of whole words, which has
    no digits of its own: a number is a frame's. If there are none either, all of this is tried without the zeros before
    numbers.

    Args:
        names, others: of the two folders.
        pattern, other_pattern: as ``NamePattern.parsed`` takes them, in place of looking; "" = the other one's names.
        options: that give these two, for errors: "--rgb-name, --thermal-name".

    Returns:
        The partners, in the order of ``names``; whoever is not in it has none.

    Raises:
        ConfigError: for a pattern that is none.
        ImageError: when there are several ways to find partners, or two files of one folder are alike.
    """
    names, others = list(names), list(others)
    if pattern or other_pattern:
        first, second = (NamePattern.parsed(text or "{}", options) for text in (pattern, other_pattern))
        return Partners(_joined(_keys(names, first), _keys(others, second)), f"{first} and {second}")
    stamped, how = nearest_in_time(names, others)
    same = set(names) & set(others)
    if len(stamped) > len(same):
        return Partners({name: (name, other) for name, other in stamped.items()}, how)
    if same:
        return Partners({name: (name, name) for name in names if name in same})
    folded = _joined(_folded(names, options), _folded(others, options))
    if folded:
        return Partners(folded, "their names, whose case differs")
    return _by_affix(names, others, options) or _without_zeros(names, others, options) or Partners({}, how)


def _without_zeros(names: list[str], others: list[str], options: str) -> Partners:
    """Partners of which one has 1 and the other 0001; none where two names of a folder would become one."""
    short, other_short = ({_ZEROS.sub("", name): name for name in folder} for folder in (names, others))
    changed = [*short] != names or [*other_short] != others
    if not changed or len(short) < len(names) or len(other_short) < len(others):
        return Partners({})
    found = partners(short, other_short, options=options)
    of = {short[name]: (common, other_short[other]) for name, (common, other) in found.of.items()}
    how = found.rule or "their names"
    return Partners(of, f"{how}, without the zeros before numbers" if of else "")


def camera_patterns(names: Iterable[str]) -> tuple[str, str] | None:
    """Patterns of the rgb and of the thermal files of one folder, by what their names end or begin with.

    None unless one word for each camera is found: then the files are of both cameras at once, or somebody must say.
    """
    for reverse in (True, False):
        found: dict[str, set[str]] = {camera: set() for camera in _CAMERAS}
        for name in names:
            words = _words(name)
            word = words[-1 if reverse else 0]
            for camera, known in _CAMERAS.items():
                if word.lower() in known and len(words) > 1:
                    found[camera].add(_pattern(words, reverse))
        if all(len(patterns) == 1 for patterns in found.values()):
            return found["rgb"].pop(), found["thermal"].pop()
    return None


def _pattern(words: list[str], reverse: bool) -> str:
    """{} and the word at one end, with the separator before or after it."""
    if reverse:
        return "{}" + "".join(words[-2:] if words[-2] in _SEPARATORS else words[-1:])
    return "".join(words[:2] if words[1] in _SEPARATORS else words[:1]) + "{}"


def _keys(names: list[str], pattern: NamePattern) -> dict[str, str]:
    return {common: name for name in names if (common := pattern.common(name)) is not None}


def _folded(names: list[str], options: str) -> dict[str, str]:
    folded: dict[str, str] = {}
    for name in names:
        if (known := folded.setdefault(name.lower(), name)) != name:
            raise ImageError(f"{known} and {name} differ in case alone: rename one, or say which by {options}")
    return folded


def _joined(keys: dict[str, str], other_keys: dict[str, str]) -> dict[str, tuple[str, str]]:
    """Partners by what is common; the name that a pair gets is the first folder's way to write it."""
    return {
        name: (name[at : at + len(key)] if (at := name.lower().find(key.lower())) >= 0 else key, other_keys[key])
        for key, name in keys.items()
        if key in other_keys
    }


def _by_affix(names: list[str], others: list[str], options: str) -> Partners:
    """Partners by the constant prefix or suffix that explains most; ImageError if several do and differ."""
    found: dict[frozenset, dict[str, tuple[str, str]]] = {}
    for reverse in (False, True):
        for keys, other_keys in _candidates(names, others, reverse):
            of = _joined(keys, other_keys)
            if 2 * len(of) >= max(2, min(len(names), len(others))):  # a few that happen to agree are no rule
                found.setdefault(frozenset((name, other) for name, (_, other) in of.items()), of)
    most = max(map(len, found), default=0)
    best = [of for pairs, of in found.items() if len(pairs) == most]
    if len(best) > 1:
        name = next(name for name in best[0] if best[0][name][1] != best[1].get(name, ("", ""))[1])
        rivals = [of[name][1] for of in best if name in of]
        raise ImageError(
            f"{name} could belong to {' or to '.join(rivals)}: say how names differ by {options}, such as '{{}}_rgb'"
        )
    if not best:
        return Partners({})
    name, (common, other) = next(iter(best[0].items()))
    return Partners(best[0], f"{_shown(name, common)} and {_shown(other, common)}")


def _candidates(names: list[str], others: list[str], reverse: bool) -> Iterator[tuple[dict[str, str], dict[str, str]]]:
    """What is left of both folders' names, lower case -> name, without each constant beginning (``reverse``: end)."""
    if not names or not others:
        return
    folders = [[_words(name)[:: -1 if reverse else 1] for name in folder] for folder in (names, others)]
    constants = [_constant(words) for words in folders]
    for i in range(len(constants[0]) + 1):
        for j in range(len(constants[1]) + 1):
            if _names_a_camera(constants[0][:i], constants[1][:j]):
                rests = [
                    _rests(folder, words, n, reverse) for folder, words, n in zip((names, others), folders, (i, j))
                ]
                if None not in rests:
                    yield tuple(rests)


def _words(name: str) -> list[str]:
    """Runs of digits, words, and separators, one by one."""
    runs = _RUNS.findall(name)
    return [word for run in runs for word in (_WORDS.findall(run) if run.isascii() and run.isalpha() else [run])]


def _constant(names: list[list[str]]) -> list[str]:
    """The first words, lower case, that all names share; one word at least of each name is not among them."""
    shared = []
    for words in zip(*(name[:-1] for name in names)):
        if len({word.lower() for word in words}) > 1:
            break
        shared.append(words[0].lower())
    return shared


def _names_a_camera(words: list[str], others: list[str]) -> bool:
    """Do two affixes differ, and in words alone? A number that differs would be another frame's."""
    words, others = list(words), list(others)
    for end in (0, -1):
        while words and others and words[end] == others[end]:
            words.pop(end), others.pop(end)
    differing = [*words, *others]
    return any(map(str.isalpha, differing)) and not any(map(str.isdigit, differing))


def _rests(names: list[str], words: list[list[str]], count: int, reverse: bool) -> dict[str, str] | None:
    """What is left, lower case -> name, without ``count`` words; None where nothing is, or two are alike."""
    rests = {}
    for name, parts in zip(names, words):
        rest = "".join(parts[count:][:: -1 if reverse else 1]).strip(_SEPARATORS).lower()
        if not rest or rest in rests:
            return None
        rests[rest] = name
    return rests


def _shown(name: str, common: str) -> str:
    at = name.lower().find(common.lower())
    return f"{name[:at]}{{}}{name[at + len(common) :]}"
