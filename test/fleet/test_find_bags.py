"""Bags by name, glob and list; names of results that are safe and tell bags apart."""

from __future__ import annotations

import fsspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrfs_ros.errors import ConfigError
from mrfs_ros.fleet.find_bags import find_bags, named


def touched(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.fixture
def recordings(tmp_path):
    touched(
        tmp_path / "run1/cam/metadata.yaml",
        tmp_path / "run1/cam/cam_0.mcap",
        tmp_path / "run1/notes.txt",
        tmp_path / "run2/cam/cam_0.db3",  # its recorder was killed: no metadata.yaml
        tmp_path / "run2/old.bag",
        tmp_path / "run[3]/x.mcap",
        tmp_path / "run4/packed/packed_0.db3.zstd",  # killed while it compressed
        tmp_path / "run4/moved_0.mcap.zstd",
    )
    return tmp_path


def below(folder, bags):
    return [bag.removeprefix(f"{folder}/") for bag in bags]


def test_globs_find_folders_and_files_but_no_parts_of_a_bag(recordings):
    assert below(recordings, find_bags([f"{recordings}/run*/**/*"])) == [
        "run1/cam",
        "run2/cam",
        "run2/old.bag",
        "run4/moved_0.mcap.zstd",
        "run4/packed",
        "run[3]/x.mcap",
    ]
    packed = find_bags([f"{recordings}/run4/*"])
    assert list(named(packed, {}).values()) == ["moved_0", "packed"]
    assert below(recordings, find_bags([f"{recordings}/*/cam/*.mcap"])) == ["run1/cam/cam_0.mcap"]


def test_globs_pass_over_hidden_files_as_a_shell_does(recordings):
    """macOS leaves ._NAME beside each file that it copies."""
    touched(recordings / "run2/._old.bag")
    assert below(recordings, find_bags([f"{recordings}/run2/*.bag"])) == ["run2/old.bag"]
    assert below(recordings, find_bags([f"{recordings}/run2/.*.bag"])) == ["run2/._old.bag"]


def test_a_bag_is_taken_as_it_is_there_or_not_and_once(recordings):
    wanted = [recordings / "run[3]/x.mcap", recordings / "gone.bag", recordings / "run1/../run1/cam", "run1/cam"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(recordings)
        assert below(recordings, find_bags(list(map(str, wanted)))) == ["run[3]/x.mcap", "gone.bag", "run1/cam"]


@pytest.mark.parametrize("pattern", ["*.nothing", "run1/*.txt"])
def test_a_glob_without_bags_is_refused(recordings, pattern):
    with pytest.raises(ConfigError, match="none of them a bag"):
        find_bags([f"{recordings}/{pattern}/*"])


def test_lists_hold_bags_and_globs_relative_to_themselves(recordings):
    (recordings / "run1/bags.txt").write_text(
        f"# all\ncam   # the first\n\n../run2/*\n{recordings}/a#b\nmemory://c/d\n", encoding="utf-8-sig"
    )
    found = find_bags([f"{recordings}/run1/bags.txt"])
    assert below(recordings, found) == ["run1/cam", "run2/cam", "run2/old.bag", "a#b", "memory://c/d"]


@pytest.mark.parametrize("text, message", [(None, "no such list"), ("# none\n", "names no bag")])
def test_lists_that_say_nothing_are_refused(tmp_path, text, message):
    if text is not None:
        (tmp_path / "bags.txt").write_text(text)
    with pytest.raises(ConfigError, match=message):
        find_bags([f"{tmp_path}/bags.txt"])


def test_urls_and_lists_behind_urls():
    store = fsspec.filesystem("memory")
    for name in ("find/a/metadata.yaml", "find/a/a_0.mcap", "find/b.mcap", "find/c.png"):
        store.pipe_file(name, b"x")
    store.pipe_file("find/bags.txt", b"*\n/data/local\n")
    assert find_bags(["memory://find/*"]) == ["memory:///find/a", "memory:///find/b.mcap"]
    assert find_bags(["memory://find/bags.txt"]) == ["memory:///find/a", "memory:///find/b.mcap", "/data/local"]
    assert find_bags(["dir://*::memory://find"]) == ["dir://a::memory://find", "dir://b.mcap::memory://find"]


@pytest.mark.parametrize(
    "bags, names",
    [
        (["/r/cam", "/r/street.mcap"], ["cam", "street"]),
        (["/run1/cam", "/run2/cam", "/x"], ["run1_cam", "run2_cam", "x"]),
        (["/a/r/cam", "/b/r/cam"], ["a_r_cam", "b_r_cam"]),
        (["/r/cam.mcap", "/r/cam.bag"], ["r_cam", "r_cam_2"]),
        (["/r/cam", "/s/Cam"], ["r_cam", "s_Cam"]),
        (["s3://bucket/day 1/cam.mcap", "gs://other/x/.."], ["cam", "x"]),
        (["/r/../..", "/", "/.hidden", "/a.partial"], ["r", "bag", "hidden", "a_partial"]),
        (["/r/summary.md", "/r/夜.bag"], ["r_summary.md", "夜"]),
    ],
)
def test_names(bags, names):
    assert list(named(bags, {}, ["summary.md"]).values()) == names


def test_names_given_earlier_stay():
    first = named(["/run1/cam"], {})
    assert first == {"/run1/cam": "cam"}
    assert named(["/run2/cam", "/run1/cam"], first) == {"/run2/cam": "run2_cam", "/run1/cam": "cam"}


@given(st.lists(st.text("ab./_ \n:*é", max_size=8).map("/".__add__), unique=True))
def test_names_are_single_safe_parts_all_different(bags):
    names = list(named(bags, {}, ["a"]).values())
    assert len({name.casefold() for name in names} | {"a"}) == len(bags) + 1
    assert all(name and not name.startswith(".") and not set(name) & set("/\n: *") for name in names)
