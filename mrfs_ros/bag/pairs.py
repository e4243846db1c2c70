"""The messages of a bag turned into what the network answers: pairs, by the node's own rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from mrfs_ros.bag.codec import Codec
from mrfs_ros.bag.reading import Bag
from mrfs_ros.bag.salvage import Record
from mrfs_ros.config import NodeConfig
from mrfs_ros.engine.intake import Intake
from mrfs_ros.errors import ImageError
from mrfs_ros.sensing.messages import stamp_ns
from mrfs_ros.sensing.pair_source import RGB, THERMAL, PairSource
from mrfs_ros.sensing.pairing import ApproximateTime


@dataclass(frozen=True)
class Pair:
    """Two messages that belong together (None for a missing camera), and when the pair was complete [ns].

    ``grey``: the thermal image in 8 bits, (H, W) uint8, where that depends on the images before, or why there is none.
    """

    rgb: Any | None
    thermal: Any | None
    log_ns: int
    grey: np.ndarray | ImageError | None = None

    def header(self, reference: str) -> Any:
        """The header of the ``reference`` camera ("rgb" or "thermal"), or of the one that is there."""
        first, second = (self.rgb, self.thermal) if reference == "rgb" else (self.thermal, self.rgb)
        return (second if first is None else first).header


class PairReader:
    """Pairs of a bag, and the records of topics that are copied, in the order of recording.

    ``skipped``: reason to count, of images that could not be used. ``events``: what a user should know, a line each.
    ``images``: how many of each camera were read. ``intake``: what makes arrays of them.
    """

    def __init__(self, bag: Bag, codec: Codec, rgb_topic: str, thermal_topic: str, config: NodeConfig):
        self.skipped: Counter[str] = Counter()
        self.examples: dict[str, str] = {}
        self.events: list[str] = []
        self.images = [0, 0]
        self._bag = bag
        self._codec = codec
        self._cameras = {rgb_topic: RGB, thermal_topic: THERMAL}
        pairing = partial(ApproximateTime, slop_s=config.slop_s, queue_size=config.sync_queue_size)
        # The time of recording stands for the node's clock.
        self._source = PairSource(pairing, start_s=bag.start_ns / 1e9, say=self.events.append)
        self._source.thermal_offset_ns = round(config.thermal_time_offset_s * 1e9)
        self._source.on_missing = config.on_missing
        self._source.missing_timeout_s = config.missing_timeout_s
        self.intake = Intake(config, self.events.append)

    @property
    def best_gap_s(self) -> float | None:
        """The smallest difference of stamps seen since the last pair [s], thermal minus rgb."""
        return self._source.best_gap_s

    def read(self, copied: Collection[str], start_ns: int, stop_ns: int) -> Iterator[Pair | Record]:
        """``Pair`` for each pair, ``Record`` for each message on the topics ``copied``."""
        yield from self._latched_before(copied, start_ns)
        for record in self._bag.messages({*self._cameras, *copied}, start_ns, stop_ns):
            if record.channel.topic in copied:
                yield record
            if (camera := self._cameras.get(record.channel.topic)) is not None:
                pair = self._take(camera, record)
                if pair is not None:
                    yield Pair(*pair, record.log_ns)

    def _latched_before(self, copied: Collection[str], start_ns: int) -> Iterator[Record]:
        """The last message before the start on each latched topic: static transforms hold for all of the bag."""
        latched = [topic for topic in copied if self._bag.topics[topic].channel.is_latched]
        if latched and start_ns > self._bag.start_ns:
            last = {record.channel.topic: record for record in self._bag.messages(latched, None, start_ns)}
            yield from last.values()

    def windowed(self, pair: Pair) -> Pair:
        """The pair with ``grey`` where it needs one; call it with every pair that is answered, in order."""
        if pair.thermal is None or self.intake.is_plain(pair.thermal):
            return pair
        try:
            return replace(pair, grey=self.intake.grey(pair.thermal))
        except ImageError as error:
            return replace(pair, grey=error)

    def _take(self, camera: int, record: Record) -> tuple[Any | None, Any | None] | None:
        self.images[camera] += 1
        now_s = record.log_ns / 1e9
        self._source.heard(camera, now_s)
        try:
            message = self._message(record)
            self.intake.check_message(camera, message)
            pair = self._source.add(camera, stamp_ns(message), message, now_s)
            if pair is not None:
                self.intake.check(*pair)
            return pair
        except ImageError as error:
            self.skip(error.reason, str(error))
            return None

    def skip(self, reason: str, text: str) -> None:
        """Count what cannot be used; the first text of each reason is kept."""
        self.skipped[reason] += 1
        self.examples.setdefault(reason, text)

    def _message(self, record: Record) -> Any:
        try:
            return self._codec.message(record)
        except Exception as error:  # damaged bytes make the decoder raise all there is
            raise ImageError(
                f"{record.channel.topic}: no {record.channel.kind} that can be read: {error}", "damaged_message"
            ) from error
