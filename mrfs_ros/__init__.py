"""mrfs_ros: RGB-thermal image fusion and segmentation in one network, as a Python package and a ROS 2 node.

``load_engine()`` gives a callable that turns an (H, W, 3) uint8 RGB image and an (H, W) uint8 thermal image
into a ``FusionResult``; ``load_network(path)`` gives the plain ``torch.nn.Module``. Importing this package
loads neither torch nor OpenCV nor ROS.
"""

from typing import TYPE_CHECKING

__version__ = "0.2.0"
__all__ = ["FusionResult", "MrfsError", "load_engine", "load_network"]

if TYPE_CHECKING:
    from mrfs_ros.checkpoint import load_network
    from mrfs_ros.engine import load_engine
    from mrfs_ros.errors import MrfsError
    from mrfs_ros.types import FusionResult

_HOME = {
    "FusionResult": "mrfs_ros.types",
    "MrfsError": "mrfs_ros.errors",
    "load_engine": "mrfs_ros.engine",
    "load_network": "mrfs_ros.checkpoint",
}


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
