"""The MRFS network of the paper as PyTorch modules."""

from mrfs_ros.network.encoder_sizes import VARIANTS, Variant
from mrfs_ros.network.mrfs import MRFS, Features, MRFSOutput, build_network

__all__ = ["MRFS", "VARIANTS", "Features", "MRFSOutput", "Variant", "build_network"]
