"""Recordings made by the real SDK and read back by it, after an end and after kills."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from made_frames import START_NS, STEP_NS, made_frame

from mrfs_ros.bag.writing.rerun_recording import RerunSink
from mrfs_ros.bag.writing.result_writer import working_path
from mrfs_ros.errors import ConfigError, MissingPackageError
from mrfs_ros.types import MFNET, ClassSet

pytestmark = pytest.mark.slow  # seconds together: not for the core suite

pytest.importorskip("rerun", reason="needs rerun-sdk: pip install 'mrfs_ros[rerun]'")

PICTURES = {"/rgb", "/thermal", "/fused", "/labels"}
# Writes frames argv[2] to argv[3] and dies as if by kill -9; what is said to be written at argv[4] counts.
RUN = """
import os, sys
from pathlib import Path
from made_frames import made_frame
from mrfs_ros.bag.writing.rerun_recording import RerunSink
from mrfs_ros.types import MFNET
sink = RerunSink(Path(sys.argv[1]), MFNET)
first, last, counted = map(int, sys.argv[2:])
sink.resume(first)
for index in range(first, last):
    if index == counted:
        print(sink.flush()[0].stat().st_size)
    frame = made_frame(index)
    sink.write(frame, sink.encode(frame))
if last == counted:
    print(sink.flush()[0].stat().st_size)
sys.stdout.flush()
os.kill(os.getpid(), 9)
"""


def killed_run(target: Path, first: int, last: int, counted: int) -> None:
    """A run that was killed, cut where its journal says that frame ``counted`` begins."""
    paths = [str(Path(__file__).resolve().parents[2]), *sys.path]
    code = f"import sys; sys.path[:0] = {paths!r}{RUN}"
    command = [sys.executable, "-c", code, str(target), str(first), str(last), str(counted)]
    said = subprocess.run(command, check=False, timeout=60, capture_output=True, text=True).stdout
    os.truncate(sorted(working_path(target).glob("*.rrd"))[-1], int(said))


def write(sink: RerunSink, indices: range) -> None:
    for index in indices:
        frame = made_frame(index)
        sink.write(frame, sink.encode(frame))


def rows(path: Path) -> dict[str, list[dict]]:
    """Entity to rows, those of the timelines and those that are static; times as whole nanoseconds."""
    chunk = pytest.importorskip("rerun.chunk", reason="this release of rerun-sdk has no reader")
    found: dict[str, list[dict]] = {}
    for piece in chunk.RrdReader(path).stream():
        batch = piece.to_record_batch()
        names = batch.schema.names
        if "stamp" in names:
            position = names.index("stamp")
            batch = batch.set_column(position, "stamp", batch.column("stamp").cast("int64"))
        found.setdefault(piece.entity_path, []).extend(batch.to_pylist())
    return found


def pairs(path: Path, entity: str) -> list[int]:
    return sorted(row["pair"] for row in rows(path)[entity] if "pair" in row)


def test_a_recording_holds_every_picture_the_exact_labels_and_the_classes(tmp_path):
    target = tmp_path / "run.rrd"
    sink = RerunSink(target, MFNET, "UNTRAINED network")
    sink.resume(0)
    write(sink, range(3))
    assert not target.exists()
    sink.finish()
    assert list(tmp_path.iterdir()) == [target]
    found = rows(target)
    assert set(found) - {"/__properties"} == PICTURES | {"/shares", "/notice"}
    for entity in PICTURES | {"/shares"}:
        times = [(row["pair"], row["stamp"]) for row in found[entity] if "pair" in row]
        assert times == [(i, START_NS + i * STEP_NS) for i in range(3)]
    labels = [row for row in found["/labels"] if "pair" in row]
    for row, index in zip(labels, range(3)):
        expected = made_frame(index).result.labels
        np.testing.assert_array_equal(np.array(row["SegmentationImage:buffer"][0], np.uint8), expected.ravel())
    fused = np.array(found["/fused"][2]["EncodedImage:blob"][0], np.uint8)
    picture = cv2.imdecode(fused, cv2.IMREAD_COLOR_RGB).astype(int)
    assert np.abs(picture - made_frame(2).result.fused).mean() < 4
    (context,) = (row["AnnotationContext:context"][0] for row in found["/labels"] if "pair" not in row)
    info = {entry["class_id"]: entry["class_description"]["info"] for entry in context}
    assert [info[i]["label"] for i in range(9)] == list(MFNET.names)
    assert [info[i]["color"] >> 8 for i in range(9)] == [(r << 16) + (g << 8) + b for r, g, b in MFNET.colors]
    assert found["/notice"][0]["TextDocument:text"] == ["UNTRAINED network"]
    (shares,) = (row["Scalars:scalars"] for row in found["/shares"] if row.get("pair") == 1)
    assert shares[1] == pytest.approx(100 * 20 * 20 / (48 * 64)) and sum(shares) == shares[1]


def test_a_run_killed_twice_holds_every_frame_once(tmp_path):
    target = tmp_path / "run.rrd"
    killed_run(target, 0, 4, 3)
    killed_run(target, 3, 6, 5)
    sink = RerunSink(target, MFNET)
    sink.resume(5)
    write(sink, range(5, 7))
    sink.finish()
    assert list(tmp_path.iterdir()) == [target]
    for entity in PICTURES | {"/shares"}:
        assert pairs(target, entity) == list(range(7)), entity
    assert len([row for row in rows(target)["/labels"] if "pair" not in row]) == 1
    check = [sys.executable, "-m", "rerun_cli", "rrd", "verify", str(target)]
    verified = subprocess.run(check, capture_output=True, text=True, env={**os.environ, "CI": "1"})
    assert verified.returncode == 0, verified.stderr


def test_a_run_that_was_stopped_in_good_order_goes_on_too(tmp_path):
    target = tmp_path / "run.rrd"
    for begin, end in ((0, 2), (2, 2), (2, 4)):
        sink = RerunSink(target, MFNET)
        sink.resume(begin)
        write(sink, range(begin, end))
        sink.close()
    sink = RerunSink(target, MFNET)
    sink.resume(4)
    sink.finish()
    assert pairs(target, "/fused") == [0, 1, 2, 3]


def test_no_frames_and_one_class(tmp_path):
    target = tmp_path / "empty.rrd"
    sink = RerunSink(target, ClassSet("none", ("background",), ((0, 0, 0),)))
    sink.resume(0)
    sink.finish()
    assert set(rows(target)) - {"/__properties"} == {"/labels"}


@pytest.mark.filterwarnings("ignore:RRD file has no footer")  # what a viewer saves is never closed
def test_live_frames_reach_a_program_that_listens(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    received = tmp_path / "received.rrd"
    command = [sys.executable, "-m", "rerun_cli", "--bind", "127.0.0.1", "--port", str(port), "--save", str(received)]
    viewer = subprocess.Popen(
        command,
        env={**os.environ, "CI": "1"},
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        # tests that were started in the background have it ignored, and so would what they start
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        sink = RerunSink(None, MFNET, viewer=f"127.0.0.1:{port}")
        for _ in range(100):
            with contextlib.suppress(ConfigError):
                sink.resume(0)
                break
            time.sleep(0.1)
        write(sink, range(3))
        sink.finish()
        time.sleep(0.5)  # it writes what it has received
    finally:
        os.killpg(viewer.pid, signal.SIGINT)
        viewer.wait(60)
    assert pairs(received, "/labels") == [0, 1, 2]


def test_live_without_a_viewer_says_what_to_do():
    with pytest.raises(ConfigError, match=r"no Rerun viewer listens at 127\.0\.0\.1:1 .*start one with rerun"):
        RerunSink(None, MFNET, viewer="127.0.0.1:1").resume(0)


def test_without_the_package_the_line_that_installs_it(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "rerun", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'mrfs_ros\[rerun\]'"):
        RerunSink(tmp_path / "run.rrd", MFNET)
