"""``mrfs fuse``: one pair or two folders of images in, fused images, masks and overlays out."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from mrfs_ros.cli.arguments import made_folder
from mrfs_ros.config import BACKENDS
from mrfs_ros.data.layouts import images_in
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
    command.add_argument("--rgb", required=True, type=Path, help="colour image, or folder of them")
    command.add_argument("--thermal", required=True, type=Path, help="8-bit thermal image, or folder of them")
    command.add_argument("--out", required=True, type=Path, help="folder for the results, made if missing")
    command.add_argument("--weights", default="", help="weights file; default: the model that comes along")
    command.add_argument("--classes", default="", help="class set by name (MFNet, MSRS, FMB, PST900)")
    command.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N (default: auto)")
    command.add_argument("--backend", default="auto", choices=BACKENDS, help="what runs the network (default: auto)")
    return command


def run(arguments: argparse.Namespace) -> int:
    """Fuse every pair; a bad pair is named and the others go on."""
    pairs, unpaired = find_pairs(arguments.rgb, arguments.thermal)
    for path in unpaired:
        print(f"mrfs: warning: {path}: left out, no image of this name in the other folder", file=sys.stderr)

    from tqdm import tqdm

    from mrfs_ros.engine import load_engine
    from mrfs_ros.engine.protocol import UNTRAINED_NOTICE

    engine = load_engine(arguments.weights, arguments.device, arguments.backend, classes=arguments.classes)
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


def find_pairs(rgb: Path, thermal: Path) -> tuple[list[tuple[str, Path, Path]], list[Path]]:
    """Return ((name, rgb file, thermal file), ...) sorted by name, and the files without a partner.

    ImageError when a path is missing, one is a folder and the other a file, or no names pair.
    """
    for path in (rgb, thermal):
        if not path.exists():
            raise ImageError(f"{path}: no such file or folder")
    if rgb.is_dir() != thermal.is_dir():
        raise ImageError(f"--rgb {rgb} and --thermal {thermal}: expected two files or two folders, got one of each")
    if not rgb.is_dir():
        return [(rgb.stem, rgb, thermal)], []
    rgbs, thermals = images_in(rgb), images_in(thermal)
    names = sorted(rgbs.keys() & thermals.keys())
    if not names:
        raise ImageError(
            f"no pairs: {rgb} has {len(rgbs)} images{_first(rgbs)}, {thermal} has {len(thermals)}{_first(thermals)}, "
            "and no name (without suffix) is in both"
        )
    unpaired = [folder[name] for folder in (rgbs, thermals) for name in sorted(folder.keys() - set(names))]
    return [(name, rgbs[name], thermals[name]) for name in names], unpaired


def _first(images: dict[str, Path]) -> str:
    return f" (such as {next(iter(images.values())).name})" if images else ""


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
