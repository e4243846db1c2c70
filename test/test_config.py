"""The strict loader, and config/mrfs.yaml as its public face."""

from __future__ import annotations

from dataclasses import asdict, fields
from pathlib import Path

import pytest
import yaml

from mrfs_ros.config import NetworkConfig, NodeConfig, from_mapping
from mrfs_ros.errors import ConfigError

YAML = Path(__file__).resolve().parent.parent / "config" / "mrfs.yaml"


def test_values_override_defaults():
    config = from_mapping(NetworkConfig, {"variant": "mit_b3", "drop_path": 0})
    assert config == NetworkConfig(variant="mit_b3", drop_path=0.0)
    assert isinstance(config.drop_path, float)


@pytest.mark.parametrize(
    "values, text",
    [
        ({"varaint": "mit_b3"}, "unknown setting varaint: expected one of variant, num_classes"),
        ({"num_classes": "9"}, "num_classes: expected int, got str '9'"),
        ({"num_classes": True}, "num_classes: expected int, got bool True"),
        ({"drop_path": "0.1"}, "drop_path: expected float, got str '0.1'"),
    ],
)
def test_unknown_names_and_wrong_types_are_refused(values, text):
    with pytest.raises(ConfigError) as error:
        from_mapping(NetworkConfig, values)
    assert text in str(error.value)


@pytest.mark.parametrize("given", [240, "240"])
def test_a_whole_number_may_stand_for_its_text_where_that_is_said(given):
    assert from_mapping(NodeConfig, {"encoder_side": given}).encoder_side == "240"


@pytest.mark.parametrize(
    "values, text",
    [
        ({"encoder_side": 240.5}, "encoder_side: expected str, got float 240.5"),
        ({"encoder_side": True}, "encoder_side: expected str, got bool True"),
        ({"weights": 240}, "weights: expected str, got int 240"),
        ({"encoder_side": "auto"}, "encoder_side: auto needs target_rate_hz, the pairs a second to hold, got 0"),
    ],
)
def test_other_types_do_not_and_auto_needs_a_rate(values, text):
    with pytest.raises(ConfigError) as error:
        from_mapping(NodeConfig, values)
    assert text in str(error.value)


def test_yaml_names_every_parameter_with_its_default():
    parameters = yaml.safe_load(YAML.read_text())["/**"]["ros__parameters"]
    assert parameters == asdict(NodeConfig())
    assert [type(v) for v in parameters.values()] == [type(v) for v in asdict(NodeConfig()).values()]


def test_every_parameter_says_what_it_is():
    for spec in fields(NodeConfig):
        assert spec.metadata["text"].endswith("."), spec.name
        numeric = isinstance(spec.default, (int, float)) and not isinstance(spec.default, bool)
        assert (spec.metadata["low"] is not None) == numeric, spec.name
        if numeric:
            assert spec.metadata["low"] <= spec.default <= spec.metadata["high"]
            assert "[" in spec.metadata["text"] or "0 to 1" in spec.metadata["text"], f"{spec.name}: unit"
        if spec.metadata["choices"]:
            assert spec.default in spec.metadata["choices"]
