"""Finding of bags, named one by one, by a glob, or in a list; and a name for the results of each."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from mrfs_ros.bag.reading.bag_reader import FILE_KINDS, PACKED_KINDS
from mrfs_ros.errors import ConfigError
from mrfs_ros.fleet import remote_files

ALL_KINDS = (*PACKED_KINDS, *FILE_KINDS)
LONGEST = 80  # characters of a path's part that a name keeps


def find_bags(wanted: Sequence[str]) -> list[str]:
    """Paths and URLs of bags, each once, in the order asked for.

    ``wanted``: bags (taken as they are, there or not), globs, and lists: .txt files with a bag or glob on each line.
    ConfigError for a list or glob that yields none.
    """
    found = [bag for entry in wanted for bag in (_listed(entry) if entry.endswith(".txt") else _found(entry))]
    return list(dict.fromkeys(found))


def _listed(place: str) -> Iterator[str]:
    text = remote_files.read_text(place if remote_files.is_url(place) else str(Path(place).expanduser()))
    if text is None:
        raise ConfigError(f"{place}: no such list of bags")
    lines = [re.sub(r"(^|\s)#.*", "", line).strip() for line in text.splitlines()]
    if not any(lines):
        raise ConfigError(f"{place}: names no bag: expected a bag or glob on each line")
    folder = remote_files.parent(place if remote_files.is_url(place) else str(Path(place).expanduser().absolute()))
    for line in filter(None, lines):
        absolute = remote_files.is_url(line) or line.startswith(("/", "~"))
        yield from _found(line if absolute else remote_files.joined(folder, line))


def _found(entry: str) -> list[str]:
    local = not remote_files.is_url(entry)
    if local:
        entry = os.path.normpath(Path(entry).expanduser().absolute())
    if not re.search(r"[*\[]" if entry.startswith("http") else r"[*?\[]", entry) or (local and Path(entry).exists()):
        return [entry]
    matches = _local_matches(entry) if local else remote_files.matches(entry)
    if not PurePosixPath(entry).name.startswith("."):  # as a shell: ._NAME.mcap is left by macOS
        matches = [match for match in matches if not PurePosixPath(match[0]).name.startswith(".")]
    bags = {place for place, inside in matches if _is_bag(place, inside)}
    chosen = [place for place, _ in matches if place in bags and remote_files.parent(place) not in bags]
    if not chosen:
        raise ConfigError(
            f"{entry}: {len(matches)} matches, none of them a bag: expected rosbag2 folders (with metadata.yaml) or "
            f"{', '.join(ALL_KINDS)} files"
        )
    return chosen


def _local_matches(pattern: str) -> list[tuple[str, list[str] | None]]:
    paths = sorted(Path("/").glob(pattern.lstrip("/")))
    return [(str(path), [p.name for p in path.iterdir()] if path.is_dir() else None) for path in paths]


def _is_bag(place: str, inside: list[str] | None) -> bool:
    """Whether a match is one: a folder also without metadata.yaml, as a recorder that was killed leaves it."""
    if inside is None:
        return remote_files.path_of(place).endswith(ALL_KINDS)
    parts = re.compile(re.escape(remote_files.own_name(place)) + r"_\d+\.(mcap|db3)(\.zstd)?")
    return "metadata.yaml" in inside or any(map(parts.fullmatch, inside))


def named(bags: Sequence[str], known: Mapping[str, str], reserved: Sequence[str] = ()) -> dict[str, str]:
    """Bag to the name of its results: one safe part of a path, its own name where that tells it from the others.

    ``known``: names given earlier, which stay. ``reserved``: names that none may have. Bags of one name get as many
    of the folders above them as tell them apart, and a number where that does not.
    """
    taken = {name.casefold() for name in (*known.values(), *reserved)}
    names = {bag: known[bag] for bag in bags if bag in known}
    new = [bag for bag in bags if bag not in known]
    deep = dict.fromkeys(new, 1)
    while True:
        wanted = {bag: _safe(bag, deep[bag]) for bag in new}
        count = Counter(name.casefold() for name in wanted.values())
        unclear = [bag for bag in new if count[wanted[bag].casefold()] > 1 or wanted[bag].casefold() in taken]
        deeper = [bag for bag in unclear if deep[bag] < len(_parts(bag))]
        if not deeper:
            break
        for bag in deeper:
            deep[bag] += 1
    for bag in new:
        name, number = wanted[bag], 1
        while name.casefold() in taken:
            number += 1
            name = f"{wanted[bag]}_{number}"
        taken.add(name.casefold())
        names[bag] = name
    return {bag: names[bag] for bag in bags}


def _parts(bag: str) -> list[str]:
    return [part for part in PurePosixPath(remote_files.path_of(bag)).parts if part.strip("/.")]


def safe_part(text: str) -> str:
    """``text`` as a part of a path that never leads elsewhere; may be empty."""
    return re.sub(r"[^\w.-]+", "_", text)[-LONGEST:].strip(".")


def _safe(bag: str, depth: int) -> str:
    """A name of letters, digits and ``_-.`` from the last ``depth`` parts; never hidden, never a path."""
    parts = _parts(bag) or ["bag"]
    for ending in ALL_KINDS:
        parts[-1] = parts[-1].removesuffix(ending) or parts[-1]
    safe = map(safe_part, parts[-depth:])
    name = "_".join(filter(None, safe))[-2 * LONGEST :].strip(".") or "bag"
    return re.sub(r"\.(partial|lock)$", r"_\1", name)
