"""A run as a Rerun recording: pictures, labels and class shares of every pair, in an .rrd file or a running viewer."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import numpy as np

from mrfs_ros.bag.frame import Frame
from mrfs_ros.bag.writing.result_writer import working_path
from mrfs_ros.errors import ConfigError, MrfsError, needs_package
from mrfs_ros.files import move, to_disk
from mrfs_ros.types import UNLABELLED, ClassSet

APPLICATION = "mrfs_ros"
VIEWER = "127.0.0.1:9876"  # where ``rerun`` listens unless told otherwise
QUALITY = 90  # of the JPEG images; labels are exact
LIVE_TIMEOUT_S = 20.0
WRITE_TIMEOUT_S = 30.0


class RerunSink:
    """Entities rgb, thermal, fused, labels, shares on the timelines ``pair`` (index) and ``stamp`` (header time).

    ``target``: the .rrd file to make, or None for the viewer that runs at ``viewer``. ``notice``: text that the
    recording shows beside the pictures. An .rrd file cannot be appended to once its writer is gone, so that each run
    writes a part, and ``finish`` puts the parts together.
    """

    def __init__(self, target: Path | None, classes: ClassSet, notice: str = "", *, viewer: str = VIEWER):
        self.target = target
        self._classes = classes
        self._notice = notice
        self._viewer = viewer
        self._rerun = _rerun()
        self._folder = working_path(target) if target else Path()
        self._stream: Any = None

    def resume(self, frames: int) -> None:
        """Begin another part of the recording; a viewer keeps what it has."""
        if self.target is None:
            self._connect()
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        parts = self._parts()
        recording = parts[0].stem.partition("_")[2] if parts else str(uuid.uuid4())
        self._stream = self._rerun.RecordingStream(APPLICATION, recording_id=recording)
        self._silence()
        part = self._folder / f"{len(parts):06d}_{recording}.rrd"
        self._stream.save(part, default_blueprint=None if parts else self._blueprint())
        if not parts:
            self._describe()

    def _parts(self) -> list[Path]:
        """The recordings of this run and those before it, each named by number and recording."""
        return sorted(self._folder.glob("*_*.rrd"))

    def encode(self, frame: Frame) -> dict[str, Any]:
        """Everything of a frame as Rerun's archetypes, by entity."""
        rr = self._rerun
        counts = np.bincount(frame.result.labels.ravel(), minlength=256)[1 : len(self._classes)]
        pictures = {"rgb": frame.rgb, "thermal": frame.thermal, "fused": frame.result.fused}
        encoded = {name: rr.Image(image).compress(jpeg_quality=QUALITY) for name, image in pictures.items()}
        encoded["labels"] = rr.SegmentationImage(frame.result.labels)
        if len(counts):
            encoded["shares"] = rr.Scalars(100 * counts / frame.result.labels.size)
        return encoded

    def write(self, frame: Frame, encoded: dict[str, Any]) -> None:
        self._stream.set_time("pair", sequence=frame.index)
        self._stream.set_time("stamp", timestamp=np.datetime64(frame.stamp_ns, "ns"))
        for entity, archetype in encoded.items():
            self._stream.log(entity, archetype)
        self.flush()  # a disk that is full is told here

    def flush(self) -> list[Path]:
        if self.target is None or self._stream is None:
            return []
        try:
            self._stream.flush(timeout_sec=WRITE_TIMEOUT_S)
        except (RuntimeError, ValueError) as error:  # a full disk ends its writer, or makes it wait for ever
            raise OSError(0, f"the Rerun recording does not take more ({error})", str(self.target)) from error
        return self._parts()[-1:]

    def close(self) -> None:
        """Let go of the file or the viewer."""
        if self._stream is not None:
            self._stream.disconnect()
            self._stream = None

    def finish(self) -> None:
        """Make one recording of all parts and move it to ``target``; the viewer gets what is still on its way."""
        if self.target is None:
            self._drain()
            self.close()
            return
        self.flush()
        self.close()
        whole = _join(self._parts(), self._folder / "whole.rrd")
        to_disk([whole], self._folder)
        move(whole, self.target)
        shutil.rmtree(self._folder)

    def _connect(self) -> None:
        host, _, port = self._viewer.rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=2).close()
        except OSError as error:
            raise ConfigError(
                f"no Rerun viewer listens at {self._viewer} ({error.strerror or error}): start one with rerun, "
                "or name an .rrd file"
            ) from error
        self._stream = self._rerun.RecordingStream(APPLICATION, recording_id=str(uuid.uuid4()))
        self._silence()
        self._stream.connect_grpc(f"rerun+http://{self._viewer}/proxy", default_blueprint=self._blueprint())
        self._describe()

    def _drain(self) -> None:
        """Wait until the viewer has everything; MrfsError if it went away."""
        try:
            self._stream.flush(timeout_sec=LIVE_TIMEOUT_S)
        except (RuntimeError, ValueError, OSError) as error:
            raise MrfsError(f"the Rerun viewer at {self._viewer} did not take all frames: {error}") from error

    def _silence(self) -> None:
        """No time of logging beside the times of the bag, where this release can leave it out."""
        for name in ("set_log_tick_enabled", "set_log_time_enabled"):
            if switch := getattr(self._stream, name, None):
                switch(False)

    def _describe(self) -> None:
        """What does not change: names and colours of the classes, and the notice."""
        rr = self._rerun
        table = enumerate(zip(self._classes.names, self._classes.colors))
        context = [rr.AnnotationInfo(id=i, label=name, color=colour) for i, (name, colour) in table]
        context.append(rr.AnnotationInfo(id=UNLABELLED, label="unlabelled", color=(0, 0, 0)))
        self._stream.log("labels", rr.AnnotationContext(context), static=True)
        names, colours = list(self._classes.names[1:]), list(self._classes.colors[1:])
        if names:
            self._stream.log("shares", rr.SeriesLines(names=names, colors=colours), static=True)
        if self._notice:
            self._stream.log("notice", rr.TextDocument(self._notice), static=True)

    def _blueprint(self) -> Any:
        """The four pictures two by two, below them how much of the picture each class has, and any notice."""
        import rerun.blueprint as rrb

        views = [rrb.Spatial2DView(origin=name, name=name) for name in ("rgb", "thermal", "fused", "labels")]
        rows = [rrb.Grid(*views, grid_columns=2)]
        if len(self._classes) > 1:
            rows.append(rrb.TimeSeriesView(origin="shares", name="class shares [%]"))
        if self._notice:
            rows.append(rrb.TextDocumentView(origin="notice", name="notice"))
        return rrb.Blueprint(rrb.Vertical(*rows, row_shares=[6, 2, 1][: len(rows)]), collapse_panels=True)


def _join(parts: list[Path], whole: Path) -> Path:
    """One recording of all ``parts``, without holding them in memory: ``parts[0]`` itself, or ``whole``."""
    if len(parts) == 1:
        return parts[0]
    command = [sys.executable, "-m", "rerun_cli", "rrd", "filter", *map(str, parts), "-o", str(whole)]
    # CI: Rerun's program, unlike its library, otherwise reports that it is used
    run = subprocess.run(command, env={**os.environ, "CI": "1"}, capture_output=True, text=True)
    size = sum(part.stat().st_size for part in parts)
    if run.returncode or whole.stat().st_size < size / 2:  # releases before 0.31 lose everything, with exit code 0
        raise MrfsError(f"rerun rrd filter could not put {len(parts)} parts together: {run.stderr.strip()[-300:]}")
    return whole


def _rerun() -> Any:
    with needs_package("a Rerun recording", "rerun-sdk", "rerun"):
        import rerun
    return rerun
