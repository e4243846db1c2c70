"""Recordings, a quick engine in place of the network, and places for results."""

from __future__ import annotations

from pathlib import Path

import pytest
from bags import pairs, write_bag
from fleets import PAIRS, asked, results, run
from stub_engine import StubEngine

from mrfs_ros.fleet import run as fleet


@pytest.fixture(scope="module")
def recordings(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("recordings")
    for i, name in enumerate(("run1/cam", "run2/cam", "street")):
        (folder / name).parent.mkdir(exist_ok=True)
        write_bag(folder / name, pairs(PAIRS, first=10 * i))
    return folder


@pytest.fixture(autouse=True)
def engine(monkeypatch, tmp_path) -> StubEngine:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    engine = StubEngine()
    monkeypatch.setattr(fleet, "configured_engine", lambda _: engine)
    return engine


@pytest.fixture(scope="module")
def undisturbed(recordings, tmp_path_factory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fleet, "configured_engine", lambda _: StubEngine())
        assert set(run(asked(recordings, out)).values()) == {"done"}
    return results(out)


@pytest.fixture(params=["memory", "file"])
def store(request, tmp_path) -> str:
    """A URL, unused so far."""
    return f"memory://{tmp_path.name}" if request.param == "memory" else f"file://{tmp_path}/store"
