"""The options that name a pair of image files or two folders of them, and the pairs that they name."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

from mrfs_ros.cli.options import add_network_options, add_options
from mrfs_ros.data.layouts import images_in, unread_in
from mrfs_ros.data.names import camera_patterns, partners
from mrfs_ros.data.video_files import check_no_video
from mrfs_ros.errors import ImageError

INCOMPLETE = 3
"""Exit code when all that was done went well, but some of the input had to be left out."""


@dataclass(frozen=True)
class FilePairs:
    """``pairs``: (name, rgb file, thermal file), sorted by name. ``left``: camera -> its files without a partner.

    ``rule``: how names were matched, "" = they are the same. ``unread``: what is said of files that are no images.
    """

    pairs: list[tuple[str, Path, Path]]
    left: dict[str, list[Path]]
    rule: str = ""
    unread: tuple[str, ...] = ()

    @property
    def losses(self) -> str:
        """How many images have no partner, and files are not read, for people; "" if none."""
        parts = [
            f"{len(paths)} {camera} images (such as {paths[0].name})" for camera, paths in self.left.items() if paths
        ]
        alone = [f"without a partner in the other folder, left out: {', '.join(parts)}"] if parts else []
        return "; ".join([*alone, *self.unread])


def add_pair_options(command: argparse.ArgumentParser) -> None:
    """Add --rgb, --thermal, --out, how they pair, and the network."""
    add_options(command, "--rgb", "--thermal", required=True)
    add_options(command, "--rgb-name", "--thermal-name", "--max-image-pixels", "--calibration")
    command.add_argument("--out", required=True, type=Path, help="folder for the results, made if missing")
    add_network_options(command)


def named_pairs(arguments: argparse.Namespace) -> FilePairs:
    """The pairs of the command line; how names were matched and what is left out is told. Errors: ``find_pairs``."""
    found = find_pairs(arguments.rgb, arguments.thermal, arguments.rgb_name, arguments.thermal_name)
    if found.rule:
        print(f"paired by their names: {found.rule}")
    if found.losses:
        print(f"mrfs: warning: {found.losses}", file=sys.stderr)
    return found


def find_pairs(rgb: Path, thermal: Path, rgb_name: str = "", thermal_name: str = "") -> FilePairs:
    """The pairs of two files, or of two folders by the names of their files (``partners``).

    ``rgb_name``, ``thermal_name``: patterns of the names, "" = to be found. ImageError when a path is missing, one is
    a folder and the other a file, or no names pair; ConfigError for a pattern that is none.
    """
    for path in (rgb, thermal):
        if not path.exists():
            raise ImageError(f"{path}: no such file or folder")
        check_no_video(path)
    if rgb.is_dir() != thermal.is_dir():
        raise ImageError(f"--rgb {rgb} and --thermal {thermal}: expected two files or two folders, got one of each")
    if not rgb.is_dir():
        return FilePairs([(rgb.stem, rgb, thermal)], {})
    same = rgb.samefile(thermal)  # then a pattern says which files are a camera's
    if same and not (rgb_name or thermal_name):
        rgb_name, thermal_name = camera_patterns(images_in(rgb)) or ("", "")
    rgbs, thermals = images_in(rgb, rgb_name if same else ""), images_in(thermal, thermal_name if same else "")
    found = partners(rgbs, thermals, rgb_name, thermal_name, options="--rgb-name, --thermal-name")
    if not found.of:
        how = f" by {found.rule}" if found.rule else ""
        raise ImageError(
            f"no pairs{how}: {rgb} has {len(rgbs)} images{_first(rgbs)}, {thermal} has {len(thermals)}"
            f"{_first(thermals)}: expected the same names (without suffix) in both, or names that differ by one "
            "constant end; otherwise say how they differ by --rgb-name and --thermal-name, such as '{}_RGB'"
        )
    pairs = sorted((common, rgbs[name], thermals[other]) for name, (common, other) in found.of.items())
    used = {other for _, other in found.of.values()}
    left = {
        "rgb": [path for name, path in rgbs.items() if name not in found.of],
        "thermal": [path for name, path in thermals.items() if name not in used],
    }
    unread = filter(None, map(unread_in, (rgb,) if same else (rgb, thermal)))
    return FilePairs(pairs, left, found.rule, tuple(unread))


def _first(images: dict[str, Path]) -> str:
    return f" (such as {next(iter(images.values())).name})" if images else ""
