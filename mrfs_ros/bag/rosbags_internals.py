"""Adapter to what rosbags does not offer to the outside: every private name of it that is used stands here."""

from __future__ import annotations

from typing import Any


def flush_mcap(writer: Any) -> None:
    """Hand all messages of an open mcap ``Writer`` to the operating system, the last chunk however small."""
    storage = writer.storage
    if storage.chunk.msgs:
        storage.close_chunk()
    storage.bio.flush()
