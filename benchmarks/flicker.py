"""Flicker of mask and fused image where nothing moves: in the two sample sequences, and in one frame with camera noise.

``python benchmarks/flicker.py --out out/flicker``, with ``--smoothing 0 0.3 0.5`` also with temporal smoothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from mrfs_ros.camera.gray import to_gray
from mrfs_ros.camera.image_io import read_rgb, read_thermal
from mrfs_ros.engine import Engine, load_engine
from mrfs_ros.files import made_folder

SAMPLES = Path(__file__).parent.parent / "samples"
LOCATIONS = ("190", "200")  # of LLVIP: frames of one fixed camera each
STILL = 6.0  # grey levels that rgb and thermal, smoothed, may differ by where nothing moved
SMOOTH = 2.0  # pixels (sigma) of that smoothing: camera noise is no movement
NOISE = {"rgb": 3.0, "thermal": 2.0}  # standard deviation [grey levels] of the noise that is added
NOISY_FRAMES = 6
Frame = tuple[np.ndarray, np.ndarray]


def sequences() -> Iterator[tuple[str, list[Frame]]]:
    """Name and frames (rgb, thermal) of each sequence."""
    for location in LOCATIONS:
        names = sorted(path.stem for path in (SAMPLES / "rgb").glob(f"{location}*.jpg"))
        frames = [(read_rgb(SAMPLES / f"rgb/{n}.jpg"), read_thermal(SAMPLES / f"thermal/{n}.jpg")) for n in names]
        yield f"LLVIP {names[0]} to {names[-1]}", frames
    yield f"{names[0]} with noise", noisy(frames[0])


def noisy(frame: Frame) -> list[Frame]:
    """``NOISY_FRAMES`` copies of a frame, each with noise of its own."""
    rng = np.random.default_rng(0)

    def one(image: np.ndarray, sigma: float) -> np.ndarray:
        return np.clip(image + sigma * rng.standard_normal(image.shape), 0, 255).round().astype(np.uint8)

    return [(one(frame[0], NOISE["rgb"]), one(frame[1], NOISE["thermal"])) for _ in range(NOISY_FRAMES)]


def still(before: Frame, after: Frame) -> np.ndarray:
    """(H, W) bool: where neither camera saw a movement between two frames."""

    def smooth(image: np.ndarray) -> np.ndarray:
        return cv2.GaussianBlur(image.astype(np.float32), (0, 0), SMOOTH)

    moved = [np.abs(smooth(a) - smooth(b)) for a, b in ((to_gray(before[0]), to_gray(after[0])), (before[1], after[1]))]
    return np.maximum(*moved) <= STILL


def flicker(engine: Engine, frames: Sequence[Frame]) -> dict[str, float]:
    """Share of still pixels, and of these: share that changes class [%] and mean change of the fused grey [levels]."""
    results = [engine(*frame) for frame in frames]
    shares, changes, greys = [], [], []
    for i in range(1, len(frames)):
        where = still(frames[i - 1], frames[i])
        shares.append(where.mean())
        changes.append((results[i].labels != results[i - 1].labels)[where].mean())
        grey = [to_gray(result.fused).astype(float) for result in results[i - 1 : i + 1]]
        greys.append(np.abs(grey[1] - grey[0])[where].mean())
    return {"still": 100 * np.mean(shares), "class": 100 * np.mean(changes), "fused": np.mean(greys)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", default="", help="weights file; default: the model that comes along")
    parser.add_argument(
        "--smoothing", nargs="+", type=float, default=[0.0], help="temporal_smoothing of each row; default: 0 (off)"
    )
    parser.add_argument("--out", required=True, type=Path, help="folder for flicker.md")
    arguments = parser.parse_args()
    engine = load_engine(arguments.weights)
    rows = [
        "| frames | smoothing | still pixels, % | of these: class changes, % | fused grey changes by, levels |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name, frames in tqdm(list(sequences()), unit="sequence"):
        for share in arguments.smoothing:
            engine.use_temporal_smoothing(share)  # a new average
            values = flicker(engine, frames)
            rows.append(
                f"| {name} | {share:g} | {values['still']:.0f} | {values['class']:.2f} | {values['fused']:.2f} |"
            )
    made_folder(arguments.out)
    (arguments.out / "flicker.md").write_text("\n".join(rows) + "\n", encoding="utf-8")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
