"""Packs folder datasets into one zip small enough to send along: images as JPEG, labels as PNG, lists as they are.

``python benchmarks/pack_dataset.py ../shared/data/{msrs,roadscene,llvip,msrs_more,vtuav,m3fd,camvid} --out street.zip``
"""

from __future__ import annotations

import argparse
import zipfile
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from mrfs_ros.camera.image_io import read_rgb, read_thermal
from mrfs_ros.data.layouts import LAYOUTS, find_pairs


def pack(roots: list[Path], out: Path, quality: int, short_side: int) -> None:
    """Write what the lists train.txt and val.txt of each root name; images lose a little, labels nothing.

    Frames whose short side is longer than ``short_side`` [pixels] are scaled down to it. A root without thermal/ is
    packed as rgb and labels, for simulated thermal.
    """
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for root in roots:
            paired = (root / "thermal").is_dir()
            layout = LAYOUTS["folder"] if paired else replace(LAYOUTS["folder"], thermal=None)
            for split in (split for split in ("train", "val") if (root / f"{split}.txt").is_file()):
                archive.write(root / f"{split}.txt", f"{root.name}/{split}.txt")
                for pair in tqdm(find_pairs(root, layout, split), unit="frame", desc=f"{root.name} {split}"):
                    images = {"rgb": read_rgb(pair.rgb)[:, :, ::-1]}
                    if paired:
                        images["thermal"] = read_thermal(pair.thermal)
                    for kind, image in images.items():
                        content = jpeg(no_larger(image, short_side, cv2.INTER_AREA), quality)
                        archive.writestr(f"{root.name}/{kind}/{pair.name}.jpg", content)
                    if pair.label:
                        ids = no_larger(
                            cv2.imread(str(pair.label), cv2.IMREAD_UNCHANGED), short_side, cv2.INTER_NEAREST
                        )
                        archive.writestr(f"{root.name}/label/{pair.name}.png", cv2.imencode(".png", ids)[1].tobytes())
    print(f"{out}: {out.stat().st_size / 1e6:.1f} MB")


def no_larger(image: np.ndarray, short_side: int, interpolation: int) -> np.ndarray:
    """``image`` scaled down to ``short_side`` pixels where it is larger."""
    height, width = image.shape[:2]
    factor = short_side / min(height, width)
    if factor >= 1:
        return image
    return cv2.resize(image, (round(width * factor), round(height * factor)), interpolation=interpolation)


def jpeg(pixels, quality: int) -> bytes:
    """``pixels`` in OpenCV's order as JPEG."""
    return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("roots", nargs="+", type=Path, help="datasets in the folder layout")
    parser.add_argument("--out", required=True, type=Path, help="zip file to write")
    parser.add_argument("--quality", type=int, default=76, help="of the JPEG images (default: 76)")
    parser.add_argument(
        "--short-side", type=int, default=540, help="larger frames are scaled down to it, pixels (default: 540)"
    )
    arguments = parser.parse_args()
    pack(arguments.roots, arguments.out, arguments.quality, arguments.short_side)
