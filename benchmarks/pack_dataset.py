"""Packs folder datasets into one zip small enough to send along: images as JPEG, labels as PNG, lists as they are.

``python benchmarks/pack_dataset.py ../shared/data/msrs ../shared/data/roadscene --out street.zip``
"""

from __future__ import annotations

import argparse
import zipfile
from pathlib import Path

import cv2
from tqdm import tqdm

from mrfs_ros.data.layouts import LAYOUTS, find_pairs
from mrfs_ros.sensing.image_files import read_rgb, read_thermal


def pack(roots: list[Path], out: Path, quality: int) -> None:
    """Write the pairs that the lists train.txt and val.txt of each root name; images lose a little, labels nothing."""
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for root in roots:
            for split in ("train", "val"):
                pairs = find_pairs(root, LAYOUTS["folder"], split)
                archive.write(root / f"{split}.txt", f"{root.name}/{split}.txt")
                for pair in tqdm(pairs, unit="pair", desc=f"{root.name} {split}"):
                    name = f"{root.name}/{{}}/{pair.name}"
                    archive.writestr(name.format("rgb") + ".jpg", jpeg(read_rgb(pair.rgb)[:, :, ::-1], quality))
                    archive.writestr(name.format("thermal") + ".jpg", jpeg(read_thermal(pair.thermal), quality))
                    if pair.label:
                        archive.write(pair.label, name.format("label") + ".png")
    print(f"{out}: {out.stat().st_size / 1e6:.1f} MB")


def jpeg(pixels, quality: int) -> bytes:
    """``pixels`` in OpenCV's order as JPEG."""
    return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("roots", nargs="+", type=Path, help="datasets in the folder layout")
    parser.add_argument("--out", required=True, type=Path, help="zip file to write")
    parser.add_argument("--quality", type=int, default=88, help="of the JPEG images (default: 88)")
    arguments = parser.parse_args()
    pack(arguments.roots, arguments.out, arguments.quality)
