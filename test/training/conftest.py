"""Settings of a small training run over two frames."""

from __future__ import annotations

import pytest
from toy_run import write_pairs, write_settings


@pytest.fixture(scope="module")
def view(sample_pair):
    """A part of the sample with people and cars in it, wide enough for two frames of 64x96."""
    rgb, thermal = sample_pair
    return rgb[200:296, 100:260], thermal[200:296, 100:260]


@pytest.fixture
def tidy(tmp_path):
    """Removes what runs saved, 200 MB each."""
    yield
    for heavy in (*tmp_path.rglob("latest.pt*"), *tmp_path.rglob("*.safetensors*")):
        heavy.unlink()


@pytest.fixture
def settings(tmp_path, view):
    """Writes settings over two 64x64 frames."""
    root = write_pairs(tmp_path / "data", view, (64, 64))
    return lambda **changes: write_settings(tmp_path / "settings.yaml", root, **changes)
