"""``mrfs preview``: the crops that a training run would learn from, as one picture."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

from mrfs_ros.cli.named_datasets import tell_notes
from mrfs_ros.cli.options import add_options, new_parser
from mrfs_ros.files import made_folder

EXAMPLES = """examples:
  mrfs preview config/train_street.yaml --out out/crops.jpg
  mrfs preview farm.yaml --out out/crops.jpg --sheet 60 --set seed=1
"""


def add_parser(commands: argparse._SubParsersAction) -> argparse.ArgumentParser:
    """Add this command's parser and return it."""
    command = new_parser(
        commands,
        "preview",
        summary="show training crops",
        description="Draw the first crops of a training run, with simulated thermal and augmentation, as one picture.",
        examples=EXAMPLES,
    )
    command.add_argument("config", type=Path, help="YAML file of settings, as for mrfs train")
    command.add_argument("--out", required=True, type=Path, help="JPEG file to write")
    add_options(command, "--set")
    add_options(command, "--sheet", default=30)
    return command


def run(arguments: argparse.Namespace) -> int:
    """Cut, draw, write."""
    from tqdm import tqdm

    from mrfs_ros.camera.image_io import write_jpeg
    from mrfs_ros.data.scenes import training_dataset
    from mrfs_ros.training.batches import StepExamples
    from mrfs_ros.training.copied_objects import Donors
    from mrfs_ros.training.crop_sheet import preview
    from mrfs_ros.training.label_survey import survey
    from mrfs_ros.training.memory import limit_caches
    from mrfs_ros.training.train_config import load_config

    config = load_config(arguments.config, arguments.set)
    classes = config.class_set()
    datasets = [training_dataset(entry, classes) for entry in config.datasets("train")]
    tell_notes(datasets)
    print(limit_caches(datasets), flush=True)
    size, augmentation = (config.crop_height, config.crop_width), config.augmentation()
    bar = partial(tqdm, total=sum(map(len, datasets)), unit="pair", dynamic_ncols=True, file=sys.stderr, disable=None)
    objects = survey(datasets, objects=True, progress=bar).objects if augmentation.copied_objects else []
    donors = Donors(datasets, objects, augmentation.short_side)
    examples = StepExamples(datasets, size, augmentation, config.seed, config.batch_size, donors)
    made_folder(arguments.out.parent)
    write_jpeg(arguments.out, preview(examples, classes, arguments.sheet))
    print(f"{arguments.out}: {arguments.sheet} crops of {len(examples)} frames")
    return 0
