"""The frames of a bag's two cameras as arrays, of any sizes: what a calibration is made from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mrfs_ros.bag.reading.bag_reader import Bag
from mrfs_ros.bag.reading.camera_topics import encoding_reader, find_cameras
from mrfs_ros.bag.reading.codec import Codec
from mrfs_ros.camera.messages import CameraMessages, check_message, stamp_ns
from mrfs_ros.camera.thermal_window import ThermalWindow
from mrfs_ros.config import NodeConfig
from mrfs_ros.errors import ConfigError, ImageError
from mrfs_ros.pairing.approximate_time import ApproximateTime
from mrfs_ros.types import RGB, THERMAL


@dataclass(frozen=True, kw_only=True)
class FrameSettings:
    """What of a bag is read. Topics: empty = found by type and name. ``end_s``: 0 = to the end of the bag.

    ``node``: how frames are paired and thermal becomes grey, as the node does both.
    """

    rgb_topic: str = ""
    thermal_topic: str = ""
    begin_s: float = 0.0
    end_s: float = 0.0
    node: NodeConfig = field(default_factory=NodeConfig)


class CameraFrames:
    """A bag's frames; ``skipped``: reason to count, of images that could not be used, ``examples``: a text of each.

    ``events``: what was assumed of the images. ``rgb_topic``, ``thermal_topic``: where they come from.
    ``total``: about so many images of both will come.
    ConfigError for a bag without them, MissingPackageError without rosbags. Close it: it is a context manager.
    """

    def __init__(self, path: Path, settings: FrameSettings):
        self.skipped: Counter[str] = Counter()
        self.examples: dict[str, str] = {}
        self._settings = settings
        self.events: list[str] = []
        self._window = ThermalWindow(settings.node)
        self._images = CameraMessages(self.events.append, settings.node.max_image_pixels)
        self._bag = Bag(path)
        try:
            self._codec = Codec()
            self.rgb_topic, self.thermal_topic = find_cameras(
                self._bag.topics,
                settings.rgb_topic,
                settings.thermal_topic,
                encoding_reader(self._bag, self._codec),
            )
            length_s = (self._bag.end_ns - self._bag.start_ns) / 1e9
            if settings.begin_s > length_s:
                raise ConfigError(f"--start {settings.begin_s:g}: the bag ends after {length_s:.1f} s")
            if settings.end_s and settings.end_s <= settings.begin_s:
                raise ConfigError(f"--end {settings.end_s:g}: expected more than --start ({settings.begin_s:g})")
        except BaseException:
            self._bag.__exit__(None, None, None)
            raise
        self.start_ns = self._bag.start_ns
        read_s = min(settings.end_s or length_s, length_s) - settings.begin_s
        images = sum(self._bag.topics[topic].count for topic in (self.rgb_topic, self.thermal_topic))
        self.total = max(1, round(images * read_s / length_s)) if length_s else images

    def __enter__(self) -> CameraFrames:
        return self

    def __exit__(self, *_) -> None:
        self._bag.__exit__(None, None, None)

    @property
    def damage(self) -> list[str]:
        """A sentence for each part of the bag that could not be read."""
        return self._bag.damage

    def frames(self) -> Iterator[tuple[int, int, np.ndarray]]:
        """(``RGB`` or ``THERMAL``, header stamp [ns], (H, W, 3) uint8 RGB or (h, w) uint8)."""
        for camera, message in self._messages():
            image = self._decoded(camera, message)
            if image is not None:
                yield camera, stamp_ns(message), image

    def pairs(self, count: int, every: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """``count`` pairs (rgb (H, W, 3) uint8 RGB, thermal (h, w) uint8), every ``every``-th one from the first."""
        pairing = ApproximateTime(slop_s=self._settings.node.slop_s, queue_size=self._settings.node.sync_queue_size)
        offset_ns = round(self._settings.node.thermal_time_offset_s * 1e9)
        met = given = 0
        for camera, message in self._messages():
            stamp = stamp_ns(message) + (offset_ns if camera == THERMAL else 0)
            pair = pairing.add(camera, stamp, message)
            if pair is None:
                continue
            met += 1
            images = None if (met - 1) % every else [self._decoded(RGB, pair[0]), self._decoded(THERMAL, pair[1])]
            if images and not any(image is None for image in images):
                yield images[0], images[1]
                given += 1
                if given == count:
                    return

    def _messages(self) -> Iterator[tuple[int, Any]]:
        cameras = {self.rgb_topic: RGB, self.thermal_topic: THERMAL}
        begin = self.start_ns + round(self._settings.begin_s * 1e9)
        end = self.start_ns + round(self._settings.end_s * 1e9) if self._settings.end_s else None
        for record in self._bag.messages(cameras, begin, end):
            camera = cameras[record.channel.topic]
            try:
                message = self._codec.message(record)
            except Exception as error:  # damaged bytes make the decoder raise all there is
                self._skip("damaged_message", f"{record.channel.topic}: cannot be read: {error}")
                continue
            try:
                check_message(camera, message, self._settings.node.max_image_pixels)
            except ImageError as error:
                self._skip(error.reason, str(error))
                continue
            yield camera, message

    def _decoded(self, camera: int, message: Any) -> np.ndarray | None:
        try:
            if camera == RGB:
                return self._images.rgb(message)
            return self._window.grey(self._images.thermal(message), stamp_ns(message))
        except ImageError as error:
            self._skip(error.reason, str(error))
            return None

    def _skip(self, reason: str, text: str) -> None:
        self.skipped[reason] += 1
        self.examples.setdefault(reason, text)
