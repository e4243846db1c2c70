"""The frames that ``mrfs calibrate`` works on: of two folders or of a bag."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mrfs_ros.cli.image_pairs import named_pairs
from mrfs_ros.cli.params_file import node_config
from mrfs_ros.errors import ConfigError


@contextmanager
def bar(text: str) -> Iterator:
    """A progress bar; gives what a calibration calls with (done, total)."""
    from tqdm import tqdm

    with tqdm(desc=text, dynamic_ncols=True, leave=False) as shown:

        def show(done: int, total: int) -> None:
            shown.total = total
            shown.update(done - shown.n)

        yield show


def read_pairs(arguments: argparse.Namespace) -> tuple[list, str]:
    """The pairs of arrays to calibrate with, and where they are from."""
    if arguments.bag is not None:
        return _bag_pairs(arguments), arguments.bag.name
    files = named_pairs(arguments)

    from mrfs_ros.data.pair_files import read_pair

    found = files.pairs[:: arguments.every]
    chosen = found[:: -(-len(found) // arguments.max_pairs)]  # spread over the folder: neighbours look alike
    limit = node_config(arguments).max_image_pixels
    return [read_pair(rgb, thermal, limit) for _, rgb, thermal in chosen], f"{len(chosen)} pairs of files"


def _bag_pairs(arguments: argparse.Namespace) -> list:
    with open_frames(arguments, arguments.bag) as frames, bar("read") as show:
        pairs = []
        for pair in frames.pairs(arguments.max_pairs, arguments.every):
            pairs.append(pair)
            show(len(pairs), arguments.max_pairs)
        tell_losses(frames)
    if not pairs:
        raise ConfigError(
            f"{arguments.bag}: no pairs of {frames.rgb_topic} and {frames.thermal_topic}: allow more time between "
            "their stamps (--slop), or find the offset of the clocks first (--time)"
        )
    return pairs


def open_frames(arguments: argparse.Namespace, bag: Path):
    """The ``CameraFrames`` of a bag, by the command line's topics, times and pairing."""
    from mrfs_ros.bag.reading.camera_frames import CameraFrames, FrameSettings

    settings = FrameSettings(
        rgb_topic=arguments.rgb_topic,
        thermal_topic=arguments.thermal_topic,
        begin_s=arguments.start_s,
        end_s=arguments.end_s,
        node=node_config(arguments),
    )
    frames = CameraFrames(bag, settings)
    print(f"{bag}: rgb from {frames.rgb_topic}, thermal from {frames.thermal_topic}")
    return frames


def tell_losses(frames) -> None:
    """Print what was assumed of the frames, and which could not be used."""
    for event in frames.events:
        print(f"mrfs: {event}", file=sys.stderr)
    for reason, example in frames.examples.items():
        print(f"mrfs: {frames.skipped[reason]} images skipped ({reason}): {example}", file=sys.stderr)
    for loss in frames.damage:
        print(f"mrfs: {loss}", file=sys.stderr)
