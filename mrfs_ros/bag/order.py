"""What a run was asked for, so that only the same run goes on where it was killed."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from mrfs_ros import __version__
from mrfs_ros.bag.plan import Plan
from mrfs_ros.bag.settings import BagSettings
from mrfs_ros.bag.sinks.protocol import working_path
from mrfs_ros.engine.protocol import EngineInfo
from mrfs_ros.errors import ConfigError

_OF_NO_EFFECT = ("workers", "batch", "node")  # on the results; of the node only these have one:
_OF_THE_NODE = (
    "slop_s", "sync_queue_size", "thermal_time_offset_s", "on_missing", "missing_timeout_s", "reference_camera",
    "overlay_opacity",
)  # fmt: skip


def check_targets(settings: BagSettings) -> None:
    """ConfigError when nothing is asked for, twice the same, or a result is there already and not from this run."""
    targets = settings.targets()
    if not targets and settings.rerun != "live":
        raise ConfigError("no result is asked for: name a bag (--out), --video, --frames, --csv, --report or --rerun")
    paths = {target.resolve() for target in [*targets, Path(settings.source)]}
    if len(paths) <= len(targets):
        raise ConfigError(f"source and results must differ, got {', '.join(map(str, [settings.source, *targets]))}")
    there = [target for target in targets if target.exists()]
    if there and not journal_path(settings).exists():
        raise ConfigError(f"{there[0]}: exists already: remove it or name another")


def journal_path(settings: BagSettings) -> Path | None:
    """Where the diary of the run lies: beside its first result; None if it has none."""
    targets = settings.targets()
    return working_path(targets[0]).with_name(working_path(targets[0]).name + ".jsonl") if targets else None


def order_of(settings: BagSettings, plan: Plan, info: EngineInfo) -> dict[str, Any]:
    """Everything that the results depend on, by name."""
    asked = {name: value for name, value in asdict(settings).items() if name not in _OF_NO_EFFECT}
    source = Path(settings.source)
    files = [source] if source.is_file() else sorted(file for file in source.iterdir() if file.is_file())
    return {
        **asked,
        **{name: getattr(settings.node, name) for name in _OF_THE_NODE},
        "copy": sorted(plan.copied),
        "source files": [[file.name, file.stat().st_size] for file in files],
        "weights": info.sha256 or str(info),
        "classes": list(info.classes.names),
        "mrfs_ros": __version__,
    }


def facts_of(settings: BagSettings, info: EngineInfo) -> dict[str, str]:
    """What a reader of the results should know."""
    return {
        "mrfs_source": Path(settings.source).name,
        "mrfs_network": str(info),
        "mrfs_classes": ",".join(info.classes.names),
        "mrfs_version": __version__,
    }
