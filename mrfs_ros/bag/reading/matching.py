"""Pairing of a bag's images by their stamps: as the node would pair them, whatever the order of recording."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from mrfs_ros.bag.reading.image_index import ImageIndex
from mrfs_ros.config import NodeConfig
from mrfs_ros.pairing.approximate_time import ApproximateTime
from mrfs_ros.pairing.pair_source import PairSource
from mrfs_ros.types import RGB, THERMAL

NONE = -1


@dataclass
class Matches:
    """Pairs in the order in which they are answered.

    ``numbers``: of the rgb and of the thermal image in their camera's order, NONE for a missing camera. ``log_ns``:
    when the later one was recorded. ``waited``: for each camera and image, how many pairs were complete when it came.
    ``events``: what a user should know, a line each. ``by_stamp``: found in the order of the stamps, not of recording.
    """

    numbers: tuple[array, array] = field(default_factory=lambda: (array("q"), array("q")))
    log_ns: array = field(default_factory=lambda: array("q"))
    waited: tuple[array, array] = ()
    events: list[str] = field(default_factory=list)
    by_stamp: bool = False

    def __len__(self) -> int:
        return len(self.log_ns)

    def used(self, camera: int, count: int, *, pairs_only: bool = False) -> np.ndarray:
        """(count,) bool: which images of ``camera`` are in a pair, or answered alone unless ``pairs_only``."""
        own, other = (np.frombuffer(self.numbers[c], np.int64) for c in (camera, 1 - camera))
        mask = np.zeros(count, bool)
        mask[own[(own != NONE) & ((other != NONE) | (not pairs_only))]] = True
        return mask


def match(index: ImageIndex, config: NodeConfig, start_s: float) -> Matches:
    """The node's pairs of the images as they were recorded; where that order keeps pairs apart, as they are stamped.

    ``start_s``: when the bag begins [s].
    """
    recorded = _matched(index, config, start_s, index.in_order(), _recorded_s)
    apart = kept_apart(index, recorded, config)
    if not apart:
        return recorded
    sorted_by_stamp = _by_stamp(index, config)
    if _pairs(sorted_by_stamp) <= _pairs(recorded):
        return recorded
    sorted_by_stamp.events.insert(
        0,
        f"the order of recording keeps pairs apart ({_pairs(recorded)} pairs in that order, {_pairs(sorted_by_stamp)} "
        "by stamp alone): paired by stamp",
    )
    return sorted_by_stamp


def match_recorded(index: ImageIndex, config: NodeConfig) -> int:
    """How many pairs there would be by the time of recording."""
    by_log = ImageIndex()
    for camera, number in index.in_order():
        one = index.cameras[camera]
        by_log.add(camera, one.log_ns[number], one.log_ns[number], bool(one.usable[number]))
    return _pairs(_by_stamp(by_log, config))


def kept_apart(index: ImageIndex, matches: Matches, config: NodeConfig) -> int:
    """How many images that are in no pair have a partner by stamp that is in none either.

    Only the order of recording can have kept these apart. Where a camera's clock fell back and the other's did not,
    the stamps cannot say what belongs together: 0.
    """
    epochs = [camera.epochs() for camera in index.cameras]
    if len(epochs[0]) != len(epochs[1]):
        return 0
    far_ns = 0 if config.on_missing == "drop" else int(config.missing_timeout_s * 1e9)
    free = [~matches.used(c, len(index.cameras[c]), pairs_only=True) for c in (RGB, THERMAL)]
    return sum(
        _count_near(index, config, [part[free[c][part]] for c, part in enumerate(parts)], far_ns)
        for parts in zip(*epochs)
    )


def _count_near(index: ImageIndex, config: NodeConfig, free: list[np.ndarray], far_ns: int) -> int:
    """How many pairs images ``free`` (numbers, sorted by stamp) of both cameras make that lie ``far_ns`` apart."""
    slop_ns = int(config.slop_s * 1e9)
    offsets = 0, round(config.thermal_time_offset_s * 1e9)
    stamps = [(index.cameras[c].stamps()[numbers] + offsets[c]).tolist() for c, numbers in enumerate(free)]
    logs = [index.cameras[c].logs()[numbers].tolist() for c, numbers in enumerate(free)]
    rgb = thermal = found = 0
    while rgb < len(stamps[0]) and thermal < len(stamps[1]):
        gap = stamps[1][thermal] - stamps[0][rgb]
        if abs(gap) < slop_ns:
            found += abs(logs[1][thermal] - logs[0][rgb]) >= far_ns
            rgb, thermal = rgb + 1, thermal + 1
        elif gap < 0:
            thermal += 1
        else:
            rgb += 1
    return found


def _pairs(matches: Matches) -> int:
    """How many pairs have both images."""
    return sum(NONE not in pair for pair in zip(*matches.numbers))


def _by_stamp(index: ImageIndex, config: NodeConfig) -> Matches:
    """The node's pairs if every image had come at its stamp; loop after loop, where the stamps fall back."""
    offset_ns = round(config.thermal_time_offset_s * 1e9)
    made = Matches(waited=_nothing_waited(index), by_stamp=True)
    for parts in zip(*(camera.epochs() for camera in index.cameras)):
        cameras = np.concatenate([np.full(len(part), c) for c, part in enumerate(parts)])
        numbers = np.concatenate(parts)
        stamps = np.concatenate([index.cameras[c].stamps()[part] + c * offset_ns for c, part in enumerate(parts)])
        order = np.lexsort((cameras, stamps))
        images = zip(cameras[order].tolist(), numbers[order].tolist())
        _matched(index, config, stamps[order[0]] / 1e9, images, partial(_stamp_s, offset_ns=offset_ns), made)
    return made


def _matched(
    index: ImageIndex,
    config: NodeConfig,
    start_s: float,
    images: Iterator[tuple[int, int]],
    clock_s: Callable[[ImageIndex, int, int], float],
    made: Matches | None = None,
) -> Matches:
    """What the node makes of ``images`` (camera, number) that come in this order, by the clock ``clock_s``."""
    made = Matches(waited=_nothing_waited(index)) if made is None else made
    pairing = partial(ApproximateTime, slop_s=config.slop_s, queue_size=config.sync_queue_size)
    source = PairSource(pairing, start_s=start_s, say=made.events.append)
    source.thermal_offset_ns = round(config.thermal_time_offset_s * 1e9)
    source.on_missing = config.on_missing
    source.missing_timeout_s = config.missing_timeout_s
    for camera, number in images:
        own = index.cameras[camera]
        now_s = clock_s(index, camera, number)
        source.heard(camera, now_s)
        made.waited[camera][number] = len(made)
        if not own.usable[number]:
            continue
        pair = source.add(camera, own.stamp_ns[number], number, now_s)
        if pair is None:
            continue
        logs = [index.cameras[c].log_ns[image] for c, image in enumerate(pair) if image is not None]
        for c, image in enumerate(pair):
            made.numbers[c].append(NONE if image is None else image)
        made.log_ns.append(own.log_ns[number] if clock_s is _recorded_s else max(logs))
    return made


def _recorded_s(index: ImageIndex, camera: int, number: int) -> float:
    """The time of recording, which stands for the node's clock [s]."""
    return index.cameras[camera].log_ns[number] / 1e9


def _stamp_s(index: ImageIndex, camera: int, number: int, offset_ns: int) -> float:
    return (index.cameras[camera].stamp_ns[number] + camera * offset_ns) / 1e9


def _nothing_waited(index: ImageIndex) -> tuple[array, array]:
    first, second = (array("q", bytes(8 * len(camera))) for camera in index.cameras)
    return first, second
