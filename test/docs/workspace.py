"""A folder in which the documents' commands can run: the project's files, and what stands for data nobody has here."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from bags import message, write_bag
from made_scenes import ShakenCameras, chessboard, pseudo_thermal

from mrfs_ros.camera.image_io import read_rgb, read_thermal, write_png
from mrfs_ros.config import NetworkConfig
from mrfs_ros.geometry.calibration_file import write_calibration
from mrfs_ros.geometry.camera_models import Homography
from mrfs_ros.network import build_network

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("README.md", "benchmarks", "config", "docs", "launch", "models", "samples")
START_NS = 1_700_000_000 * 10**9
THERMAL_LATE_S = 0.02
CUT = (96, 128)  # height, width of the small frames


def make_workspace(folder: Path) -> Path:
    """The project's folder ``folder``/project with all stand-ins in place, and ``folder``/shared beside it."""
    project = folder / "project"
    for name in COPIED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        project.mkdir(parents=True, exist_ok=True)
        copy(ROOT / name, project / name)
    (project / "out").mkdir()
    write_bag(project / "drive", sorted(_shaken(), key=lambda entry: entry[1]))
    write_bag(project / "board", _board())
    for name in ("190001", "190002"):
        for kind in ("rgb", "thermal"):
            (project / "day" / kind).mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / "samples" / kind / f"{name}.jpg", project / "day" / kind)
    names = [f"recordings/{night}" for night in ("monday", "tuesday")]
    for number, name in enumerate(names):
        write_bag(project / name, _small_pairs(3, first=3 * number))
    (project / "nights.txt").write_text("\n".join(names) + "\n")
    _write_mfnet(project / "data" / "MFNet")
    _write_folder(project / "farm")
    for name, guide in (("farm.yaml", "training.md"), ("camera.yaml", "sensors.md")):
        text = (ROOT / "docs" / guide).read_text()
        (project / name).write_text(re.search(rf"^```yaml\n(# {name}\n.*?)^```$", text, re.M | re.S)[1])
    write_calibration(project / "camera_calib.yaml", Homography(np.eye(3), (256, 320), (256, 320)))
    _write_raw(project / "raw")
    for name in ("msrs", "roadscene", "llvip", "msrs_more", "vtuav", "m3fd", "camvid"):
        _write_folder(folder / "shared" / "data" / name)
    shutil.rmtree(folder / "shared" / "data" / "camvid" / "thermal")
    _write_llvip(project)
    shutil.copy(ROOT / "samples/rgb/190001.jpg", project / "street.jpg")
    shutil.copy(ROOT / "samples/thermal/190001.jpg", project / "street_ir.jpg")
    torch.save({"model": build_network(NetworkConfig()).state_dict()}, project / "models" / "mfnet.pth")
    return project


def _stamped(topic: str, pixels: np.ndarray, stamp_ns: int, coding: str = "raw") -> tuple[str, int, str, object]:
    return topic, stamp_ns, *message(pixels, stamp_ns, f"{topic.split('/')[1]}_optical_frame", coding)


def _shaken() -> Iterator[tuple[str, int, str, object]]:
    """Both cameras look at the first sample and are moved along the path of ``ShakenCameras``."""
    rgb = cv2.resize(read_rgb(ROOT / "samples/rgb/190001.jpg"), (480, 384), interpolation=cv2.INTER_AREA)
    scenes = {"rgb": (rgb, 30, 0.0), "thermal": (pseudo_thermal(rgb), 9, THERMAL_LATE_S)}
    cameras = ShakenCameras()
    for camera, (scene, rate_hz, late_s) in scenes.items():
        for stamp_ns, _ in cameras.stream(rate_hz=rate_hz, late_s=late_s, thermal=camera == "thermal"):
            time_s = (stamp_ns - START_NS) / 1e9 - late_s
            right, down = (float(np.interp(time_s, cameras._times_s, path)) for path in cameras._path)
            view = cv2.getRectSubPix(scene, (320, 256), (240 + 2 * right, 192 + 2 * down))
            yield _stamped(f"/{camera}/image", view, stamp_ns)


def _board() -> Iterator[tuple[str, int, str, object]]:
    size = (256, 320)
    place = np.array([(0.42, 0.03, 40), (-0.02, 0.4, 40), (1e-4, -5e-5, 1)])
    drawn = chessboard(place, size)
    for number in range(3):
        stamp_ns = START_NS + number * 10**8
        yield _stamped("/rgb/image", np.repeat(drawn[:, :, None], 3, axis=2), stamp_ns)
        yield _stamped("/thermal/image", 255 - drawn, stamp_ns + 4_000_000)


def _cuts() -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Six small frames: rgb, thermal, and labels of MFNet's first three classes by how warm a pixel is."""
    for path in sorted((ROOT / "samples" / "rgb").glob("*.jpg"))[:6]:
        pair = read_rgb(path), read_thermal(ROOT / "samples" / "thermal" / path.name)
        rgb, thermal = (cv2.resize(image, CUT[::-1], interpolation=cv2.INTER_AREA) for image in pair)
        yield rgb, thermal, np.digitize(thermal, np.quantile(thermal, (0.5, 0.8))).astype(np.uint8)


def _small_pairs(count: int, first: int) -> Iterator[tuple[str, int, str, object]]:
    for number, (rgb, thermal, _) in list(enumerate(_cuts()))[first : first + count]:
        stamp_ns = START_NS + number * 10**8
        yield _stamped("/rgb/image", rgb, stamp_ns)
        yield _stamped("/thermal/image", thermal, stamp_ns + 4_000_000)


def _write_mfnet(root: Path) -> None:
    for folder in ("images", "labels"):
        (root / folder).mkdir(parents=True)
    for number, (rgb, thermal, label) in enumerate(_cuts()):
        four = cv2.merge([*cv2.split(rgb[:, :, ::-1]), thermal])
        cv2.imwrite(str(root / "images" / f"{number:05d}D.png"), four)
        write_png(root / "labels" / f"{number:05d}D.png", label)
    _write_lists(root, [f"{number:05d}D" for number in range(6)], ("train", "val", "test"))


def _write_folder(root: Path) -> None:
    for number, images in enumerate(_cuts()):
        for folder, image in zip(("rgb", "thermal", "label"), images):
            (root / folder).mkdir(parents=True, exist_ok=True)
            write_png(root / folder / f"{number}.png", image)
    _write_lists(root, [str(number) for number in range(6)], ("train", "val"))


def _write_raw(folder: Path) -> None:
    folder.mkdir()
    for name in ("190001", "190002"):
        celsius = read_thermal(ROOT / "samples" / "thermal" / f"{name}.jpg") / 5.0
        cv2.imwrite(str(folder / f"{name}.png"), (100 * (celsius + 273.15)).astype(np.uint16))


def _write_llvip(project: Path) -> None:
    """Two pairs as LLVIP has them, as a plain folder, and as another method fused them."""
    for number, (rgb, thermal, _) in list(enumerate(_cuts()))[:2]:
        fused = (rgb // 2 + thermal[:, :, None] // 2).astype(np.uint8)
        for folder, image in (
            ("data/LLVIP/visible/test", rgb),
            ("data/LLVIP/infrared/test", thermal),
            ("llvip_512x640/rgb", rgb),
            ("llvip_512x640/thermal", thermal),
            ("out/mine", fused),
        ):
            (project / folder).mkdir(parents=True, exist_ok=True)
            write_png(project / folder / f"{number}.png", image)


def _write_lists(root: Path, names: list[str], splits: tuple[str, ...]) -> None:
    for number, split in enumerate(splits):
        chosen = names[number * 2 : number * 2 + 2]
        (root / f"{split}.txt").write_text("\n".join(chosen) + "\n")
