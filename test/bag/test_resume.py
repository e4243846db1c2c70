"""Runs that are killed: started again they finish, without redoing, losing or repeating a frame."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import pytest
from bags import flat, images, pairs, read_bag, write_bag
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stub_engine import StubEngine

from mrfs_ros.bag.job import run_bag
from mrfs_ros.bag.settings import BagSettings
from mrfs_ros.errors import ConfigError

pytestmark = pytest.mark.slow  # seconds together: not for the core suite

COUNT = 40
TEST = Path(__file__).resolve().parent.parent
RUN = """
import sys
from stub_engine import StubEngine
from mrfs_ros.bag.job import run_bag
from mrfs_ros.bag.settings import BagSettings
engine = StubEngine(delay_s=0.03)
summary = run_bag(BagSettings(**eval(sys.argv[1])), engine)
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
    command = [sys.executable, "-c", RUN, repr({k: v for k, v in vars(order).items() if k != "node"})]
    environment = {**os.environ, "PYTHONPATH": f"{TEST}{os.pathsep}{TEST.parent}"}
    journal = tmp_path / "out.partial.jsonl"
    for lines in (12, 25):
        process = subprocess.Popen(command, env=environment)
        while not journal.exists() or journal.read_bytes().count(b"\n") <= lines:
            assert process.poll() is None, "it ended before it was killed"
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
    finished = journal.read_bytes().count(b"\n") - 1
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
    """Killed between the files of a pair and its line in the diary; then the engine fails on it."""
    order = BagSettings(source=str(bag), frames=str(tmp_path / "frames"), pairs=str(tmp_path / "pairs"))
    with pytest.raises(Stopped):
        run_bag(order, StubEngine(), on_progress=stopped_after(4))
    diary = tmp_path / "frames.partial.jsonl"
    lines = diary.read_text().splitlines(keepends=True)
    assert len(lines) == 5
    diary.write_text("".join(lines[:-1]))
    assert (tmp_path / "pairs.partial/rgb/000003.png").exists()

    class Failing(StubEngine):
        def __call__(self, rgb, thermal):
            raise ValueError("no more")

    assert run_bag(order, Failing()).answered == 3
    assert {path.name[:6] for path in tmp_path.glob("frames/*")} == {"000000", "000001", "000002"}
    assert {path.name for path in tmp_path.glob("pairs/*/*")} == {"000000.png", "000001.png", "000002.png"}


def test_killed_while_the_finished_frames_are_taken_over(bag, tmp_path):
    """The first attempt is complete, the second was cut short: the first one counts."""
    order = BagSettings(source=str(bag), out=str(tmp_path / "out"))
    with pytest.raises(Stopped):
        run_bag(order, StubEngine(), on_progress=stopped_after(9))
    (tmp_path / "out.partial/2/out").mkdir(parents=True)
    (tmp_path / "out.partial/2/out/out.mcap").write_bytes(b"\x89MCAP0\r\n")
    assert run_bag(order, StubEngine()).resumed_at == 9
    assert len(images(read_bag(tmp_path / "out")["/mrfs/fused"])) == COUNT


def test_stopped_between_the_results(bag, undisturbed, tmp_path, monkeypatch):
    """Some results are at their place, others not yet."""
    from mrfs_ros.bag.sinks.video import Video

    def fail(self):
        raise Stopped

    order = asked(bag, tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(Video, "finish", fail)
        with pytest.raises(Stopped):
            run_bag(order, StubEngine())
    assert (tmp_path / "out").exists() and not (tmp_path / "out.mp4").exists()
    engine = StubEngine()
    assert run_bag(order, engine).answered == COUNT
    assert engine.calls == 0
    check_same(tmp_path, undisturbed)


def test_a_torn_line_of_the_diary_does_not_count(bag, tmp_path):
    order = BagSettings(source=str(bag), out=str(tmp_path / "out"))
    with pytest.raises(Stopped):
        run_bag(order, StubEngine(), on_progress=stopped_after(9))
    journal = tmp_path / "out.partial.jsonl"
    journal.write_bytes(journal.read_bytes()[:-20])
    assert run_bag(order, StubEngine()).resumed_at == 8
    assert len(images(read_bag(tmp_path / "out")["/mrfs/fused"])) == COUNT


def test_other_settings_do_not_go_on_where_these_were(bag, tmp_path):
    with pytest.raises(Stopped):
        run_bag(BagSettings(source=str(bag), out=str(tmp_path / "out")), StubEngine(), on_progress=stopped_after(9))
    with pytest.raises(ConfigError, match=r"a run with other settings \(every, overlay\) has begun here"):
        run_bag(BagSettings(source=str(bag), out=str(tmp_path / "out"), every=2, overlay=True), StubEngine())
    (tmp_path / "out.partial.jsonl").unlink()  # as the error says
    run_bag(BagSettings(source=str(bag), out=str(tmp_path / "out"), every=2), StubEngine())
    assert len(images(read_bag(tmp_path / "out")["/mrfs/fused"])) == COUNT // 2


def test_two_at_once_do_not_mix(bag, tmp_path):
    """The second is refused; the first does not notice."""
    order = BagSettings(source=str(bag), csv=str(tmp_path / "t.csv"), frames=str(tmp_path / "frames"))
    refused = []

    def start_another(progress):
        if progress.done == 5:
            with pytest.raises(ConfigError, match="another run is writing this result") as error:
                run_bag(order, StubEngine())
            refused.append(error)

    assert run_bag(order, StubEngine(), on_progress=start_another).answered == COUNT
    assert refused and len((tmp_path / "t.csv").read_text().splitlines()) == 1 + COUNT


def test_killed_while_the_old_attempt_is_removed(bag, tmp_path):
    """What counts is whole under its number, what does not has another name."""
    order = BagSettings(source=str(bag), out=str(tmp_path / "out"))
    with pytest.raises(Stopped):
        run_bag(order, StubEngine(), on_progress=stopped_after(9))
    (tmp_path / "out.partial/1").rename(tmp_path / "out.partial/2")
    (tmp_path / "out.partial/stale/out").mkdir(parents=True)
    assert run_bag(order, StubEngine()).resumed_at == 9
    assert len(images(read_bag(tmp_path / "out")["/mrfs/fused"])) == COUNT


@pytest.mark.parametrize("damage", [b"\0" * 300, b'{"odd": 1}\n', b"\xff\xfe\n", b"[]\n"])
def test_a_diary_damaged_at_its_end_counts_up_to_there(bag, tmp_path, damage):
    order = BagSettings(source=str(bag), out=str(tmp_path / "out"))
    with pytest.raises(Stopped):
        run_bag(order, StubEngine(), on_progress=stopped_after(9))
    journal = tmp_path / "out.partial.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:7]) + damage)
    assert run_bag(order, StubEngine()).resumed_at == 6
    assert len(images(read_bag(tmp_path / "out")["/mrfs/fused"])) == COUNT


def test_a_diary_damaged_at_its_beginning_is_told(bag, tmp_path):
    order = BagSettings(source=str(bag), out=str(tmp_path / "out"))
    with pytest.raises(Stopped):
        run_bag(order, StubEngine(), on_progress=stopped_after(9))
    journal = tmp_path / "out.partial.jsonl"
    journal.write_bytes(b"x" + journal.read_bytes())
    with pytest.raises(ConfigError, match=r"is no diary of a run: remove what begins with out\.partial"):
        run_bag(order, StubEngine())


def test_beginning_anew_leaves_nothing_of_before(bag, tmp_path):
    order = BagSettings(source=str(bag), frames=str(tmp_path / "frames"))
    with pytest.raises(Stopped):
        run_bag(order, StubEngine(), on_progress=stopped_after(9))
    (tmp_path / "frames.partial.jsonl").unlink()
    run_bag(BagSettings(source=str(bag), frames=str(tmp_path / "frames"), end_s=0.25), StubEngine())
    assert len(list((tmp_path / "frames").iterdir())) == 3 * 3


def test_a_run_that_did_nothing_yet_is_no_obstacle(bag, tmp_path):
    """A package that is missing, say, and the next try does without it."""
    first = BagSettings(source=str(bag), out=str(tmp_path / "out"))
    with pytest.raises(ConfigError, match="no Rerun viewer"):
        run_bag(BagSettings(source=str(bag), out=str(tmp_path / "out"), rerun="live"), StubEngine())
    assert run_bag(first, StubEngine()).answered == COUNT


def test_finished_frames_that_are_gone_are_not_passed_over(bag, tmp_path):
    order = BagSettings(source=str(bag), out=str(tmp_path / "out"))
    with pytest.raises(Stopped):
        run_bag(order, StubEngine(), on_progress=stopped_after(9))
    (tmp_path / "out.partial/1/out/out.mcap").write_bytes(b"")
    with pytest.raises(
        ConfigError,
        match=r"0 of 9 finished frames can be read: remove everything that begins with .*out\.partial to begin",
    ):
        run_bag(order, StubEngine())
