"""``mrfs fuse``: one pair or two folders of images in, fused images, masks and overlays out."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from mrfs_ros.cli.image_pairs import INCOMPLETE, add_pair_options, named_pairs
from mrfs_ros.cli.options import add_options, new_parser
from mrfs_ros.errors import ImageError, MrfsError
from mrfs_ros.files import made_folder

EXAMPLES = """examples:
  mrfs fuse --rgb street.jpg --thermal street_ir.jpg --out out
  mrfs fuse --rgb samples/rgb --thermal samples/thermal --out out --weights models/mfnet.pth
  mrfs fuse --rgb flir/rgb --thermal flir/ir --calibration camera.yaml --out out     # cameras that are not aligned
  mrfs fuse --rgb all --thermal all --rgb-name '{}_rgb' --thermal-name '{}_ir' --out out

Files pair by name: the same names, or names that differ by one constant end (1_rgb and 1_ir, rgb_1 and thermal_1),
which is said. For each pair NAME, the folder gets NAME_fused.png (RGB), NAME_labels.png (class ids, 8 bit: looks black)
and NAME_overlay.png (fused image with class colours). A file of four channels, or a folder of them, may be given as
both: thermal is the fourth. Exit code 2 if any pair could not be fused, 3 if images have no partner (the others are
fused).
"""


def add_parser(commands: argparse._SubParsersAction) -> argparse.ArgumentParser:
    """Add this command's parser and return it."""
    command = new_parser(
        commands,
        "fuse",
        summary="fuse and segment image files",
        description="Fuse and segment a pair of image files, or two folders whose files pair by name.",
        examples=EXAMPLES,
    )
    add_pair_options(command)
    add_options(command, "--backend", "--label-groups")
    return command


def run(arguments: argparse.Namespace) -> int:
    """Fuse every pair; a bad pair is named and the others go on."""
    found = named_pairs(arguments)
    pairs = found.pairs

    from tqdm import tqdm

    from mrfs_ros.engine import load_engine
    from mrfs_ros.geometry.registration import load_registration

    registration = load_registration(arguments.calibration)
    engine = load_engine(
        arguments.weights,
        arguments.device,
        arguments.backend,
        classes=arguments.classes,
        encoder_side=arguments.encoder_side,
        label_groups=arguments.label_groups,
    )
    print(f"engine: {engine.info}")
    made_folder(arguments.out)
    seconds, failures, limit = [], 0, arguments.max_image_pixels
    for name, rgb, thermal in tqdm(pairs, unit="pair", disable=len(pairs) == 1):
        try:
            seconds.append(_fuse_pair(engine, registration, rgb, thermal, arguments.out / name, limit))
        except MrfsError as error:
            failures += 1
            tqdm.write(f"mrfs: error: {error}", file=sys.stderr)
    print(f"{len(seconds)} of {len(pairs)} pairs fused, results in {arguments.out}")
    if found.losses:
        print(found.losses)
    if seconds:
        print(f"the engine took {sorted(seconds)[len(seconds) // 2]:.3f} s a frame (median)")
    if failures:
        return 2
    return INCOMPLETE if found.losses else 0


def _fuse_pair(engine, registration, rgb: Path, thermal: Path, target: Path, max_pixels: int) -> float:
    """Write the three images of a pair; return the seconds that the engine took."""
    from mrfs_ros.camera.image_io import write_png
    from mrfs_ros.data.pair_files import read_pair
    from mrfs_ros.draw import overlay
    from mrfs_ros.engine.protocol import UNTRAINED_NOTICE
    from mrfs_ros.preprocess import PairImages
    from mrfs_ros.process import process_pairs

    pixels, grey = read_pair(rgb, thermal, max_pixels)
    try:
        pair = PairImages(pixels, *registration.prepared(grey, pixels.shape[:2]))
        start = time.perf_counter()
        [(_, result)] = process_pairs(engine, [pair])
    except ImageError as error:
        raise ImageError(f"{rgb} and {thermal}: {error}", error.reason) from error
    seconds = time.perf_counter() - start
    notice = UNTRAINED_NOTICE if engine.info.untrained else ""
    picture = overlay(result.fused, result.labels, engine.info.classes, notice=notice)
    for kind, image in (("fused", result.fused), ("labels", result.labels), ("overlay", picture)):
        write_png(target.with_name(f"{target.name}_{kind}.png"), image)
    return seconds
