"""Configuration of a run, its fingerprint: only the same run goes on where it was killed; noted in the results too."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

from mrfs_ros import __version__
from mrfs_ros.bag.plan import Plan
from mrfs_ros.bag.reading.bag_pairs import PairReader
from mrfs_ros.bag.reading.bag_reader import files_of
from mrfs_ros.bag.settings import HEADER, LIVE, BagSettings
from mrfs_ros.bag.writing.result_writer import working_path
from mrfs_ros.engine.protocol import UNTRAINED_NOTICE, EngineInfo
from mrfs_ros.errors import ConfigError

_OF_NO_EFFECT = ("workers", "batch", "segment_s", "node")  # on the results; of the node only these have one:
_OF_THE_NODE = (
    "slop_s", "sync_queue_size", "thermal_time_offset_s", "on_missing", "missing_timeout_s", "reference_camera",
    "overlay_opacity", "thermal_window", "thermal_unit", "thermal_scale", "thermal_offset", "thermal_low",
    "thermal_high", "thermal_percentile", "thermal_plateau", "thermal_rate", "thermal_invert", "plane_distance_m",
    "encoder_side", "max_image_pixels", "temporal_smoothing", "min_confidence", "jpeg_quality",
    "object_classes", "min_object_area",
)  # fmt: skip


def check_targets(settings: BagSettings) -> None:
    """ConfigError when nothing is asked for, twice the same, or a result is there already and not from this run."""
    targets = settings.targets()
    if not targets and settings.rerun != LIVE:
        raise ConfigError(
            "no result is asked for: name at least one of --out, --video, --frames, --pairs, --csv, --objects, "
            "--report, --rerun"
        )
    try:
        _check_apart(settings.sources(), targets)
        there = [target for target in targets if target.exists()]
        if there and not journal_path(settings).exists():
            raise ConfigError(f"{there[0]}: exists already: remove it or name another")
    except OSError as error:  # a name that is too long, for example
        raise ConfigError(f"{error.filename or targets[0]}: {error.strerror}: name another") from error


def _check_apart(sources: list[Path], targets: list[Path]) -> None:
    """ConfigError when two of sources and results are one, or one lies in another or in its working files."""
    for path in targets:
        if not path.name:
            raise ConfigError(f"{path}: is no name for a result: name a file or folder to make")
    taken = [(path, path.resolve()) for path in (*sources, *targets)]
    taken += [(path, place.resolve()) for path in targets for place in (working_path(path), _journal(path))]
    for number, path in enumerate((*sources, *targets)):
        for other, place in taken[len(sources) if number < len(sources) else 0 :]:  # bags may lie side by side
            if other is not path and (path.resolve() == place or place in path.resolve().parents):
                raise ConfigError(f"source and results must be apart, but {path} is or lies in {other}")


def journal_path(settings: BagSettings) -> Path | None:
    """Where the journal of the run lies: beside its first result; None if it has none."""
    targets = settings.targets()
    return _journal(targets[0]) if targets else None


def _journal(target: Path) -> Path:
    return target.with_name(working_path(target).name + ".journal")


def configuration_of(settings: BagSettings, plan: Plan, info: EngineInfo) -> dict[str, Any]:
    """Everything that the results depend on, by name."""
    files = [file for source in settings.sources() for file in files_of(source)]
    return {
        **requested_of(settings),
        "copy": sorted(plan.copied),
        "source files": [[file.name, file.stat().st_size] for file in files],
        "weights": info.sha256 or str(info),
        "classes": list(info.classes.names),
        "mrfs_ros": __version__,
    }


def requested_of(settings: BagSettings) -> dict[str, Any]:
    """The settings that the results depend on, by name; bag and network not looked at yet."""
    asked = {name: value for name, value in asdict(settings).items() if name not in _OF_NO_EFFECT}
    chosen = {name: getattr(settings.node, name) for name in _OF_THE_NODE}
    files = {name: getattr(settings.node, name) for name in ("calibration", "label_groups")}
    for name, file in files.items():
        if file and Path(file).is_file():
            files[name] = sha256(Path(file).read_bytes()).hexdigest()
    return {**asked, **chosen, **files}


def facts_of(settings: BagSettings, info: EngineInfo) -> dict[str, str]:
    """What a reader of the results should know."""
    return {
        "mrfs_source": ",".join(source.name for source in settings.sources()),
        "mrfs_network": str(info),
        "mrfs_classes": ",".join(info.classes.names),
        "mrfs_version": __version__,
    }


def report_facts(
    settings: BagSettings, plan: Plan, info: EngineInfo, reader: PairReader, damage: Iterable[str]
) -> dict[str, str]:
    """What the web page says of a run, in the order of reading; ``bag`` is its heading."""
    skipped = reader.skipped
    times = "stamps" if settings.stamp == HEADER else "times of recording"
    every = f", one in {settings.every}" if settings.every > 1 else ""
    facts = {
        "bag": " and ".join(source.name for source in settings.sources()),
        "path": ", ".join(map(str, settings.sources())),
        "rgb topic": plan.rgb_topic,
        "thermal topic": plan.thermal_topic,
        "pairs": f"{times} less than {settings.node.slop_s:g} s apart{every}",
        "images skipped": ", ".join(f"{reason} {count}" for reason, count in sorted(skipped.items())),
        "without a partner": (reader.left.loss or str(reader.left)).removeprefix("images without a partner: "),
        "not well paired": reader.apart,
        "not readable": "; ".join(damage),
        "network": f"{info.variant}, {len(info.classes)} classes ({info.classes.name})",
        "weights": info.weights or UNTRAINED_NOTICE,
        "weights sha256": info.sha256,
        "encoder side": str(info.encoder_side),
        "backend": f"{info.backend} ({info.detail})" if info.detail else info.backend,
        "device": info.device,
        "versions": f"mrfs_ros {__version__}, Python {platform.python_version()}, {platform.platform()}",
    }
    return {name: fact for name, fact in facts.items() if fact}
