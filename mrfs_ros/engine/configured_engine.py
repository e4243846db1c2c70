"""Engine by the node's parameters, for the live node and for bags alike."""

from __future__ import annotations

from mrfs_ros.config import NodeConfig
from mrfs_ros.engine.protocol import Engine


def configured_engine(config: NodeConfig) -> Engine:
    """The engine that the parameters ask for; errors as for ``load_engine``."""
    from mrfs_ros.engine import load_engine  # here: it imports torch, which an engine of one's own may not need

    return load_engine(
        config.weights,
        config.device,
        config.backend,
        classes=config.classes,
        precision=config.precision,
        encoder_side=config.encoder_side,
        temporal_smoothing=config.temporal_smoothing,
        label_groups=config.label_groups,
    )
