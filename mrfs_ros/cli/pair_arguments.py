"""The options that name a pair of image files or two folders of them, and the pairs that they name."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mrfs_ros.cli.arguments import add_encoder_side
from mrfs_ros.data.layouts import images_in
from mrfs_ros.errors import ImageError


def add_pair_arguments(command: argparse.ArgumentParser) -> None:
    """Add --rgb, --thermal, --out, and the network by --weights, --classes, --device and --encoder-side."""
    command.add_argument("--rgb", required=True, type=Path, help="colour image, or folder of them")
    command.add_argument("--thermal", required=True, type=Path, help="8-bit thermal image, or folder of them")
    command.add_argument("--out", required=True, type=Path, help="folder for the results, made if missing")
    command.add_argument("--weights", default="", help="weights file; default: the model that comes along")
    command.add_argument("--classes", default="", help="class set by name (MFNet, MSRS, FMB, PST900)")
    command.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N (default: auto)")
    add_encoder_side(command)


def named_pairs(arguments: argparse.Namespace) -> list[tuple[str, Path, Path]]:
    """(name, rgb file, thermal file) of each pair; files without a partner are told. Errors as for ``find_pairs``."""
    pairs, unpaired = find_pairs(arguments.rgb, arguments.thermal)
    for path in unpaired:
        print(f"mrfs: warning: {path}: left out, no image of this name in the other folder", file=sys.stderr)
    return pairs


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
