"""The options that name datasets, and the datasets that they name: one by --root, or those of a configuration."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from mrfs_ros.cli.options import add_options
from mrfs_ros.errors import ConfigError

# Of a DatasetConfig, in place of its own.
_SETTINGS = ("rgb_name", "thermal_name", "label_name", "calibration", "max_image_pixels")


def add_dataset_options(command: argparse.ArgumentParser, purpose: str) -> None:
    """Add config, --root, --layout, --split, --rgb-name, --thermal-name, --max-image-pixels, --calibration.

    ``purpose``: what is done with the datasets ("scored").
    """
    command.add_argument(
        "config", nargs="?", type=Path, help=f"training configuration whose val datasets are {purpose}"
    )
    add_options(command, "--root", "--layout", "--split", "--rgb-name", "--thermal-name", "--calibration")
    add_options(command, "--max-image-pixels", default=None)


def named_datasets(arguments: argparse.Namespace, classes) -> dict:
    """Name -> PairDataset; ConfigError unless there is a configuration or --root, one of them.

    ``classes``: the ClassSet of the labels, None to leave them unread.
    """
    from mrfs_ros.data.dataset import DatasetConfig, PairDataset, by_name
    from mrfs_ros.training.train_config import load_config

    if bool(arguments.config) == bool(arguments.root):
        raise ConfigError("expected a training configuration or --root FOLDER, one of them")
    if arguments.root:
        split = arguments.split or ("all" if arguments.layout == "folder" else "test")
        configs = [DatasetConfig(root=arguments.root, layout=arguments.layout, split=split)]
    else:
        configs = load_config(arguments.config).datasets("val")
        if not configs:
            raise ConfigError(f"{arguments.config}: names no val datasets: expected at least one")
    given = {name: value for name in _SETTINGS if (value := getattr(arguments, name, ""))}
    datasets = by_name([PairDataset(replace(config, cache=False, **given), classes) for config in configs])
    tell_notes(datasets.values())
    return datasets


def tell_notes(datasets: Iterable) -> None:
    """Print what a user should know of how the files of ``datasets`` were found, each line once."""
    for note in dict.fromkeys(note for dataset in datasets for note in dataset.notes):
        print(note)
