"""Settings of a run over one bag, with every default."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from mrfs_ros.config import CONFIDENT_OUTPUTS, OUTPUTS, THERMAL_OUTPUTS, NodeConfig, check_settings, setting
from mrfs_ros.errors import ConfigError

LIVE = "live"
HEADER, RECORDED = "header", "recorded"  # the times that pair images
STAMPS = (HEADER, RECORDED)
STORAGES = ("mcap", "sqlite3")


@dataclass(frozen=True, kw_only=True)
class BagSettings:
    """One bag in (or several that are read as one), any number of results out; an empty path leaves that result out."""

    source: str = setting("", "Bag: rosbag2 folder, .mcap, .db3 or ROS 1 .bag.")
    more: tuple[str, ...] = ()  # bags that are read together with it, such as the other camera's
    out: str = setting("", "rosbag2 folder to make.")
    video: str = setting("", "MP4 file to make.")
    frames: str = setting("", "Folder to make, with fused image, labels and overlay of each pair as PNG.")
    pairs: str = setting("", "Folder to make, with the pairs as the network got them, to label and train on.")
    csv: str = setting("", "Table to make: a line for each pair.")
    report: str = setting("", "Web page to make, one file.")
    objects: str = setting("", "Table of the objects to make, .csv or .json: class, box, area, score, temperatures.")
    rerun: str = setting("", "Rerun recording (.rrd) to make, or live: to a viewer that runs on this machine.")
    rgb_topic: str = setting("", "Topic of the colour images; empty = found by type and name.")
    thermal_topic: str = setting("", "Topic of the thermal images; empty = found by type and name.")
    start_s: float = setting(0.0, "Begin so long after the bag's first message [s].", low=0.0, high=1e9)
    end_s: float = setting(0.0, "End so long after the bag's first message [s]; 0 = at its end.", low=0.0, high=1e9)
    stamp: str = setting(
        HEADER,
        "What pairs images: header = their own stamps, as in the node; recorded = when they were recorded, for clocks "
        "that differ.",
        choices=STAMPS,
    )
    every: int = setting(1, "Take every n-th pair.", low=1, high=10**9)
    batch: int = setting(1, "Pairs that the engine gets at once.", low=1, high=256)
    workers: int = setting(2, "Threads that decode and encode.", low=1, high=64)
    overlay: bool = setting(False, "Put the overlay into the bag too.")
    outputs: tuple[str, ...] = ()  # of the node, more of them in the bag
    compressed: bool = setting(False, "Fused and overlay as JPEG, segmentation as PNG, in the bag.")
    copy: tuple[str, ...] = ()  # topics that the bag out gets as they are
    storage: str = setting("mcap", "Kind of the bag out.", choices=STORAGES)
    metrics: str = setting(
        "basic", "Of the table: basic = EN, SD, SF, AG of the fused image; all = every fusion metric (slow).",
        choices=("basic", "all"),
    )  # fmt: skip
    segment_s: float = setting(
        30.0, "So often results are brought to the disk: what a kill or a power cut costs [s].", low=0.0, high=1e6
    )
    node: NodeConfig = field(default_factory=NodeConfig)  # pairing and network, as on the robot

    def __post_init__(self) -> None:
        check_settings(self)
        if unknown := [name for name in self.outputs if name not in OUTPUTS]:
            raise ConfigError(f"outputs: expected some of {', '.join(OUTPUTS)}, got {', '.join(unknown)}")
        if self.objects and Path(self.objects).suffix not in (".csv", ".json"):
            raise ConfigError(f"objects: expected a file that ends in .csv or .json, got {self.objects}")
        if self.end_s and self.end_s <= self.start_s:
            raise ConfigError(f"end_s: expected more than start_s ({self.start_s:g} s), got {self.end_s:g} s")

    def sources(self) -> list[Path]:
        """The bags that are read as one."""
        return [Path(self.source), *map(Path, self.more)]

    def outputs_in_bag(self) -> tuple[str, ...]:
        """Names of ``OUTPUTS`` that the bag out holds, the fused image last."""
        first = ("segmentation", *(["overlay"] if self.overlay else []), "fused")
        if self.compressed:
            first = tuple(f"{name}/compressed" for name in first)
        more = (name for name in OUTPUTS if name in self.outputs and name not in first)
        return (*first[:-1], *more, first[-1])

    @property
    def want_confidence(self) -> bool:
        """Is there a result that needs the confidence of the classes?"""
        return bool(self.objects) or any(name in CONFIDENT_OUTPUTS for name in self.outputs)

    @property
    def want_celsius(self) -> bool:
        """Is there a result that needs the thermal image in degrees Celsius?"""
        return bool(self.objects) or any(name in THERMAL_OUTPUTS for name in self.outputs)

    def targets(self) -> list[Path]:
        """The results asked for, the one that the journal of the run lies beside first."""
        rerun = "" if self.rerun == LIVE else self.rerun
        asked = (self.out, self.video, self.frames, self.pairs, self.csv, self.objects, self.report, rerun)
        return [Path(target) for target in asked if target]
