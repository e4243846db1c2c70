"""Camera topics of a bag, found by type, name and encoding."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from mrfs_ros.bag.reading.bag_reader import Bag, Topic
from mrfs_ros.bag.reading.codec import COMPRESSED, IMAGE, Codec
from mrfs_ros.bag.reading.foreign_images import foreign_listed, others_listed
from mrfs_ros.errors import ConfigError

_NAMES = {
    "rgb": r"rgb|colou?r|visible|visual|(?<![a-z])(vis|left|eo)(?![a-z])",
    "thermal": r"thermal|infra|lwir|boson|flir|lepton|optris|seek|(?<![a-z])ir(?![a-z])|therm",
}
_NEAR_INFRARED = re.compile(  # of stereo and depth cameras, which see no heat
    r"infra_?\d|nir(?![a-z])|(?<![a-z])ir_?\d?[/_](left|right)|(left|right)[/_]ir(?![a-z])|infra[/_](left|right)"
)
_MAYBE_NEAR_INFRARED = r"infra(?!red)|(?<![a-z])ir(?![a-z])"
_DISTANCES = re.compile(r"depth|disparity|stereo|range|confidence|(?<![a-z])tof(?![a-z])")
_DEEP = ("mono16", "16UC1", "16SC1", "32FC1")  # what thermal cameras send, and depth cameras
_RESULTS = re.compile(r"(^|/)mrfs/|fused|segmentation|overlay|label|depth|mask")


def find_cameras(
    topics: Mapping[str, Topic], rgb: str = "", thermal: str = "", encoding_of: Callable[[str], str] = lambda _: ""
) -> tuple[str, str]:
    """The topics of rgb and thermal images; those that are given are checked, the others found.

    Args:
        topics: Those of the bag, by name.
        rgb: Topic of the visible camera; empty = found.
        thermal: Topic of the thermal camera; empty = found.
        encoding_of: What a topic's images are, such as 16UC1: asked where names do not tell.

    Returns:
        The topics of the visible and of the thermal camera.

    Raises:
        ConfigError: One is missing or several would do; the text lists the image topics.
    """
    images = {name: topic for name, topic in topics.items() if topic.channel.kind in (IMAGE, COMPRESSED)}
    for option, name in (("--rgb-topic", rgb), ("--thermal-topic", thermal)):
        if name and name not in images:
            raise ConfigError(f"{option} {name}: {_no_images(topics.get(name))}; {_listed(topics)}")
    left = {name: topic for name, topic in images.items() if name not in (rgb, thermal) and topic.count}
    thermal = thermal or _choose("thermal", _maybe_thermal(left, encoding_of), topics, encoding_of)
    others = {name: topic for name, topic in left.items() if name != thermal}
    rgb = rgb or _choose("rgb", others, topics, encoding_of)
    if rgb == thermal:
        raise ConfigError(f"rgb and thermal images are both taken from {rgb}: name two topics")
    return rgb, thermal


def _choose(
    camera: str, left: Mapping[str, Topic], topics: Mapping[str, Topic], encoding_of: Callable[[str], str]
) -> str:
    named = left
    if camera == "rgb":  # a thermal camera's driver may say image_color of its palette
        visible = {name: topic for name, topic in left.items() if not _says("thermal", name)}
        named = {name: topic for name, topic in visible.items() if _says("rgb", name)}
        if not named and len(visible) == 1:  # /cam0 beside the thermal /cam1
            named = {name: topic for name, topic in visible.items() if _may_be_visible(name, encoding_of)}
    fresh = {name: topic for name, topic in named.items() if not _RESULTS.search(name.lower())} or named
    raw = {name: topic for name, topic in fresh.items() if topic.channel.kind == IMAGE} or fresh
    if len(raw) == 1:
        return next(iter(raw))
    what = f"several topics could be {camera} images: {', '.join(sorted(raw))}" if raw else f"no {camera} images found"
    apart = "" if raw else " (if it was recorded into another bag, name both: mrfs bag RGB_BAG THERMAL_BAG)"
    raise ConfigError(f"{what}; choose with --{camera}-topic TOPIC{apart}. {_listed(topics)}")


def _maybe_thermal(left: Mapping[str, Topic], encoding_of: Callable[[str], str]) -> dict[str, Topic]:
    """Topics whose names say so; among these, or where only ``ir`` does, those with deep images come first."""
    named = {n: topic for n, topic in left.items() if _says("thermal", n) and not _NEAR_INFRARED.search(n.lower())}
    sure = {n: topic for n, topic in named.items() if _says("thermal", re.sub(_MAYBE_NEAR_INFRARED, "", n.lower()))}
    if len(sure) == 1:
        return sure
    others = {n: topic for n, topic in left.items() if not _says("rgb", n) and not _NEAR_INFRARED.search(n.lower())}
    others = {n: topic for n, topic in others.items() if not _DISTANCES.search(_plain(n))}
    deep = {n: topic for n, topic in (sure or others).items() if encoding_of(n) in _DEEP}
    return deep or sure or named


def _may_be_visible(name: str, encoding_of: Callable[[str], str]) -> bool:
    others = (_NEAR_INFRARED, _DISTANCES, _RESULTS)
    return not any(re.search(kind, _plain(name)) for kind in others) and encoding_of(name) not in _DEEP


def _says(camera: str, name: str) -> bool:
    return bool(re.search(_NAMES[camera], name.lower()))


def _plain(name: str) -> str:
    """The name in small letters, without what image_transport adds to that of the camera."""
    return re.sub(r"/(compressed|compresseddepth)$", "", name.lower())


def encoding_reader(bag: Bag, codec: Codec) -> Callable[[str], str]:
    """What tells the encoding of a topic's images by the first of them; empty where that cannot be read."""

    def encoding_of(topic: str) -> str:
        for record in bag.messages([topic]):
            try:
                message = codec.message(record)
            except Exception:  # damaged bytes make the decoder raise all there is; reading the bag tells it
                return ""
            return message.format.partition(";")[0].strip() if hasattr(message, "format") else message.encoding
        return ""

    return encoding_of


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
