"""Errors that a user can mend: each text says what was expected, what came, what to do."""


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
