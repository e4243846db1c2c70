"""The network in another order of the same arithmetic: what inference can save without changing the result."""

from mrfs_ros.engine.rewritten.network import RewrittenMRFS

__all__ = ["RewrittenMRFS"]
