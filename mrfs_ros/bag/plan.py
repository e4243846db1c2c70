"""Plan of a run: the topics and the time range of a bag that are read, and how much that will be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mrfs_ros.bag.reading.bag_reader import Bag
from mrfs_ros.bag.reading.camera_topics import encoding_reader, find_cameras
from mrfs_ros.bag.reading.codec import Codec
from mrfs_ros.bag.reading.salvage import Channel
from mrfs_ros.bag.reading.several_bags import Bags
from mrfs_ros.bag.settings import BagSettings
from mrfs_ros.bag.writing.result_bag import topic_of
from mrfs_ros.config import OUTPUTS
from mrfs_ros.errors import ConfigError

_OWN = tuple(map(topic_of, OUTPUTS))
_ANY_RATE_HZ = 10.0  # of a bag with too little in it to tell


@dataclass(frozen=True)
class Plan:
    """``start_ns`` to before ``stop_ns``: times of recording. ``rate_hz``: so many answers make a second of the bag.

    ``copied``: channels of the topics that are copied, ``left_out``: why others are not.
    """

    rgb_topic: str
    thermal_topic: str
    start_ns: int
    stop_ns: int
    rate_hz: float
    copied: Mapping[str, Channel]
    left_out: tuple[str, ...]


def plan_of(bag: Bag | Bags, settings: BagSettings, codec: Codec) -> Plan:
    """The plan for ``settings``; ConfigError when they do not fit the bag."""
    rgb, thermal = find_cameras(bag.topics, settings.rgb_topic, settings.thermal_topic, encoding_reader(bag, codec))
    length_s = (bag.end_ns - bag.start_ns) / 1e9
    if settings.start_s > length_s:
        raise ConfigError(f"start_s: the bag ends after {length_s:.1f} s, before {settings.start_s:g} s")
    start_ns = bag.start_ns + round(settings.start_s * 1e9)
    stop_ns = bag.start_ns + round(settings.end_s * 1e9) if settings.end_s else bag.end_ns + 1
    rate_hz = (bag.topics[rgb].count - 1) / length_s if length_s else 0.0
    copied, left_out = _copied(bag, settings.copy, codec)
    return Plan(
        rgb_topic=rgb,
        thermal_topic=thermal,
        start_ns=start_ns,
        stop_ns=stop_ns,
        rate_hz=played_at(rate_hz / settings.every),
        copied=copied,
        left_out=left_out,
    )


def played_at(rate_hz: float) -> float:
    """The rate of a video of images that come at ``rate_hz`` (0 if that is not known)."""
    if rate_hz and abs(rate_hz - round(rate_hz)) < 0.02 * rate_hz:
        rate_hz = float(round(rate_hz))  # what the camera was set to
    return min(rate_hz, 240.0) if rate_hz > 0.1 else _ANY_RATE_HZ


def _copied(bag: Bag | Bags, wanted: tuple[str, ...], codec: Codec) -> tuple[dict[str, Channel], tuple[str, ...]]:
    """Channels by topic, and one sentence for each topic of ``all`` that cannot be copied."""
    channels = {name: topic.channel for name, topic in bag.topics.items()}
    if wanted == ("all",):
        chosen = {name: channel for name, channel in channels.items() if not name.startswith(_OWN)}
    else:
        if unknown := [name for name in wanted if name not in channels]:
            raise ConfigError(f"--copy {', '.join(unknown)}: the bag has {', '.join(sorted(channels)) or 'no topics'}")
        if own := [name for name in wanted if name.startswith(_OWN)]:
            raise ConfigError(f"--copy {', '.join(own)}: the bag that is made has results of its own on these topics")
        chosen = {name: channels[name] for name in wanted}
    copied, left_out = {}, []
    for name, channel in chosen.items():
        try:
            codec.store_of(channel)
            copied[name] = channel
        except ConfigError as error:
            if wanted != ("all",):
                raise
            left_out.append(str(error))
    return copied, tuple(left_out)
