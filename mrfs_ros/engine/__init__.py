"""Image pair in, ``FusionResult`` out: one callable, whatever runs the network.

Importing this package loads no torch, for engines of one's own need none; ``load_engine`` does.
"""

from typing import TYPE_CHECKING

from mrfs_ros.engine.protocol import Engine, EngineInfo

if TYPE_CHECKING:
    from mrfs_ros.engine.load import load_engine

__all__ = ["Engine", "EngineInfo", "load_engine"]


def __getattr__(name: str):
    if name != "load_engine":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from mrfs_ros.engine.load import load_engine

    return load_engine
