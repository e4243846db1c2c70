"""The parameters that choose an engine reach ``load_engine``, each under its name."""

from __future__ import annotations

import inspect
from dataclasses import replace

import pytest

from mrfs_ros import engine
from mrfs_ros.config import NodeConfig
from mrfs_ros.engine.configured_engine import configured_engine
from mrfs_ros.errors import ConfigError

OTHERS = {
    "weights": "untrained",
    "device": "cpu",
    "backend": "eager",
    "classes": "FMB",
    "precision": "fp32",
    "encoder_side": "240",
    "temporal_smoothing": 0.5,
    "label_groups": "groups.yaml",
}


def test_every_argument_is_the_parameter_of_its_name(monkeypatch):
    signature = inspect.signature(engine.load_engine)
    asked = []
    monkeypatch.setattr(
        engine, "load_engine", lambda *given, **named: asked.append(signature.bind(*given, **named).arguments)
    )
    assert OTHERS.keys() == signature.parameters.keys()
    for name, other in OTHERS.items():
        configured_engine(replace(NodeConfig(), **{name: other}))
        assert asked[-1] == {key: getattr(NodeConfig(), key) for key in OTHERS} | {name: other}


def test_the_side_that_is_measured_live_is_refused():
    config = NodeConfig(weights="untrained", device="cpu", encoder_side="auto", target_rate_hz=5.0)
    with pytest.raises(ConfigError, match="encoder_side: auto is measured by the live node alone"):
        configured_engine(config)
