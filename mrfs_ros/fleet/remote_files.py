"""Bags and results that lie behind a URL (s3://, gs://, all that fsspec knows): to and fro, whole or not at all."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any

from mrfs_ros.bag.reading.write_ahead_log import SUFFIX, log_of
from mrfs_ros.bag.writing.result_writer import PARTIAL
from mrfs_ros.errors import ConfigError, MissingPackageError, MrfsError, needs_package
from mrfs_ros.files import atomic


def is_url(place: str) -> bool:
    """Whether ``place`` is a URL (chained ones of fsspec too) and not a path of this machine."""
    return bool(re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", place))


def joined(place: str, *parts: str) -> str:
    """The place ``parts`` below a path or URL."""
    if not is_url(place):
        return str(Path(place, *parts))
    first, chain, rest = place.partition("::")
    scheme, _, path = first.partition("://")
    below = "/".join(parts)
    return f"{scheme}://{path.rstrip('/')}/{below}{chain}{rest}" if path else f"{scheme}://{below}{chain}{rest}"


def own_name(place: str) -> str:
    """The last part of a path or URL."""
    return PurePosixPath(path_of(place)).name


def path_of(place: str) -> str:
    """A path as it is; of a URL what follows the scheme."""
    return place.partition("::")[0].partition("://")[2] if is_url(place) else place


def parent(place: str) -> str:
    """The folder that a path or URL lies in."""
    if not is_url(place):
        return str(Path(place).parent)
    first, chain, rest = place.partition("::")
    return first.rpartition("/")[0] + chain + rest


def open_store(url: str) -> tuple[Any, str]:
    """fsspec's file system of a URL, and the path on it.

    MissingPackageError with the line that installs what the scheme needs, ConfigError for an unknown scheme.
    """
    with needs_package("bags and results behind URLs", "fsspec", "fleet"):
        import fsspec
    try:
        store, path = fsspec.url_to_fs(url)
    except ImportError as error:
        package = getattr(error.__cause__, "name", None) or getattr(error, "name", None)
        line = f": pip install {package}" if package else ""
        raise MissingPackageError(f"{url}: {str(error).rstrip('.')}{line}") from error
    except Exception as error:
        raise ConfigError(f"{url}: {error}") from error
    return store, path


@contextmanager
def translated_errors(url: str) -> Iterator[None]:
    """Translate errors of any file system into MrfsError (trying again is of no use) or OSError (it may be)."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ConfigError(f"{url}: no such file or folder") from error
    except PermissionError as error:
        raise ConfigError(f"{url}: access denied ({error})") from error
    except (MrfsError, OSError):
        raise
    except Exception as error:  # each file system has errors of its own
        raise ConnectionError(f"{url}: {type(error).__name__}: {error}") from error


def matches(pattern: str) -> list[tuple[str, list[str] | None]]:
    """What a glob URL finds, sorted: (URL, names inside if it is a folder, else None)."""
    with translated_errors(pattern):
        store, path = open_store(pattern)
        found = store.glob(path, detail=True)
        return [
            (_url_like(pattern, name), _inside(store, name) if entry["type"] == "directory" else None)
            for name, entry in sorted(found.items())
        ]


def _url_like(pattern: str, path: str) -> str:
    first, chain, rest = pattern.partition("::")
    return f"{first.partition('://')[0]}://{path}{chain}{rest}"


def _inside(store: Any, folder: str) -> list[str]:
    return [PurePosixPath(name).name for name in store.ls(folder, detail=False)]


def read_text(place: str) -> str | None:
    """The content of a small file at a path or URL; None if there is none."""
    if not is_url(place):
        try:
            return Path(place).read_text(encoding="utf-8-sig")
        except (FileNotFoundError, NotADirectoryError):
            return None
    with translated_errors(place):
        store, path = open_store(place)
        try:
            return store.cat_file(path).decode("utf-8-sig")
        except (FileNotFoundError, NotADirectoryError):
            return None


def put_text(place: str, text: str) -> None:
    """Write a small file at a path or URL, whole or not at all, also when the power fails; folders above are made."""
    if not is_url(place):
        path = Path(place)
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic(path) as unfinished:
            unfinished.write_text(text, encoding="utf-8")
        return
    with translated_errors(place):
        store, path = open_store(place)
        if above := path.rpartition("/")[0]:
            store.makedirs(above, exist_ok=True)
        with store.transaction:
            store.pipe_file(path, text.encode())


def fetch(url: str, folder: Path, name: str) -> Path:
    """Copy a bag, file or folder, to ``folder / name`` and return that; one that is there already is whole.

    ConfigError if there is none, or a name in it leads out of the folder; OSError when the copy fails.
    """
    target, partial = folder / name, folder / (name + PARTIAL)
    if target.exists():
        return target
    shutil.rmtree(partial, ignore_errors=True)
    partial.unlink(missing_ok=True)
    with translated_errors(url):
        store, path = open_store(url)
        found = {path: store.info(path)} if store.isfile(path) else store.find(path, detail=True)
        if not found:
            raise ConfigError(f"{url}: no such file or folder, or an empty one")
        copies = {name: _below(partial, path, name) for name in found}
        for name, entry in _logs(store, path).items():
            found[name], copies[name] = entry, target.with_name(target.name + SUFFIX)
        sizes = {copies[name]: entry.get("size") for name, entry in found.items()}
        for copy in sizes:
            copy.parent.mkdir(parents=True, exist_ok=True)
        store.get(list(found), [str(copy) for copy in sizes])
    for copy, size in sizes.items():
        if size is not None and copy.stat().st_size != size:
            raise ConnectionError(f"{url}: {copy.stat().st_size} of {size} bytes came of {copy.name}")
    return partial.rename(target)


def _logs(store: Any, path: str) -> dict[str, Any]:
    """The write-ahead log beside a database file that was named alone; none beside a folder, which holds its own."""
    log = path + SUFFIX
    return {log: store.info(log)} if path.endswith(".db3") and store.isfile(path) and store.isfile(log) else {}


def files_of(place: str) -> list[list[str | int]]:
    """Name, size and, where the file system keeps it, time of change of a bag's files, sorted; empty if it has none.

    Hidden files, as those that file managers leave in folders, are not the bag's.
    """
    if not is_url(place):
        path = Path(place)
        alone = [path, *filter(None, [log_of(path)])]
        files = alone if path.is_file() else sorted(path.iterdir()) if path.is_dir() else []
        looks = [
            (file.name, file.stat())
            for file in files
            if file.is_file() and (file in alone or not file.name.startswith("."))
        ]
        return [[name, look.st_size, str(look.st_mtime_ns)] for name, look in looks]
    with translated_errors(place):
        store, path = open_store(place)
        try:
            found = {path: store.info(path)} if store.isfile(path) else store.find(path, detail=True)
            found |= _logs(store, path)
        except (FileNotFoundError, NotADirectoryError):
            return []
    names = {name: name.removeprefix(path).strip("/") for name in found}
    return sorted(
        [names[name], entry.get("size") or 0, _changed_at(entry)]
        for name, entry in found.items()
        if not own_name(names[name]).startswith(".")
    )


def _changed_at(entry: dict[str, Any]) -> str:
    """When a file of a store changed, under whichever of the names that stores have for it."""
    return next((str(entry[key]) for key in ("ETag", "etag", "mtime", "LastModified", "updated") if key in entry), "")


def remove(url: str) -> None:
    """Remove a file or folder; one that is not there is removed already."""
    with translated_errors(url):
        store, path = open_store(url)
        with suppress(FileNotFoundError):
            store.rm(path, recursive=True)


def _below(folder: Path, root: str, name: str) -> Path:
    """Where ``name`` of a store goes: never outside ``folder``, whatever an object is called."""
    parts = PurePosixPath(name).relative_to(PurePosixPath(root)).parts
    if ".." in parts or any("\0" in part for part in parts):
        raise ConfigError(f"{name}: leads out of its folder: not fetched")
    return folder.joinpath(*parts)


def put(folder: Path, url: str, names: Sequence[str]) -> None:
    """Copy files, named relative to ``folder``, to the same names below ``url``; OSError when that fails."""
    with translated_errors(url):
        store, root = open_store(url)
        targets = [f"{root.rstrip('/')}/{name}" for name in names]
        for above in sorted({target.rpartition("/")[0] for target in targets}):
            store.makedirs(above, exist_ok=True)
        store.put([str(folder / name) for name in names], targets)
