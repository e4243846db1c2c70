"""The network computes what the authors' definition computes, feature by feature."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from reference import reference_file, reference_network

from mrfs_ros.config import NetworkConfig
from mrfs_ros.network import MRFS

TOLERANCE = 2e-5  # a correct float32 run is within 9e-6; a wrong LayerNorm eps can hide below 7e-5, so eps has a test
# SHA-256 over "name shape" lines, sorted, of a released 9-class checkpoint.
RELEASED_NAMES = {
    "mit_b0": "ba56a206d0a9125da7cc70b49559f2542be4195616c09cfcdc74d652772b96a4",
    "mit_b4": "3c14fbe99738891154829aa97b080f8e7f8ecbacd13ab9e13107bd66d44dcd80",
}


def names_digest(shapes: dict[str, list[int]]) -> str:
    lines = sorted(f"{name} {list(shape)}" for name, shape in shapes.items())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def state_shapes(variant: str) -> dict[str, list[int]]:
    with torch.device("meta"):
        return {name: list(t.shape) for name, t in MRFS(NetworkConfig(variant=variant)).state_dict().items()}


@pytest.mark.parametrize("variant", ["mit_b0", "mit_b4"])
def test_names_and_shapes_are_the_released_ones(variant):
    assert names_digest(state_shapes(variant)) == RELEASED_NAMES[variant]


@pytest.mark.parametrize("variant", ["mit_b0", "mit_b4"])
def test_names_and_shapes_equal_the_reference_list(variant):
    assert state_shapes(variant) == json.loads(reference_file(f"state_dict_{variant}.json").read_text())


@pytest.fixture(scope="module")
def reference():
    return np.load(reference_file("parity_mit_b0.npz"))


def test_logits_and_fused_equal_the_reference(reference):
    with torch.no_grad():
        out = reference_network()(torch.from_numpy(reference["rgb"]), torch.from_numpy(reference["thermal"]))
    assert out.logits.shape == (2, 9, 96, 128)
    assert out.fused.shape == (2, 3, 96, 128)
    np.testing.assert_allclose(out.logits, reference["logits"], rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(out.fused, reference["fused"], rtol=0, atol=TOLERANCE)


def test_every_feature_equals_the_reference(reference):
    with torch.no_grad():
        got = reference_network().features(torch.from_numpy(reference["rgb"]), torch.from_numpy(reference["thermal"]))
    for kind in ("visual_rgb", "visual_thermal", "semantic"):
        for stage, feature in enumerate(getattr(got, kind), start=1):
            expected = reference[f"{kind}_{stage}"]
            np.testing.assert_allclose(
                feature[:1], expected, rtol=0, atol=TOLERANCE, err_msg=f"{kind} of stage {stage}"
            )


def wave(channels: int, height: int, width: int) -> torch.Tensor:
    """A smooth test image (1, channels, height, width) in [0, 1], the same on every machine."""
    c, y, x = torch.meshgrid(*(torch.arange(n, dtype=torch.float64) for n in (channels, height, width)), indexing="ij")
    return (0.5 + 0.5 * torch.sin(0.7 * c + 0.11 * y + 0.05 * x))[None]


def test_values_are_those_of_the_commit_that_matched_the_reference():
    """For machines without the reference: values frozen, in float64, when the tests above passed (error 8e-6)."""
    frozen = json.loads((Path(__file__).parent / "frozen_mit_b0.json").read_text())
    with torch.no_grad():
        out = reference_network().double()(wave(3, 61, 75), wave(1, 61, 75))
    for name, tensor in out._asdict().items():
        got = tensor.flatten()[:: frozen[name]["step"]]
        # Libraries sum in orders of their own.
        np.testing.assert_allclose(got, frozen[name]["values"], rtol=0, atol=1e-7)
