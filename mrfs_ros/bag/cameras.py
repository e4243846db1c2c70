"""Which topics of a bag are the two cameras, by type and name."""

from __future__ import annotations

import re
from collections.abc import Mapping

from mrfs_ros.bag.codec import COMPRESSED, IMAGE
from mrfs_ros.bag.foreign_images import foreign_listed, others_listed
from mrfs_ros.bag.reading import Topic
from mrfs_ros.errors import ConfigError

_NAMES = {
    "rgb": r"rgb|colou?r|visible|visual|(?<![a-z])(vis|left|eo)(?![a-z])",
    "thermal": r"thermal|infra|lwir|boson|flir|lepton|optris|seek|(?<![a-z])ir(?![a-z])|therm",
}
_RESULTS = re.compile(r"(^|/)mrfs/|fused|segmentation|overlay|label|depth|mask")


def find_cameras(topics: Mapping[str, Topic], rgb: str = "", thermal: str = "") -> tuple[str, str]:
    """The topics of rgb and thermal images; those that are given are checked, the others found.

    ConfigError that lists the image topics when one is missing or several would do.
    """
    images = {name: topic for name, topic in topics.items() if topic.channel.kind in (IMAGE, COMPRESSED)}
    for option, name in (("--rgb-topic", rgb), ("--thermal-topic", thermal)):
        if name and name not in images:
            raise ConfigError(f"{option} {name}: {_no_images(topics.get(name))}; {_listed(topics)}")
    left = {name: topic for name, topic in images.items() if name not in (rgb, thermal) and topic.count}
    thermal = thermal or _choose("thermal", left, topics)
    rgb = rgb or _choose("rgb", {name: topic for name, topic in left.items() if name != thermal}, topics)
    if rgb == thermal:
        raise ConfigError(f"rgb and thermal images are both taken from {rgb}: name two topics")
    return rgb, thermal


def _choose(camera: str, left: Mapping[str, Topic], topics: Mapping[str, Topic]) -> str:
    named = {name: topic for name, topic in left.items() if re.search(_NAMES[camera], name.lower())}
    if camera == "rgb":  # a thermal camera's driver may say image_color of its palette
        named = {name: topic for name, topic in named.items() if not re.search(_NAMES["thermal"], name.lower())}
    fresh = {name: topic for name, topic in named.items() if not _RESULTS.search(name.lower())} or named
    raw = {name: topic for name, topic in fresh.items() if topic.channel.kind == IMAGE} or fresh
    if len(raw) == 1:
        return next(iter(raw))
    what = f"several topics could be {camera} images: {', '.join(sorted(raw))}" if raw else f"no {camera} images found"
    apart = "" if raw else " (if it was recorded into another bag, name both: mrfs bag RGB_BAG THERMAL_BAG)"
    raise ConfigError(f"{what}; choose with --{camera}-topic TOPIC{apart}. {_listed(topics)}")


def _no_images(topic: Topic | None) -> str:
    """Why a topic that was asked for has none."""
    return f"the bag has {topic.channel.kind} on it, no images" if topic else "the bag has no images on it"


def _listed(topics: Mapping[str, Topic]) -> str:
    images = {name: topic for name, topic in topics.items() if topic.channel.kind in (IMAGE, COMPRESSED)}
    foreign = foreign_listed(topics)
    if not images:
        return foreign or others_listed(topics)
    lines = [f"{name} ({topic.channel.kind.split('/')[-1]}, {topic.count})" for name, topic in sorted(images.items())]
    return "; ".join(filter(None, ("image topics of the bag: " + ", ".join(lines), foreign)))
