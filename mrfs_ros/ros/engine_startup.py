"""The node's engine: loaded by its parameters, warmed up at the cameras' size, its encoder side chosen for a rate."""

from __future__ import annotations

from dataclasses import replace

from mrfs_ros.config import NodeConfig
from mrfs_ros.engine import Engine
from mrfs_ros.engine.configured_engine import configured_engine
from mrfs_ros.engine.encoder_rate import median_ms, side_for_rate, tried_sides
from mrfs_ros.engine.encoder_side import AUTO, WEIGHTS, EncoderSide
from mrfs_ros.engine.protocol import SidedEngine
from mrfs_ros.errors import ConfigError
from mrfs_ros.preprocess import Preprocessor
from mrfs_ros.process import process_pairs

WARM_UP_FRAMES = 2  # ONNX Runtime plans its memory in the second


def loaded(config: NodeConfig) -> Engine:
    """The engine that the parameters ask for; errors as for ``load_engine``."""
    side = WEIGHTS if config.encoder_side == AUTO else config.encoder_side  # auto: see choose_encoder_side
    return configured_engine(replace(config, encoder_side=side))


def choose_encoder_side(engine: Engine, preprocessor: Preprocessor, size: tuple[int, int], rate_hz: float) -> None:
    """Let ``engine`` use the side that ``encoder_side: auto`` stands for; nothing changes it later."""
    if not isinstance(engine, SidedEngine):
        raise ConfigError("encoder_side: auto: the node was given an engine of its own, whose side it cannot choose")
    images = preprocessor.black(size)[0]

    def measured(side: EncoderSide) -> float:
        engine.use_encoder_side(side)
        return median_ms(lambda: process_pairs(engine, [images]))

    sides = tried_sides(min(size), engine.info.encoder_side.pixels)
    engine.use_encoder_side(side_for_rate(sides, measured, rate_hz))


def warm_up(engine: Engine, preprocessor: Preprocessor, size: tuple[int, int]) -> None:
    """Run ``engine`` on black images of ``size`` (H, W); ConfigError when it cannot."""
    try:
        for images in preprocessor.black(size):
            for _ in range(WARM_UP_FRAMES):
                process_pairs(engine, [images])
    except Exception as error:
        raise ConfigError(
            f"the engine ({engine.info}) cannot run at {size[0]}x{size[1]}: {type(error).__name__}: {error}; "
            "set warmup_height, warmup_width and device to what the cameras and the machine have"
        ) from error
