"""Messages as they lie in a bag, and the channels they are of: what every reader of bags yields."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path


def full_kind(kind: str) -> str:
    """``sensor_msgs/msg/Image`` for ``sensor_msgs/Image``, as some writers of bags call it; others as they are."""
    return re.sub(r"^(\w+)/(\w+)$", r"\1/msg/\2", kind)


@dataclass(frozen=True)
class Channel:
    """``kind``: message type as in ROS 2 (``pkg/Type`` is taken for ``pkg/msg/Type``), ``definition``: its text with
    those of the types in it, if the bag has it.

    ``latched``: its publisher said that late subscribers are to get the last message.
    """

    topic: str
    kind: str
    definition: str = ""
    ros1: bool = False
    latched: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", full_kind(self.kind))

    @property
    def is_latched(self) -> bool:
        """Are late subscribers to get the last message too? Static transforms always, whoever recorded them."""
        return self.latched or self.topic.endswith("/tf_static")


@dataclass(frozen=True)
class Record:
    """A serialized message (CDR, or ROS 1's own format) and when it was recorded [ns]."""

    channel: Channel
    log_ns: int
    raw: bytes


def cut_off(name: str, position: int, size: int) -> str:
    """The sentence for a file that cannot be read to its end."""
    return f"{name}: ends or is damaged after about {position} of {size} bytes"


def told_losses(
    path: Path, cut_at: int | None, bad_chunks: int, hurt_chunks: int, gaps: int, unknown: int
) -> list[str]:
    """A sentence for each kind of loss in a file that was read from front to back; ``cut_at``: where it ends early."""
    counted = {
        "chunks are damaged and left out": bad_chunks,
        "chunks are damaged in part": hurt_chunks,
        "places are damaged and left out": gaps,
        "messages of unknown topics": unknown,
    }
    told = [f"{path.name}: {count} {what}" for what, count in counted.items() if count]
    return told if cut_at is None else [*told, cut_off(path.name, cut_at, path.stat().st_size)]
