"""The text that tells a user why no pair comes and what to change."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from mrfs_ros.pairing.stamp_advice import stamp_advice
from mrfs_ros.ros.dds import profile_variable

TRANSPORT_TYPES = {"raw": "sensor_msgs/msg/Image", "compressed": "sensor_msgs/msg/CompressedImage"}


@dataclass(frozen=True)
class InputReport:
    """What is known of one input: ``publishers`` holds each one's reliability, BEST_EFFORT or RELIABLE.

    ``kind`` is the message type asked for, ``others`` are those of publishers on the topic that have another.
    """

    name: str
    topic: str
    received: int
    rate_hz: float
    silent: bool  # no image for long
    publishers: tuple[str, ...]
    asks_reliable: bool
    alternatives: tuple[str, ...] = ()  # other topics of the same type that somebody publishes
    kind: str = ""
    others: tuple[str, ...] = ()


class Explanation(NamedTuple):
    """What is known, and what to change."""

    facts: str
    advice: str

    def __str__(self) -> str:
        return self.facts + self.advice

    def cause(self) -> str:
        """The advice without its numbers: equal as long as the reason stays the same."""
        return re.sub(r"[-\d.]+", "", self.advice)


def explain_no_pairs(
    inputs: tuple[InputReport, InputReport],
    *,
    silence_s: float,
    best_gap_s: float | None,
    slop_s: float,
    refused: str = "",
    clock_stands: bool = False,
) -> Explanation:
    """Return why no pair came for ``silence_s`` seconds: per input what is known, then what to change.

    ``best_gap_s``: thermal minus rgb stamp of the nearest two, None if none could be compared.
    ``refused``: why images could not be used since the last pair.
    ``clock_stands``: use_sim_time is on and nobody publishes /clock.
    """
    facts = "; ".join(
        f"{i.topic}: {i.received} images, {i.rate_hz:.1f} Hz, publishers: {', '.join(i.publishers) or _none(i)}"
        for i in inputs
    )
    advice = [text for i in inputs if (text := _advice(i))]
    if clock_stands:
        advice.append("use_sim_time is on but /clock is silent: play the bag with --clock or set use_sim_time: false")
    if refused:
        advice.append(f"Images come but cannot be used: {refused}")
    if not advice and best_gap_s is not None:
        advice.append(_gap_advice(best_gap_s, slop_s))
    advice = advice or ["Both inputs come; waiting for a pair"]
    return Explanation(f"no pair for {silence_s:.0f} s. {facts}. ", ". ".join(advice))


def _none(i: InputReport) -> str:
    return f"none of {i.kind}, but of {', '.join(i.others)}" if i.others else "none"


def _advice(i: InputReport) -> str:
    if i.others and not i.publishers and not i.received:
        return _type_advice(i)
    if not i.publishers:
        hint = f"; {', '.join(i.alternatives)} is published: remap with {i.name}_topic:=..." if i.alternatives else ""
        return f"Nobody publishes {i.topic}: start the {i.name} camera{hint}"
    if i.received and i.silent:
        return f"{i.topic} fell silent: look at the {i.name} camera"
    if i.received:
        return ""
    if i.asks_reliable and "BEST_EFFORT" in i.publishers:
        return f"{i.topic} is offered BEST_EFFORT but input_qos asks for RELIABLE: set input_qos: sensor_data"
    return (
        f"{i.topic} has a publisher but no image arrives: if it sends large images over Fast DDS, set "
        f"{profile_variable()} to this package's config/fastdds.xml for publisher and node"
    )


def _type_advice(i: InputReport) -> str:
    """Both types, and the transport or the topic that fits."""
    asks = next((name for name, kind in TRANSPORT_TYPES.items() if kind == i.kind), "")
    ways = [f"set {i.name}_transport: {name}" for name, kind in TRANSPORT_TYPES.items() if kind in i.others]
    if i.alternatives:
        ways.append(f"remap {i.name}/image to {' or '.join(i.alternatives)}")
    return f"{i.topic} carries {', '.join(i.others)}, but {i.name}_transport: {asks} asks for {i.kind}: " + (
        ", or ".join(ways) or f"remap {i.name}/image to the camera's images; nobody publishes {i.kind}"
    )


def _gap_advice(gap_s: float, slop_s: float) -> str:
    if abs(gap_s) < slop_s:
        return "Both inputs come with matching stamps; waiting for the next pair"
    return stamp_advice(gap_s, slop_s)
