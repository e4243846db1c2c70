"""The few operations that the rewritten network is made of, in plain PyTorch and in C++."""

from mrfs_ros.engine.operators.plain import PlainOperators as Operators

__all__ = ["Operators"]
