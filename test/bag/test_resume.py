"""Runs that are killed: started again they finish, without redoing, losing or repeating a frame."""

from __future__ import annotations

import csv
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import av
import pytest
from bags import flat, images, pairs, read_bag, write_bag
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from stub_engine import StubEngine

from mrfs_ros.bag.job import run_bag
from mrfs_ros.bag.journal import Tally, read_segments
from mrfs_ros.bag.settings import BagSettings
from mrfs_ros.bag.writing.rerun_recording import RerunSink
from mrfs_ros.bag.writing.video import Video
from mrfs_ros.errors import ConfigError, MrfsError

pytestmark = pytest.mark.slow  # seconds together: not for the core suite

COUNT = 40
TEST = Path(__file__).resolve().parent.parent
RUN = """
import sys
from stub_engine import StubEngine
from mrfs_ros.bag.job import run_bag
from mrfs_ros.bag.settings import BagSettings
engine = StubEngine(delay_s=0.03)
summary = run_bag(BagSettings(**eval(sys.argv[1]), segment_s=0.1), engine)
print(summary.resumed_at, engine.calls, summary.answered, summary.exit_code)
"""


class Stopped(Exception):
    """The end of a run in this process."""


def stopped_after(count: int):
    def stop(progress) -> None:
        if progress.done - progress.resumed_at >= count:
            raise Stopped

    return stop


@pytest.fixture(scope="module")
def bag(tmp_path_factory) -> Path:
    return write_bag(tmp_path_factory.mktemp("source") / "drive", pairs(COUNT, look=flat))


@pytest.fixture(scope="module")
def undisturbed(bag, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("undisturbed")
    run_bag(asked(bag, out), StubEngine())
    return out


def asked(bag: Path, folder: Path, **more) -> BagSettings:
    return BagSettings(
        source=str(bag),
        out=str(folder / "out"),
        video=str(folder / "out.mp4"),
        frames=str(folder / "frames"),
        pairs=str(folder / "pairs"),
        csv=str(folder / "out.csv"),
        copy=("/thermal/image",),
        **more,
    )


def without_times(path: Path) -> list[str]:
    return [",".join(line.split(",")[:6] + line.split(",")[7:]) for line in path.read_text().splitlines()]


def check_same(folder: Path, other: Path) -> None:
    assert read_bag(folder / "out") == read_bag(other / "out")
    assert (folder / "out/out.mcap").read_bytes() == (other / "out/out.mcap").read_bytes()
    assert without_times(folder / "out.csv") == without_times(other / "out.csv")
    made, expected = (
        {path.relative_to(out): path.read_bytes() for path in (*out.glob("frames/*.png"), *out.glob("pairs/*/*.png"))}
        for out in (folder, other)
    )
    assert made == expected and len(made) == 5 * COUNT
    with av.open(str(folder / "out.mp4")) as video:
        brightness = [frame.to_ndarray(format="rgb24")[26:74, :64, 2].mean() for frame in video.decode(video=0)]
    assert brightness == pytest.approx([6 * i for i in range(COUNT)], abs=2.5)
    assert not list(folder.glob("*.partial*"))


def test_killed_in_the_middle(bag, undisturbed, tmp_path):
    """The process is killed as by the kernel; twice, so that a resumed run is killed too."""
    order = asked(bag, tmp_path)
    command = [
        sys.executable,
        "-c",
        RUN,
        repr({k: v for k, v in vars(order).items() if k not in ("node", "segment_s")}),
    ]
    environment = {**os.environ, "PYTHONPATH": f"{TEST}{os.pathsep}{TEST.parent}"}
    journal = tmp_path / "out.partial.journal"
    for pairs_done in (12, 25):
        process = subprocess.Popen(command, env=environment)
        while Tally.of(read_segments(journal)).pairs <= pairs_done:
            assert process.poll() is None, "it ended before it was killed"
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
    finished = Tally.of(read_segments(journal)).pairs
    assert not (tmp_path / "out").exists()
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    resumed_at, calls, answered, exit_code = map(int, run.stdout.split())
    assert (resumed_at, calls, answered, exit_code) == (finished, COUNT - finished, COUNT, 0)
    check_same(tmp_path, undisturbed)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(stops=st.lists(st.integers(1, 13), min_size=1, max_size=3), batch=st.integers(1, 5), workers=st.integers(1, 4))
def test_stopped_anywhere(bag, undisturbed, tmp_path_factory, stops, batch, workers):
    folder = tmp_path_factory.mktemp("stopped")
    order = asked(bag, folder, batch=batch, workers=workers)
    for count in stops:
        with pytest.raises(Stopped):
            run_bag(order, StubEngine(), on_progress=stopped_after(count))
    summary = run_bag(order, StubEngine())
    assert (summary.resumed_at, summary.answered) == (sum(stops), COUNT)
    check_same(folder, undisturbed)


def test_the_seconds_of_the_engine_are_those_of_this_run(bag, tmp_path):
    order = asked(bag, tmp_path)
    with pytest.raises(Stopped):
        run_bag(order, StubEngine(delay_s=0.02), on_progress=stopped_after(10))
    summary = run_bag(order, StubEngine(delay_s=0.01))
    with (tmp_path / "out.csv").open() as file:
        seconds = [float(row["engine_ms"]) / 1000 for row in csv.DictReader(file)]
    assert summary.resumed_at == 10 and sum(seconds[:10]) > 0.2
    assert summary.engine_seconds == pytest.approx(sum(seconds[10:]), abs=0.001)


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
@pytest.mark.parametrize("count", [1, 7])
def test_failed_pairs_and_copies_survive_a_stop(bag, tmp_path, storage, count):
    class Picky(StubEngine):
        def __call__(self, rgb, thermal):
            if rgb[0, 0, 0] // 6 % 3 != 1:  # the pair before a stop can be one without an answer
                raise ValueError("not this one")
            return super().__call__(rgb, thermal)

    whole = BagSettings(source=str(bag), out=str(tmp_path / "whole"), copy=("all",), storage=storage)
    run_bag(whole, Picky())
    order = BagSettings(source=str(bag), out=str(tmp_path / "out"), copy=("all",), storage=storage)
    for _ in range(3):
        with pytest.raises(Stopped):
            run_bag(order, Picky(), on_progress=stopped_after(count))
    summary = run_bag(order, Picky())
    assert summary.skipped == {"engine_error": 27}
    assert read_bag(tmp_path / "out") == read_bag(tmp_path / "whole")


def test_no_image_file_of_a_pair_that_got_no_answer_the_second_time(bag, tmp_path):
    """Killed between the files of a pair and their segment of the journal; then the engine fails on it."""
    order = BagSettings(source=str(bag), frames=str(tmp_path / "frames"), pairs=str(tmp_path / "pairs"), segment_s=0)
    with pytest.raises(Stopped):
        run_bag(order, StubEngine(), on_progress=stopped_after(4))
    segments = sorted((tmp_path / "frames.partial.journal").iterdir())
    assert [path.name for path in segments] == [f"{i:06d}.json" for i in range(4)]
    segments[-1].unlink()
    assert (tmp_path / "pairs.partial/rgb/000003.png").exists()

    class Failing(StubEngine):
        def __call__(self, rgb, thermal):
            raise ValueError("no more")

    assert run_bag(order, Failing()).answered == 3
    assert {path.name[:6] for path in tmp_path.glob("frames/*")} == {"000000", "000001", "000002"}
    assert {path.name for path in tmp_path.glob("pairs/*/*")} == {"000000.png", "000001.png", "000002.png"}


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_killed_while_two_runs_are_joined(bag, tmp_path, storage, monkeypatch):
    from mrfs_ros.bag.writing.result_bag import BagSink

    def killed(self):
        self._open(tmp_path / "out.partial/joined", storage)
        raise Stopped

    order = BagSettings(source=str(bag), out=str(tmp_path / "out"), storage=storage)
    with pytest.raises(Stopped):
        run_bag(order, StubEngine(), on_progress=stopped_after(9))
    with monkeypatch.context() as patched:
        patched.setattr(BagSink, "_join", killed)
        with pytest.raises(Stopped):
            run_bag(order, StubEngine())
    assert (tmp_path / "out.partial/joined/out").exists()
    assert run_bag(order, StubEngine()).resumed_at == COUNT
    assert len(images(read_bag(tmp_path / "out")["/mrfs/fused"])) == COUNT


@pytest.mark.parametrize("last", [Video, RerunSink])
def test_stopped_between_the_results(bag, undisturbed, tmp_path, monkeypatch, last):
    """Some results are at their place, and stay as they are; others are not yet."""

    def fail(self):
        raise Stopped

    order = replace(asked(bag, tmp_path), report=str(tmp_path / "out.html"), rerun=str(tmp_path / "out.rrd"))
    with monkeypatch.context() as patched:
        patched.setattr(last, "finish", fail)
        with pytest.raises(Stopped):
            run_bag(order, StubEngine())
    there = {path: path.stat().st_mtime_ns for path in order.targets() if path.exists()}
    assert len(there) == (2 if last is Video else 6)
    engine = StubEngine()
    assert run_bag(order, engine).answered == COUNT
    assert engine.calls == 0 and all(path.stat().st_mtime_ns == time_ns for path, time_ns in there.items())
    check_same(tmp_path, undisturbed)


def stopped(order: BagSettings, count: int) -> BagSettings:
    """``order`` with a segment for each pair, run up to pair ``count`` and stopped there."""
    order = replace(order, segment_s=0.0)
    with pytest.raises(Stopped):
        run_bag(order, StubEngine(), on_progress=stopped_after(count))
    return order


def damage(path: Path, how: str) -> None:
    """What a kill or a power cut can do to a file."""
    if how == "deleted":
        path.unlink()
    elif how == "longer":
        path.write_bytes(path.read_bytes() + b"\0" * 4096)
    else:
        os.truncate(path, 0 if how == "emptied" else path.stat().st_size // 2)


def test_image_files_that_a_power_cut_has_taken_are_made_again(bag, tmp_path):
    """Two emptied and one deleted of the second and later pairs: what came before is kept."""
    whole = BagSettings(source=str(bag), frames=str(tmp_path / "whole"))
    run_bag(whole, StubEngine())
    order = stopped(replace(whole, frames=str(tmp_path / "frames")), 6)
    for name, how in (("000004_fused", "emptied"), ("000003_labels", "emptied"), ("000002_overlay", "deleted")):
        damage(tmp_path / f"frames.partial/{name}.png", how)
    said = []
    summary = run_bag(order, StubEngine(), say=said.append)
    assert (summary.resumed_at, summary.answered, summary.exit_code) == (2, COUNT, 0)
    assert "4 segments of an earlier run are not whole on the disk: their pairs are done again" in said
    made, expected = (
        {path.name: path.read_bytes() for path in Path(f).iterdir()} for f in (order.frames, whole.frames)
    )
    assert made == expected


@settings(
    max_examples=12,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_whatever_is_damaged_the_results_are_those_of_an_undisturbed_run(bag, undisturbed, tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("damaged")
    order = stopped(asked(bag, folder), data.draw(st.integers(1, 8)))
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    for path in data.draw(st.lists(st.sampled_from(files), min_size=1, max_size=4, unique=True)):
        damage(path, data.draw(st.sampled_from(["emptied", "truncated", "deleted", "longer"])))
    run_bag(order, StubEngine())
    check_same(folder, undisturbed)


def test_everything_is_on_the_disk_before_the_journal_says_so(bag, tmp_path, monkeypatch):
    """A power cut cannot be had here: what is flushed, and when, is what keeps the promise."""
    synced = {}
    real = os.fsync

    def fsync(descriptor):
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        synced[path] = path.stat().st_size
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    stopped(replace(asked(bag, tmp_path), report=str(tmp_path / "out.html"), rerun=str(tmp_path / "out.rrd")), 5)
    journal = tmp_path / "out.partial.journal"
    sizes = {}
    for segment in read_segments(journal):
        for target, files in segment.sizes.items():
            sizes.update({Path(f"{target}.partial") / name: size for name, size in files.items()})
    assert len(sizes) >= 5 * 5 + 3
    for path, size in sizes.items():
        assert synced[path] >= size, path
        assert all(parent in synced for parent in path.parents if parent.is_relative_to(tmp_path)), path
    assert journal in synced


def test_other_settings_do_not_go_on_where_these_were(bag, tmp_path):
    with pytest.raises(Stopped):
        run_bag(BagSettings(source=str(bag), out=str(tmp_path / "out")), StubEngine(), on_progress=stopped_after(9))
    with pytest.raises(ConfigError, match=r"a run with other settings \(every, overlay\) has begun here"):
        run_bag(BagSettings(source=str(bag), out=str(tmp_path / "out"), every=2, overlay=True), StubEngine())
    shutil.rmtree(tmp_path / "out.partial.journal")  # as the error says
    run_bag(BagSettings(source=str(bag), out=str(tmp_path / "out"), every=2), StubEngine())
    assert len(images(read_bag(tmp_path / "out")["/mrfs/fused"])) == COUNT // 2


def test_two_at_once_do_not_mix(bag, tmp_path):
    """The second is refused; the first does not notice."""
    order = BagSettings(source=str(bag), csv=str(tmp_path / "t.csv"), frames=str(tmp_path / "frames"))
    refused = []

    def start_another(progress):
        if progress.done == 5:
            with pytest.raises(MrfsError, match="another process is writing this result") as error:
                run_bag(order, StubEngine())
            refused.append(error)

    assert run_bag(order, StubEngine(), on_progress=start_another).answered == COUNT
    assert refused and len((tmp_path / "t.csv").read_text().splitlines()) == 1 + COUNT


@pytest.mark.parametrize("content", [b"", b"\0" * 300, b'{"odd": 1}', b"\xff\xfe", b"[]", b'{"entries": [{}]}'])
def test_a_journal_counts_up_to_the_first_segment_that_cannot_be_read(bag, tmp_path, content):
    order = stopped(BagSettings(source=str(bag), out=str(tmp_path / "out")), 9)
    (tmp_path / "out.partial.journal/000006.json").write_bytes(content)
    (tmp_path / "out.partial.journal/000009.json.unfinished").write_bytes(content)
    assert run_bag(order, StubEngine()).resumed_at == 6
    assert len(images(read_bag(tmp_path / "out")["/mrfs/fused"])) == COUNT


@pytest.mark.parametrize("how", ["emptied", "truncated", "deleted"])
def test_a_journal_without_a_readable_start_is_told(bag, tmp_path, how):
    """Nobody can compare the settings then: the run is one of those given now."""
    order, told = BagSettings(source=str(bag), out=str(tmp_path / "out")), []
    journal = tmp_path / "out.partial.journal"
    line = f"{journal}: an earlier run's journal cannot be read: the run begins anew, with the settings given now"
    with pytest.raises(Stopped):
        run_bag(replace(order, segment_s=0.0), StubEngine(), on_progress=stopped_after(3), say=told.append)
    assert line not in told
    damage(journal / "000000.json", how)
    summary = run_bag(replace(order, every=2), StubEngine(), say=told.append)
    assert told.count(line) == 1
    assert (summary.resumed_at, summary.answered) == (0, COUNT // 2)
    assert len(images(read_bag(tmp_path / "out")["/mrfs/fused"])) == COUNT // 2


def test_beginning_anew_leaves_nothing_of_before(bag, tmp_path):
    order = BagSettings(source=str(bag), frames=str(tmp_path / "frames"))
    with pytest.raises(Stopped):
        run_bag(order, StubEngine(), on_progress=stopped_after(9))
    shutil.rmtree(tmp_path / "frames.partial.journal")
    run_bag(BagSettings(source=str(bag), frames=str(tmp_path / "frames"), end_s=0.25), StubEngine())
    assert len(list((tmp_path / "frames").iterdir())) == 3 * 3


def test_a_run_that_did_nothing_yet_is_no_obstacle(bag, tmp_path):
    """A package that is missing, say, and the next try does without it."""
    first = BagSettings(source=str(bag), out=str(tmp_path / "out"))
    with pytest.raises(ConfigError, match="no Rerun viewer"):
        run_bag(BagSettings(source=str(bag), out=str(tmp_path / "out"), rerun="live"), StubEngine())
    assert run_bag(first, StubEngine()).answered == COUNT


@pytest.mark.parametrize("segment_s", [0.0, 30.0])
def test_a_disk_that_does_not_take_a_segment_ends_the_run_in_a_line(bag, tmp_path, monkeypatch, segment_s):
    order = BagSettings(source=str(bag), frames=str(tmp_path / "frames"), segment_s=segment_s)
    real = os.fsync

    def full(descriptor):
        if Path(f"/proc/self/fd/{descriptor}").readlink().name == "000003_fused.png":
            raise OSError(28, "No space left on device")
        real(descriptor)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(ConfigError, match="results cannot be written: No space left on device"):
            run_bag(order, StubEngine())
    assert not (tmp_path / "frames").exists()
    summary = run_bag(order, StubEngine())
    assert (summary.resumed_at, summary.answered) == (0 if segment_s else 3, COUNT)
    assert len(list((tmp_path / "frames").iterdir())) == 3 * COUNT


def test_a_bag_of_finished_frames_that_is_gone_is_made_again(bag, tmp_path):
    order = stopped(BagSettings(source=str(bag), out=str(tmp_path / "out")), 9)
    (tmp_path / "out.partial/000000/out/out.mcap").write_bytes(b"")
    summary = run_bag(order, StubEngine())
    assert (summary.resumed_at, summary.answered) == (0, COUNT)
    assert len(images(read_bag(tmp_path / "out")["/mrfs/fused"])) == COUNT


def test_a_run_is_brought_to_the_disk_as_often_as_asked(bag, tmp_path):
    def segments_of(segment_s: float) -> int:
        order = BagSettings(source=str(bag), csv=str(tmp_path / f"{segment_s}.csv"), segment_s=segment_s)
        most = []
        run_bag(order, StubEngine(), on_progress=lambda _: most.append(len(list(tmp_path.glob("*.journal/*.json")))))
        return max(most)

    assert segments_of(30.0) == 0
    assert segments_of(0.0) >= COUNT - 1  # the newest may be on its way to the disk
