"""Copies to and from file systems behind URLs: whole or not at all, and never outside their folder."""

from __future__ import annotations

import builtins
import os

import fsspec
import pytest

from mrfs_ros.errors import ConfigError, MissingPackageError
from mrfs_ros.fleet import remote_files


@pytest.fixture(params=["memory://bags/{}", "file://{}", "dir://bags::file://{}"])
def place(request, tmp_path):
    """A URL of an empty folder on each of three file systems."""
    return request.param.format(tmp_path)


def filled(place):
    for name in ("cam/metadata.yaml", "cam/cam_0.mcap", "cam/deep/er"):
        remote_files.put_text(remote_files.joined(place, name), name)
    return remote_files.joined(place, "cam")


@pytest.mark.parametrize(
    "place, parts, joined, parent",
    [
        ("/a/b", ["c"], "/a/b/c", "/a"),
        ("s3://bucket", ["c", "d"], "s3://bucket/c/d", None),
        ("s3://bucket/a/", ["c"], "s3://bucket/a/c", None),
        ("memory://", ["c"], "memory://c", None),
        ("file:///", ["c"], "file:///c", None),
        ("zip://a/b::s3://x/y.zip", ["c"], "zip://a/b/c::s3://x/y.zip", "zip://a::s3://x/y.zip"),
    ],
)
def test_places(place, parts, joined, parent):
    assert remote_files.joined(place, *parts) == joined
    assert remote_files.own_name(joined) == parts[-1]
    assert parent is None or remote_files.parent(place) == parent
    assert remote_files.is_url(place) == ("://" in place)


def test_a_folder_is_fetched_whole_and_kept(place, tmp_path):
    bag = remote_files.fetch(filled(place), tmp_path / "scratch", "mine")
    assert bag == tmp_path / "scratch/mine"
    assert {str(p.relative_to(bag)): p.read_text() for p in bag.rglob("*") if p.is_file()} == {
        "metadata.yaml": "cam/metadata.yaml",
        "cam_0.mcap": "cam/cam_0.mcap",
        "deep/er": "cam/deep/er",
    }
    (bag / "metadata.yaml").write_text("kept")
    assert remote_files.fetch(remote_files.joined(place, "cam"), tmp_path / "scratch", "mine") == bag
    assert (bag / "metadata.yaml").read_text() == "kept"


def test_a_file_is_fetched(place, tmp_path):
    file = remote_files.fetch(remote_files.joined(filled(place), "cam_0.mcap"), tmp_path / "scratch", "mine.mcap")
    assert file.read_text() == "cam/cam_0.mcap"


def test_the_files_of_a_bag_are_told_apart(place, tmp_path):
    bag = filled(place)
    before = remote_files.files_of(bag)
    assert [(name, size) for name, size, _ in before] == [("cam_0.mcap", 14), ("deep/er", 11), ("metadata.yaml", 17)]
    remote_files.put_text(remote_files.joined(bag, ".hidden"), "x")
    assert remote_files.files_of(bag) == before
    remote_files.put_text(remote_files.joined(bag, "metadata.yaml"), "longer than it was")
    assert remote_files.files_of(bag) != before
    assert [size for _, size, _ in remote_files.files_of(remote_files.joined(bag, "cam_0.mcap"))] == [14]
    assert (
        remote_files.files_of(remote_files.joined(place, "gone")) == remote_files.files_of(str(tmp_path / "gone")) == []
    )
    remote_files.remove(remote_files.joined(bag, "metadata.yaml"))
    remote_files.remove(remote_files.joined(bag, "gone"))
    assert len(remote_files.files_of(bag)) == 2
    remote_files.remove(bag)
    assert remote_files.files_of(bag) == []


def test_half_a_copy_is_begun_anew(place, tmp_path):
    half = tmp_path / "scratch/mine.partial/left over"
    half.parent.mkdir(parents=True)
    half.touch()
    bag = remote_files.fetch(filled(place), tmp_path / "scratch", "mine")
    assert not (bag / "left over").exists() and not half.parent.exists()


def test_what_is_not_there_is_told(place, tmp_path):
    with pytest.raises(ConfigError, match="no such file"):
        remote_files.fetch(remote_files.joined(place, "gone"), tmp_path / "scratch", "mine")
    assert remote_files.read_text(remote_files.joined(place, "gone")) is None
    assert remote_files.read_text(str(tmp_path / "gone")) is None


def test_names_in_a_store_do_not_lead_out(tmp_path):
    fsspec.filesystem("memory").store["/evil/../../escaped"] = fsspec.implementations.memory.MemoryFile(
        None, "/evil/../../escaped", b"x"
    )
    with pytest.raises(ConfigError, match="leads out"):
        remote_files.fetch("memory://evil", tmp_path / "a/b", "mine")
    assert not list(tmp_path.rglob("escaped"))


def test_a_short_copy_is_not_taken_for_a_whole_one(tmp_path, monkeypatch):
    remote_files.put_text("memory://short/cam.mcap", "long text")
    store, _ = remote_files.open_store("memory://short/cam.mcap")
    entry = store.info("/short/cam.mcap")
    monkeypatch.setattr(type(store), "info", lambda *_, **__: {**entry, "size": entry["size"] + 1})
    with pytest.raises(ConnectionError, match="9 of 10 bytes"):
        remote_files.fetch("memory://short/cam.mcap", tmp_path, "mine")
    assert not (tmp_path / "mine").exists()


def test_errors_of_file_systems_become_ours_or_may_pass(tmp_path, monkeypatch):
    store, _ = remote_files.open_store("memory://x")
    for raised, expected in ((PermissionError("no"), ConfigError), (KeyError("throttled"), ConnectionError)):
        with monkeypatch.context() as patch:
            patch.setattr(type(store), "find", lambda *_, raised=raised, **__: (_ for _ in ()).throw(raised))
            with pytest.raises(expected, match="memory://x"):
                remote_files.fetch("memory://x", tmp_path, "mine")


def test_results_are_put(place, tmp_path):
    (tmp_path / "results/frames").mkdir(parents=True)
    for name in ("frames/1.png", "table.csv"):
        (tmp_path / "results" / name).write_text(name)
    remote_files.put(tmp_path / "results", remote_files.joined(place, "out/cam"), ["frames/1.png", "table.csv"])
    for name in ("frames/1.png", "table.csv"):
        assert remote_files.read_text(remote_files.joined(place, "out/cam", name)) == name


def test_a_text_is_written_whole_or_not_at_all(place, tmp_path, monkeypatch):
    for where in (remote_files.joined(place, "a/note"), str(tmp_path / "local/note")):
        remote_files.put_text(where, "ä")
        assert remote_files.read_text(where) == "ä"
        remote_files.put_text(where, "b")
        assert remote_files.read_text(where) == "b"
    assert [p.name for p in (tmp_path / "local").iterdir()] == ["note"]


def test_a_full_disk_leaves_the_old_text(tmp_path, monkeypatch):
    remote_files.put_text(str(tmp_path / "note"), "first")
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        remote_files.put_text(str(tmp_path / "note"), "second")
    assert (tmp_path / "note").read_text() == "first"


@pytest.mark.parametrize("url, package", [("s3://bucket/x", "s3fs"), ("gs://bucket/x", "gcsfs")])
def test_what_a_scheme_needs_is_said(url, package, monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name == package:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingPackageError, match=f"pip install {package}"):
        remote_files.open_store(url)


def test_an_unknown_scheme_is_refused():
    with pytest.raises(ConfigError, match=r"nonsense://x: .*not known"):
        remote_files.open_store("nonsense://x")


def test_without_fsspec_urls_are_refused_with_the_line_that_helps(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "fsspec", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'mrfs_ros\[fleet\]'"):
        remote_files.open_store("memory://x")
