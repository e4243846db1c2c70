"""``mrfs fuse``: one pair or two folders of images in, fused images, masks and overlays out."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from mrfs_ros.cli.arguments import made_folder
from mrfs_ros.cli.pair_arguments import add_pair_arguments, named_pairs
from mrfs_ros.config import BACKENDS
from mrfs_ros.errors import ImageError, MrfsError

EXAMPLES = """examples:
  mrfs fuse --rgb street.jpg --thermal street_ir.jpg --out out
  mrfs fuse --rgb samples/rgb --thermal samples/thermal --out out --weights models/mfnet.pth

For each pair NAME, the folder gets NAME_fused.png (RGB), NAME_labels.png (class ids, 8 bit: looks black) and
NAME_overlay.png (fused image with class colours). Exit code 2 if any pair could not be fused.
"""


def add_parser(commands: argparse._SubParsersAction) -> argparse.ArgumentParser:
    """Add this command's parser and return it."""
    command = commands.add_parser(
        "fuse",
        help="fuse and segment image files",
        description="Fuse and segment a pair of image files, or two folders whose files pair by name (without suffix).",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_pair_arguments(command)
    command.add_argument("--backend", default="auto", choices=BACKENDS, help="what runs the network (default: auto)")
    return command


def run(arguments: argparse.Namespace) -> int:
    """Fuse every pair; a bad pair is named and the others go on."""
    pairs = named_pairs(arguments)

    from tqdm import tqdm

    from mrfs_ros.engine import load_engine
    from mrfs_ros.engine.protocol import UNTRAINED_NOTICE

    engine = load_engine(
        arguments.weights,
        arguments.device,
        arguments.backend,
        classes=arguments.classes,
        encoder_side=arguments.encoder_side,
    )
    print(f"engine: {engine.info}")
    made_folder(arguments.out)
    seconds, failures = [], 0
    for name, rgb, thermal in tqdm(pairs, unit="pair", disable=len(pairs) == 1):
        try:
            seconds.append(
                _fuse_pair(
                    engine, rgb, thermal, arguments.out / name, UNTRAINED_NOTICE if engine.info.untrained else ""
                )
            )
        except MrfsError as error:
            failures += 1
            tqdm.write(f"mrfs: error: {error}", file=sys.stderr)
    print(f"{len(seconds)} of {len(pairs)} pairs fused, results in {arguments.out}")
    if seconds:
        print(f"the engine took {sorted(seconds)[len(seconds) // 2]:.3f} s a frame (median)")
    return 2 if failures else 0


def _fuse_pair(engine, rgb: Path, thermal: Path, target: Path, notice: str) -> float:
    """Write the three images of a pair; return the seconds that the engine took."""
    from mrfs_ros.draw import overlay
    from mrfs_ros.sensing.image_files import read_rgb, read_thermal, write_png

    images = read_rgb(rgb), read_thermal(thermal)
    start = time.perf_counter()
    try:
        result = engine(*images)
    except ImageError as error:
        raise ImageError(f"{rgb} and {thermal}: {error}", error.reason) from error
    seconds = time.perf_counter() - start
    picture = overlay(result.fused, result.labels, engine.info.classes, notice=notice)
    for kind, image in (("fused", result.fused), ("labels", result.labels), ("overlay", picture)):
        write_png(target.with_name(f"{target.name}_{kind}.png"), image)
    return seconds
