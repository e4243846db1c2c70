"""Run folder of a training: its settings, metrics as they come, states to go on from, weights."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from mrfs_ros import __version__
from mrfs_ros.config import from_mapping
from mrfs_ros.errors import CheckpointError, ConfigError, needs_package
from mrfs_ros.files import atomic, write_text
from mrfs_ros.training.train_config import TrainConfig, read_yaml, to_yaml

STATE = "latest.pt"
UNITS = {"rate": "1/step", "crops_per_s": "1/s"}  # the rest are losses and shares, without unit


class RunFolder:
    """A folder with config.yaml, run.json, metrics.jsonl, latest.pt, *.safetensors and TensorBoard files."""

    def __init__(self, path: Path, config: TrainConfig, resume: bool):
        self.path = path
        _check_usable(path, resume)
        stated, record = path / "config.yaml", path / "run.json"
        if resume:
            check_same_settings(stated, config)
        else:
            try:
                path.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise ConfigError(f"{path}: cannot be made ({error.strerror}): choose another --out") from error
            write_text(stated, to_yaml(config))
            write_text(record, json.dumps(origin(), indent=1) + "\n")
        try:
            self.origin: dict[str, str] = dict(json.loads(record.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise ConfigError(f"{record}: cannot be read ({error}): delete {path} and start anew") from error
        _link_latest(path)

    def save_state(self, state: dict[str, Any]) -> None:
        """Write ``latest.pt``, whole or not at all; CheckpointError when it cannot be written."""
        path = self.path / STATE
        try:
            with atomic(path) as unfinished:
                torch.save(state, unfinished)
        except (OSError, RuntimeError) as error:  # a full disk is either
            raise CheckpointError(f"{path}: cannot be written: free space, then go on with this run") from error


class MetricsLog:
    """Numbers by step, as JSON lines (name, value, unit, step) and, if wanted, for TensorBoard."""

    def __init__(self, folder: Path, first_step: int, tensorboard: bool = True):
        self._path = folder / "metrics.jsonl"
        lines = self._path.read_text(encoding="utf-8").splitlines() if self._path.exists() else []
        # A run that was killed wrote beyond the state it goes on from; those steps will come again.
        kept = [line for line in lines if _step(line) <= first_step]
        write_text(self._path, "".join(f"{line}\n" for line in kept))
        self._board = _summary_writer(folder / "tensorboard", first_step) if tensorboard else None

    def add(self, step: int, values: dict[str, float]) -> None:
        """Log ``values`` after ``step`` steps."""
        with self._path.open("a", encoding="utf-8") as file:
            for name, value in values.items():
                unit = UNITS.get(name, "")
                file.write(json.dumps({"step": step, "name": name, "value": value, "unit": unit}) + "\n")
        if self._board:
            for name, value in values.items():
                self._board.add_scalar(name, value, step)
            self._board.flush()

    def close(self) -> None:
        if self._board:
            self._board.close()


def _step(line: str) -> float:
    """The step of a log line; infinity for one that a kill cut off."""
    try:
        return json.loads(line)["step"]
    except ValueError:
        return float("inf")


def load_state(folder: Path) -> dict[str, Any]:
    """Read ``latest.pt`` of a run folder; CheckpointError if it is damaged."""
    try:
        # To the CPU: on a GPU AdamW's step counters would stay there, and every step would wait for each of them.
        return torch.load(folder / STATE, map_location="cpu", weights_only=True)
    except Exception as error:  # damage has many types
        reason = f"{type(error).__name__}: {' '.join(str(error).partition('.')[0].split())}"
        raise CheckpointError(
            f"{folder / STATE}: cannot be read ({reason}): start a new run, its setting init may name "
            f"{folder / 'last.safetensors'}"
        ) from error


def _check_usable(path: Path, resume: bool) -> None:
    """ConfigError unless a new run can begin here, or with ``resume`` an old one go on."""
    begun, saved = (path / "config.yaml").exists(), (path / STATE).is_file()
    if resume and not saved:
        way = "delete it and " if begun else ""
        raise ConfigError(f"{path}: holds no {STATE} to go on from: {way}start without --resume")
    if begun and not resume:
        way = "go on with it by --resume" if saved else f"delete it, it ended before its first {STATE}"
        raise ConfigError(f"{path}: holds a run already: choose another --out, or {way}")


def check_same_settings(stated: Path, config: TrainConfig) -> None:
    """ConfigError unless the settings in the file ``stated`` are those of ``config``."""
    before, now = asdict(from_mapping(TrainConfig, read_yaml(stated))), asdict(config)
    if changed := [name for name in now if now[name] != before[name]]:
        raise ConfigError(
            f"{stated}: differs from the settings given in {', '.join(changed)}: a run goes on with what it began with"
        )


def origin() -> dict[str, str]:
    """Where a run comes from: command, commit, versions, hardware, date."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"CPU, {torch.get_num_threads()} threads"
    return {
        "command": " ".join(["mrfs", *sys.argv[1:]]),
        "commit": _commit(),
        "mrfs_ros": __version__,
        "torch": torch.__version__,
        "device": device,
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }


def _commit() -> str:
    """The git revision of this code, with -dirty if changed since; unknown outside a checkout."""
    folder = Path(__file__).resolve().parent
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def _link_latest(path: Path) -> None:
    path = path.resolve()  # who goes on with runs/latest means the run behind the link
    link, unfinished = path.parent / "latest", path.parent / f".latest-{os.getpid()}"
    if link.exists() and not link.is_symlink():
        return  # somebody's own folder of this name
    unfinished.unlink(missing_ok=True)
    unfinished.symlink_to(path.name)
    unfinished.replace(link)


def _summary_writer(folder: Path, first_step: int):
    with needs_package("tensorboard: true", "TensorBoard", "train"):
        from torch.utils.tensorboard import SummaryWriter
    return SummaryWriter(str(folder), purge_step=first_step + 1)
