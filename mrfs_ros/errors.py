"""Errors that a user can mend: each text says what was expected, what came, what to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class MrfsError(ValueError):
    """Base of every error that this package raises on purpose; front ends print it as one line."""


class CheckpointError(MrfsError):
    """A weights file is missing, damaged, unsafe, or holds another network."""


class ImageError(MrfsError):
    """An image has the wrong type, size or content; ``reason`` is its short name in drop counters."""

    def __init__(self, message: str, reason: str = "bad_image"):
        super().__init__(message)
        self.reason = reason


class ConfigError(MrfsError):
    """A setting has an unknown name, the wrong type or a value out of range."""


class MissingPackageError(MrfsError, ImportError):
    """An optional package is not installed; the text holds the line that installs it."""


@contextmanager
def needs_package(purpose: str, package: str, extra: str) -> Iterator[None]:
    """Guard of the import of an optional package, which stands inside the block.

    Args:
        purpose: what the package is needed for, as the subject of a sentence: "backend onnx".
        package: its name as its makers write it: "ONNX Runtime".
        extra: the extra of mrfs_ros in setup.py that installs it.

    Raises:
        MissingPackageError: an import in the block failed; the text ends with the line that installs the package.

    Example:
        >>> with needs_package("the chart", "matplotlib", "plots"):
        ...     import no_such_package
        Traceback (most recent call last):
        mrfs_ros.errors.MissingPackageError: the chart needs matplotlib: pip install 'mrfs_ros[plots]'
    """
    try:
        yield
    except ImportError as error:
        raise MissingPackageError(f"{purpose} needs {package}: pip install 'mrfs_ros[{extra}]'") from error


def some(names: Iterable[object], shown: int = 3) -> str:
    """The first ``shown`` names, and how many more there are: for the text of an error.

    Example:
        >>> some(["a", "b", "c", "d"])
        'a, b, c and 1 more'
    """
    names = [str(name) for name in names]
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more
