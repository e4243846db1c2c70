"""The messages of a bag turned into what the network answers: pairs, by the node's own rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mrfs_ros.bag.reading.bag_reader import Bag
from mrfs_ros.bag.reading.codec import COMPRESSED, IMAGE, Codec
from mrfs_ros.bag.reading.image_index import ImageIndex
from mrfs_ros.bag.reading.matching import NONE, Matches, match
from mrfs_ros.bag.reading.pair_gaps import frame_apart
from mrfs_ros.bag.reading.records import Record
from mrfs_ros.bag.reading.unpaired import Unpaired, nearest_s, unpaired, unpaired_before
from mrfs_ros.bag.reading.waiting_messages import Waiting
from mrfs_ros.bag.settings import HEADER
from mrfs_ros.camera.messages import OutputHeader, output_header, stamp_ns
from mrfs_ros.config import NodeConfig
from mrfs_ros.errors import ConfigError, ImageError
from mrfs_ros.preprocess import Preprocessor
from mrfs_ros.types import RGB, THERMAL


@dataclass(frozen=True)
class BagPair:
    """Two messages that belong together (None for a missing camera), and when the pair was complete [ns].

    ``grey``: the thermal image in 8 bits, (H, W) uint8, where that depends on the images before, or why there is none.
    ``times_ns``: of the rgb and the thermal image, by which they were paired. ``unpaired``: how many images of each
    camera that are in no pair came since the pair before.
    """

    rgb: Any | None
    thermal: Any | None
    log_ns: int
    grey: np.ndarray | ImageError | None = None
    times_ns: tuple[int | None, int | None] = (None, None)
    unpaired: tuple[int, int] = (0, 0)

    def header(self, reference: str) -> OutputHeader:
        """The header of the results; see ``output_header``."""
        return output_header(self.rgb, self.thermal, reference)


class PairReader:
    """Pairs of a bag, and the records of topics that are copied: ``match`` first, then ``read``.

    The bag is read twice: for the stamps, then for the pairs that these make, so that no image waits in memory for a
    partner that never comes. ``skipped``: reason to count, of images that could not be used. ``events``: what a user
    should know, a line each. ``images``: how many of each camera were read. ``left``: those that are in no pair.
    ``apart``: a sentence if pairs are a frame apart. ``preprocessor``: what makes arrays of them.
    """

    def __init__(
        self, bag: Bag, codec: Codec, rgb_topic: str, thermal_topic: str, config: NodeConfig, stamp: str = HEADER
    ):
        self.skipped: Counter[str] = Counter()
        self.examples: dict[str, str] = {}
        self.events: list[str] = []
        self.left = Unpaired()
        self.apart = ""
        self._bag = bag
        self._codec = codec
        self._cameras = {rgb_topic: RGB, thermal_topic: THERMAL}
        self._config = config
        self._stamp = stamp
        self._index = ImageIndex()
        self._matches = Matches()
        self._before: list[np.ndarray] = []
        self._range: tuple[int, int] = (0, 0)
        self._copied: Collection[str] = ()
        self.preprocessor = Preprocessor(config, self.events.append)

    @property
    def images(self) -> tuple[int, int]:
        """How many rgb and thermal images were read."""
        return len(self._index.cameras[RGB]), len(self._index.cameras[THERMAL])

    @property
    def count(self) -> int:
        """How many pairs ``read`` yields, less those whose images do not fit each other."""
        return len(self._matches)

    @property
    def best_gap_s(self) -> float | None:
        """The smallest difference of stamps of two images [s], thermal minus rgb."""
        return nearest_s(self._index, self._config)

    @property
    def rate_hz(self) -> float:
        """Pairs a second of the stamps; 0 if there are too few to tell."""
        rgb = self._index.cameras[RGB].stamps()
        numbers = np.frombuffer(self._matches.numbers[RGB], np.int64)
        steps = np.diff(rgb[numbers[numbers != NONE]])
        steps = steps[steps > 0]
        return 1e9 / float(np.median(steps)) if len(steps) else 0.0

    @property
    def by_stamp(self) -> bool:
        """Whether the order of recording would have kept pairs apart."""
        return self._matches.by_stamp

    def match(self, copied: Collection[str], start_ns: int, stop_ns: int) -> None:
        """Find out which images recorded from ``start_ns`` to before ``stop_ns`` make pairs."""
        self._range, self._copied = (start_ns, stop_ns), copied
        for record in self._bag.messages(self._topics, start_ns, stop_ns):
            if (camera := self._cameras.get(record.channel.topic)) is not None:
                self._note(camera, record)
        self._matches = match(self._index, self._config, self._bag.start_ns / 1e9)
        self.events += self._matches.events
        self._before = unpaired_before(self._index, self._matches)
        self.left = unpaired(self._index, self._matches, self._config, self._stamp)
        self.apart = frame_apart(self._index, self._matches, self._config)

    def read(self) -> Iterator[BagPair | Record]:
        """``BagPair`` for each pair, ``Record`` for each message on the topics copied."""
        yield from self._latched_before()
        if self._matches.by_stamp and not self._bag.damage:  # a damaged bag's order may depend on the topics read
            yield from self._from_each_camera()
        else:
            yield from self._in_order()

    @property
    def _topics(self) -> set[str]:
        return {*self._cameras, *self._copied}

    def _in_order(self) -> Iterator[BagPair | Record]:
        """From one way through the bag: what is in a pair waits for its partner."""
        wanted = [self._matches.used(camera, count) for camera, count in enumerate(self.images)]
        numbers, done = [0, 0], 0
        with closing(Waiting()) as waiting:
            for record in self._bag.messages(self._topics, *self._range):
                if record.channel.topic in self._copied:
                    yield record
                if (camera := self._cameras.get(record.channel.topic)) is None:
                    continue
                number = numbers[camera]
                numbers[camera] += 1
                self._check_same(camera, number, record)
                if wanted[camera][number]:
                    waiting.put((camera, number), record)
                while done < self.count and all(key in waiting for key in self._keys(done)):
                    pair = self._pair(done, {key[0]: waiting.take(key) for key in self._keys(done)})
                    done += 1
                    if pair is not None:
                        yield pair
        self._check_whole(done)

    def _from_each_camera(self) -> Iterator[BagPair | Record]:
        """From one way through the bag for each camera, so that little waits however far apart a pair was recorded."""
        topics = {camera: topic for topic, camera in self._cameras.items()}
        streams = {c: enumerate(self._bag.messages([topics[c]], *self._range, apart=True)) for c in (RGB, THERMAL)}
        others = self._bag.messages(self._copied, *self._range, apart=True) if self._copied else iter(())
        wanted = [self._matches.used(camera, count) for camera, count in enumerate(self.images)]
        ahead = next(others, None)
        with closing(Waiting()) as waiting:
            for place in range(self.count):
                for key in self._keys(place):
                    while key not in waiting and (found := next(streams[key[0]], None)) is not None:
                        self._check_same(key[0], *found)
                        if wanted[key[0]][found[0]]:
                            waiting.put((key[0], found[0]), found[1])
                    if key not in waiting:
                        self._check_whole(place)
                while ahead is not None and ahead.log_ns <= self._matches.log_ns[place]:
                    yield ahead
                    ahead = next(others, None)
                pair = self._pair(place, {key[0]: waiting.take(key) for key in self._keys(place)})
                if pair is not None:
                    yield pair
        while ahead is not None:
            yield ahead
            ahead = next(others, None)

    def _keys(self, place: int) -> list[tuple[int, int]]:
        """(camera, number) of the images of a pair."""
        return [(c, numbers[place]) for c, numbers in enumerate(self._matches.numbers) if numbers[place] != NONE]

    def _check_same(self, camera: int, number: int, record: Record) -> None:
        """Whether the second reading meets what the first one did."""
        logs = self._index.cameras[camera].log_ns
        if number >= len(logs) or logs[number] != record.log_ns:
            self._changed()

    def _check_whole(self, done: int) -> None:
        if done < self.count:
            self._changed()

    def _changed(self) -> None:
        raise ConfigError(f"{self._bag.path}: has changed while it was read: run it again when nobody writes to it")

    def _latched_before(self) -> Iterator[Record]:
        """The last message before the start on each latched topic: static transforms hold for all of the bag."""
        latched = [topic for topic in self._copied if self._bag.topics[topic].channel.is_latched]
        if latched and self._range[0] > self._bag.start_ns:
            last = {record.channel.topic: record for record in self._bag.messages(latched, None, self._range[0])}
            yield from last.values()

    def windowed(self, pair: BagPair) -> BagPair:
        """The pair with ``grey`` where it needs one; call it with every pair that is answered, in order."""
        if pair.thermal is None or self.preprocessor.is_plain(pair.thermal):
            return pair
        try:
            return replace(pair, grey=self.preprocessor.grey(pair.thermal, pair.times_ns[THERMAL]))
        except ImageError as error:
            return replace(pair, grey=error)

    def _pair(self, place: int, records: dict[int, Record]) -> BagPair | None:
        messages = [self._message(records[c]) if c in records else None for c in (RGB, THERMAL)]
        try:
            self.preprocessor.check(*messages)
        except ImageError as error:
            self.skip(error.reason, str(error))
            return None
        numbers = [own[place] for own in self._matches.numbers]
        times = [None if n == NONE else self._index.cameras[c].stamp_ns[n] for c, n in enumerate(numbers)]
        log_ns, unpaired = self._matches.log_ns[place], self._unpaired_before(place)
        return BagPair(*messages, log_ns, times_ns=tuple(times), unpaired=unpaired)

    def _unpaired_before(self, place: int) -> tuple[int, int]:
        return int(self._before[RGB][place]), int(self._before[THERMAL][place])

    def _note(self, camera: int, record: Record) -> None:
        """Take an image's stamp into the index, or count why it cannot be used."""
        by_header = self._stamp == HEADER
        try:
            message = self._message(record)
            self.preprocessor.check_message(camera, message, stamped=by_header)
            self._index.add(camera, stamp_ns(message) if by_header else record.log_ns, record.log_ns)
        except ImageError as error:
            self._index.add(camera, 0, record.log_ns, usable=False)
            way = "; --stamp recorded takes the time of recording instead" if error.reason == "bad_stamp" else ""
            self.skip(error.reason, f"{error}{way}")

    def skip(self, reason: str, text: str) -> None:
        """Count what cannot be used; the first text of each reason is kept."""
        self.skipped[reason] += 1
        self.examples.setdefault(reason, text)

    def _message(self, record: Record) -> Any:
        topic, kind = record.channel.topic, record.channel.kind
        if kind not in (IMAGE, COMPRESSED):
            raise ImageError(f"{topic}: a {kind or 'message of no type'} among images", "other_type")
        try:
            return self._codec.message(record)
        except Exception as error:  # damaged bytes make the decoder raise all there is
            raise ImageError(f"{topic}: no {kind} that can be read: {error}", "damaged_message") from error
