"""The results as a video: rgb, thermal, fused and overlay of each frame in one picture."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from mrfs_ros.bag.frame import Frame
from mrfs_ros.bag.writing.result_writer import working_path
from mrfs_ros.draw import mosaic, scaled
from mrfs_ros.errors import needs_package
from mrfs_ros.files import move, to_disk

# Every frame leaves the encoder at once (no frame waits for a later one), so that a transport stream may be cut behind
# any of them. Quick, and small enough for hours of driving.
_ENCODER = {"preset": "veryfast", "tune": "zerolatency", "crf": "23"}


class Video:
    """A ``Sink``: H.264 in an MP4, ``rate_hz`` frames a second whatever their stamps say.

    A stream for each run lies in the working folder; ``finish`` joins them without encoding anything again. Frames of
    another size than the first are scaled to it. Raises MissingPackageError without PyAV.
    """

    def __init__(self, target: Path, *, rate_hz: float):
        self._av = _pyav()
        self.target = target
        self._rate = Fraction(rate_hz).limit_denominator(1000)
        self._container: Any = None
        self._stream: Any = None

    def resume(self, frames: int) -> None:
        folder = working_path(self.target)
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"{len(self._streams()):06d}.ts"

    def encode(self, frame: Frame) -> np.ndarray:
        """(H, W, 3) uint8 RGB, two rows of two pictures, H and W even."""
        made = {"fused": frame.result.fused, "overlay": frame.made.overlay}
        return mosaic(({"rgb": frame.rgb, "thermal": frame.thermal}, made))

    def write(self, frame: Frame, encoded: np.ndarray) -> None:
        if self._container is None:
            self._open(*encoded.shape[:2])
        picture = scaled(encoded, self._stream.height, self._stream.width)
        self._container.mux(self._stream.encode(self._av.VideoFrame.from_ndarray(picture, format="rgb24")))

    def flush(self) -> list[Path]:
        return [self._path] if self._container is not None else []  # the encoder keeps nothing back

    def close(self) -> None:
        if self._container is not None:
            self._container.close()
            self._container = None

    def finish(self) -> None:
        if self._container is not None:
            self._container.mux(self._stream.encode(None))
        self.close()
        folder = working_path(self.target)
        if not self._streams():  # no pair was answered: there is nothing to show
            shutil.rmtree(folder)
            return
        joined = folder / "joined.mp4"
        self._join(joined)
        to_disk([joined], folder)
        move(joined, self.target)
        shutil.rmtree(folder)

    def _open(self, height: int, width: int) -> None:
        for path in self._streams():
            with self._av.open(str(path)) as earlier:
                width, height = earlier.streams.video[0].width, earlier.streams.video[0].height
        self._container = self._av.open(str(self._path), "w", format="mpegts", options={"flush_packets": "1"})
        self._stream = self._container.add_stream("libx264", rate=self._rate, options=_ENCODER)
        self._stream.width, self._stream.height, self._stream.pix_fmt = width, height, "yuv420p"

    def _streams(self) -> list[Path]:
        return sorted(working_path(self.target).glob("*.ts"))

    def _packets(self, path: Path) -> Iterator[Any]:
        """The packets of a stream; one is one frame."""
        with self._av.open(str(path)) as container:
            yield from (packet for packet in container.demux(video=0) if packet.size)

    def _join(self, joined: Path) -> None:
        number = 0
        with self._av.open(str(joined), "w", options={"movflags": "faststart"}) as out:
            stream = None
            for path in self._streams():
                for packet in self._packets(path):
                    stream = stream or out.add_stream_from_template(packet.stream)
                    packet.stream = stream
                    packet.time_base = 1 / self._rate
                    packet.pts = packet.dts = number
                    packet.duration = 1
                    out.mux(packet)
                    number += 1


def _pyav() -> Any:
    with needs_package("videos", "PyAV", "video"):
        import av
    return av
