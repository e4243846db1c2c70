"""How well ``mrfs calibrate`` finds known warps of real frames: ``benchmarks/calibration.py FOLDER:PREFIX ...``.

    python benchmarks/calibration.py samples:19 samples:20 ../shared/data/llvip:0100

Four pairs of every FOLDER (rgb, thermal; pairs by name) whose names begin with PREFIX are scaled to 640x512. Their
thermal images are drawn as a camera would see them for which each warp of a list is the truth; the homography is found
anew. Prints the Markdown table of docs/calibration.md. Real frames are a few pixels off by themselves, and differently
so in every part (parallax): the truth is the warp, then the frames' own registration, found once from the whole images
and once from the part of them that the warp leaves in view.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from mrfs_ros.calibration.edges import EdgeField
from mrfs_ros.calibration.from_edges import Pair, fit_edges
from mrfs_ros.calibration.initial_guess import placed
from mrfs_ros.calibration.refine import refine
from mrfs_ros.calibration.views import View, from_homography, pixel_matrix, thermal_field, to_homography, views
from mrfs_ros.camera.image_io import read_rgb, read_thermal

SIZE = (512, 640)
FRAMES = 4
WARPS = {  # (scale, right, down, degrees) of ``mrfs calibrate --initial``, and the bend of both axes [1 / half widths]
    "a little off": ((1.05, 24, -20, 1.0), (0.01, 0.005)),
    "turned": ((0.95, 10, 5, 5.5), (0.0, 0.03)),
    "larger, perspective": ((1.1, 30, -25, -2.0), (0.06, -0.04)),
    "larger, turned": ((1.22, -64, -32, 3.0), (-0.02, 0.03)),
    "shifted": ((1.0, -90, 50, 0.0), (0.0, 0.0)),
    "smaller, turned": ((0.82, 60, 40, -3.0), (0.02, -0.02)),
}


def frames(source: str) -> list[Pair]:
    folder, prefix = source.split(":")
    names = sorted(path.name for path in (Path(folder) / "rgb").glob(f"{prefix}*.jpg"))
    pairs = []
    for name in names[:: max(1, len(names) // FRAMES)][:FRAMES]:
        pair = read_rgb(Path(folder) / "rgb" / name), read_thermal(Path(folder) / "thermal" / name)
        pairs.append(tuple(cv2.resize(image, SIZE[::-1], interpolation=cv2.INTER_AREA) for image in pair))
    return pairs


def truth(numbers: tuple[float, ...], bend: tuple[float, float]) -> np.ndarray:
    perspective = np.eye(3)
    perspective[2, :2] = bend
    return (
        np.array(placed(numbers, SIZE, SIZE).matrix)
        @ pixel_matrix(SIZE)
        @ perspective
        @ np.linalg.inv(pixel_matrix(SIZE))
    )


def seen_through(pairs: list[Pair], warp: np.ndarray) -> list[Pair]:
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return [
        (rgb, cv2.warpPerspective(thermal, warp, SIZE[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE))
        for rgb, thermal in pairs
    ]


def own_of_part(pairs: list[Pair], own: np.ndarray, warp: np.ndarray) -> np.ndarray:
    """The frames' own registration, from the part of the rgb image that the thermal camera sees after ``warp``."""
    seen = own @ warp / (own @ warp)[2, 2]
    cut = []
    for view, warped in zip(views(pairs, SIZE[1]), views(seen_through(pairs, warp), SIZE[1])):
        inside = thermal_field(warped, from_homography(seen, SIZE, SIZE)).mask
        cut.append(View(EdgeField(view.rgb.values * inside[:, :, None], view.rgb.mask & inside), view.thermal))
    matrix, _ = refine(cut, from_homography(own, SIZE, SIZE), "homography")
    return to_homography(matrix, SIZE, SIZE)


def errors_px(found: np.ndarray, true: np.ndarray) -> tuple[float, float, float]:
    """Mean and largest distance over what both images show; the share of the rgb image that thermal covers."""
    height, width = SIZE
    grid = np.stack(np.meshgrid(np.linspace(0, width - 1, 65), np.linspace(0, height - 1, 65)), -1).reshape(-1, 1, 2)
    at, expected = (cv2.perspectiveTransform(grid, matrix)[:, 0] for matrix in (found, true))
    inside = ((expected >= 0) & (expected <= (width - 1, height - 1))).all(axis=1)
    distances = np.hypot(*(at - expected)[inside].T)
    covered = cv2.warpPerspective(np.ones(SIZE, np.uint8), true, SIZE[::-1], flags=cv2.INTER_NEAREST).mean()
    return float(distances.mean()), float(distances.max()), float(covered)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", nargs="+", metavar="FOLDER:PREFIX")
    print("| frames | warp | rgb image covered | whole: mean (worst) px | same part: mean (worst) px |")
    print("| --- | --- | ---: | ---: | ---: |")
    for source in parser.parse_args().sources:
        pairs = frames(source)
        own = np.array(fit_edges(pairs).homography.matrix)
        for name, numbers in WARPS.items():
            warp = truth(*numbers)
            found = np.array(fit_edges(seen_through(pairs, warp)).homography.matrix)
            mean, worst, covered = errors_px(found, own @ warp)
            part_mean, part_worst, _ = errors_px(found, own_of_part(pairs, own, warp) @ warp)
            print(
                f"| {Path(source).name} | {name} | {100 * covered:.0f} % | {mean:.2f} ({worst:.2f}) | "
                f"{part_mean:.2f} ({part_worst:.2f}) |",
                flush=True,
            )


if __name__ == "__main__":
    main()
