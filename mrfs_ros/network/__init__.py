"""The MRFS network of the paper as PyTorch modules."""

from mrfs_ros.network.mrfs import MRFS, Features, MRFSOutput, build_network
from mrfs_ros.network.variants import VARIANTS, Variant

__all__ = ["MRFS", "VARIANTS", "Features", "MRFSOutput", "Variant", "build_network"]
