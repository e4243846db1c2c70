"""Image pair in, ``FusionResult`` out: one callable, whatever runs the network."""

from mrfs_ros.engine.load import load_engine
from mrfs_ros.engine.protocol import Engine, EngineInfo

__all__ = ["Engine", "EngineInfo", "load_engine"]
