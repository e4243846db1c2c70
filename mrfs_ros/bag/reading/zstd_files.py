"""Zstd compression outside of a storage: single messages, and whole files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from mrfs_ros.bag.reading.records import Record
from mrfs_ros.errors import ConfigError, needs_package

_MAGIC = b"\x28\xb5\x2f\xfd"
_PIECE = 2**12  # what is lost with a damaged place, at most, besides its block


def unpacked(record: Record) -> Record:
    """The record with its message unpacked, if it is packed: rosbag2 may compress each, and CDR never begins so."""
    if record.channel.ros1 or bytes(record.raw[:4]) != _MAGIC:
        return record
    zstandard = _zstandard()
    try:
        return replace(record, raw=zstandard.ZstdDecompressor().decompressobj().decompress(record.raw))
    except zstandard.ZstdError:  # damaged: whoever decodes it will say so
        return record


def unpack_file(file: Path, folder: Path, damage: list[str]) -> Path:
    """Unpack x.mcap.zstd to ``folder``/x.mcap, as far as that can be done; what is lost goes to ``damage``.

    The whole file lies there afterwards, for rosbag2 several times as large: ``folder`` needs that much space.
    """
    zstandard = _zstandard()
    target = folder / file.stem
    try:
        with file.open("rb") as packed, target.open("wb") as plain:
            reader = zstandard.ZstdDecompressor().decompressobj()
            while piece := packed.read(_PIECE):
                while piece:
                    if reader.eof:  # one frame after the other
                        reader = zstandard.ZstdDecompressor().decompressobj()
                    plain.write(reader.decompress(piece))
                    piece = reader.unused_data if reader.eof else b""
            if not reader.eof:
                damage.append(f"{file.name}: the compressed file is cut off")
    except zstandard.ZstdError as error:
        damage.append(f"{file.name}: the compressed file is damaged ({error})")
    except OSError as error:
        raise ConfigError(f"{file}: cannot be unpacked to {folder}: {error.strerror or error}") from error
    return target


def _zstandard() -> Any:
    with needs_package("reading compressed bags", "mcap", "bags"):
        import zstandard  # comes with mcap
    return zstandard
