"""A folder of fused images that another method made, as a method to compare with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mrfs_ros.camera.image_io import read_picture
from mrfs_ros.data.dataset import DatasetPair
from mrfs_ros.data.layouts import images_in
from mrfs_ros.errors import ConfigError, ImageError, some
from mrfs_ros.studies.generalization import Frame, Method


def given_method(name: str, folder: Path, frames: Sequence[Frame]) -> Method:
    """The method ``name`` whose outputs lie in ``folder``, one image with the name of each pair, grey or colour.

    ConfigError when there is no such folder, or two datasets have pairs of one name; ImageError when images are
    missing (counted, some named), and from ``fuse`` for one of another size than its pair.
    """
    if not folder.is_dir():
        raise ConfigError(f"--fused {name}={folder}: expected a folder of fused images, there is none")
    shared = [pair for pair, count in Counter(frame.name for frame in frames).items() if count > 1]
    if shared:
        raise ConfigError(
            f"--fused {name}={folder}: the datasets share the pair names {some(shared)}: give one dataset by --root"
        )
    files = images_in(folder)
    missing = [frame.name for frame in frames if frame.name not in files]
    if missing:
        raise ImageError(
            f"{folder}: expected {name}'s fused image of each of {len(frames)} pairs, "
            f"{len(missing)} are missing: {some(missing)}"
        )

    def fuse(pair: DatasetPair) -> np.ndarray:
        image = read_picture(files[pair.name])
        if image.shape[:2] != pair.thermal.shape:
            own, wanted = ("x".join(map(str, size)) for size in (image.shape[:2], pair.thermal.shape))
            raise ImageError(f"{files[pair.name]}: is {own} (HxW), but the pair is {wanted}: fuse pairs of this size")
        return image

    return Method(name, "given", fuse)
