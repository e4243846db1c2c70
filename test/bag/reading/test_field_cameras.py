"""Bags of cameras as the field has them: what is assumed of their images, said once, and pixels as they were meant."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from bags import COMPRESSED, STORE, images, pairs, read_bag, write_bag
from stub_engine import StubEngine

from mrfs_ros.bag.job import run_bag
from mrfs_ros.bag.run_configuration import requested_of
from mrfs_ros.bag.settings import BagSettings
from mrfs_ros.camera.encoded import encode_png
from mrfs_ros.config import NodeConfig

COUNT, SIZE = 6, (48, 64)
RAMP = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (48, 1))


def scene(i: int, *_size: int) -> tuple[np.ndarray, np.ndarray]:
    """BagPair ``i``: rgb (48, 64, 3) of one colour, thermal (48, 64), uint8."""
    return np.full((*SIZE, 3), (40 * i, 90, 200), np.uint8), np.roll(RAMP, i, 1)


def drive(path: Path, topic: str, change) -> Path:
    """A bag of ``COUNT`` scenes; ``change(content, pixels)`` makes another message of those on ``topic``."""

    def messages():
        for i, (name, log_ns, kind, content) in enumerate(pairs(COUNT, look=scene)):
            if name == topic:
                content = change(content, scene(i // 2)[name == "/thermal/image"])
                kind = COMPRESSED if hasattr(content, "format") else kind
            yield name, log_ns, kind, content

    return write_bag(path, messages())


def ran(bag: Path, folder: Path, node: NodeConfig | None = None, **settings):
    """(summary, what was said, stamp to fused and to labels): the stub's are rgb, and thermal by 32."""
    said: list[str] = []
    asked = BagSettings(source=str(bag), out=str(folder / "out"), node=node or NodeConfig(), **settings)
    summary = run_bag(asked, StubEngine(), say=said.append)
    results = read_bag(folder / "out") if summary.answered else {}
    return (
        summary,
        said,
        *(list(images(results.get(f"/mrfs/{name}", [])).values()) for name in ("fused", "segmentation")),
    )


def sent(content, data: np.ndarray | bytes, encoding: str, step: int):
    data = np.frombuffer(bytes(data) if isinstance(data, bytes) else np.ascontiguousarray(data).tobytes(), np.uint8)
    return replace(content, encoding=encoding, step=step, data=data)


def encoded(content, data: bytes, kind: str):
    return STORE.types[COMPRESSED](header=content.header, format=kind, data=np.frombuffer(data, np.uint8))


def nv12(content, rgb):
    planes = cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV_I420).reshape(-1)
    u, v = planes[48 * 64 :].reshape(2, -1)
    return sent(content, np.concatenate((planes[: 48 * 64], np.stack((u, v), 1).reshape(-1))), "nv12", 64)


def rgb16(content, rgb):
    return sent(content, rgb.astype(np.uint16) * 257, "rgb16", 384)


def mono8(content, rgb):
    return sent(content, rgb[:, :, 1], "mono8", 64)


def grey_png(content, rgb):
    return encoded(content, encode_png(rgb[:, :, 1]), "mono8; png compressed ")


TOLD = "rgb images are grey (mono8): taken as r = g = b"
VISIBLE = {
    "nv12": (nv12, 3, []),
    "rgb16": (rgb16, 0, []),
    "mono8": (mono8, None, [TOLD]),
    "png": (grey_png, None, [TOLD]),
}


@pytest.mark.parametrize("kind", VISIBLE)
def test_visible_cameras(tmp_path, kind):
    change, off, told = VISIBLE[kind]
    summary, said, fused, _ = ran(drive(tmp_path / "drive", "/rgb/image", change), tmp_path, workers=3)
    assert summary.exit_code == 0 and len(fused) == COUNT
    for i, image in enumerate(fused):
        rgb = scene(i)[0]
        expected = np.repeat(rgb[:, :, 1:2], 3, 2) if off is None else rgb
        assert np.abs(image.astype(int) - expected).max() <= (off or 0)
    assert [text for text in told if sum(line.startswith(text) for line in said) != 1] == []
    assert len([line for line in said if line.startswith("rgb images")]) == len(told)


def jet(content, thermal):
    return sent(content, cv2.applyColorMap(thermal, cv2.COLORMAP_JET), "bgr8", 192)


def jet_png(content, thermal):
    return encoded(content, cv2.imencode(".png", cv2.applyColorMap(thermal, cv2.COLORMAP_JET))[1].tobytes(), "png")


def yuyv(content, thermal):
    return sent(content, np.stack((thermal, np.full_like(thermal, 128)), 2), "yuv422_yuy2", 128)


@pytest.mark.parametrize("change, told", [(jet, "palette jet: undone"), (jet_png, "palette jet: undone"), (yuyv, "")])
def test_thermal_cameras_of_8_bits(tmp_path, change, told):
    summary, said, _, labels = ran(drive(tmp_path / "drive", "/thermal/image", change), tmp_path, workers=3)
    assert summary.exit_code == 0 and len(labels) == COUNT
    assert all((image == scene(i)[1] // 32).all() for i, image in enumerate(labels))
    about = [line for line in said if line.startswith("thermal images")]
    assert len(about) == bool(told) and all(told in line for line in about)


def depth(form):
    def change(content, thermal):
        counts = thermal.astype(np.uint16) * 8 + 29000
        return encoded(content, struct.pack("<iff", 0, 1e6, 0.0) + cv2.imencode(".png", counts)[1].tobytes(), form)

    return change


@pytest.mark.parametrize("encoding", ["16UC1", "32FC1"])
def test_compressed_depth_goes_through_the_window(tmp_path, encoding):
    """32FC1 is scale / count: the larger the count, the smaller the value."""
    bag = drive(tmp_path / "drive", "/thermal/image", depth(f"{encoding}; compressedDepth png"))
    summary, _, _, labels = ran(bag, tmp_path)
    assert summary.exit_code == 0 and len(labels) == COUNT
    first, thermal = labels[0].astype(int), scene(0)[1]
    rising = np.diff(first[0, np.argsort(thermal[0], kind="stable")])
    assert len(np.unique(first)) > 4 and (rising >= 0 if encoding == "16UC1" else rising <= 0).all()


def test_a_wrong_byte_order_is_said_once_and_undone(tmp_path):
    def change(big):
        return lambda content, thermal: sent(
            content, (thermal.astype(np.uint16) * 37 + 7000).astype(">u2" if big else "<u2"), "mono16", 128
        )

    made = {}
    for big in (False, True):
        folder = tmp_path / str(big)
        summary, said, _, made[big] = ran(drive(folder / "drive", "/thermal/image", change(big)), folder, workers=3)
        assert summary.exit_code == 0
        assert len([line for line in said if "far smoother with their bytes swapped" in line]) == big
    assert all((wrong == right).all() for wrong, right in zip(made[True], made[False], strict=True))


def test_images_of_absurd_sizes_are_skipped_and_counted(tmp_path):
    """The limit is the node's parameter; the others are answered."""
    huge = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">IIBBBBB", 2**15, 2**15, 8, 2, 0, 0, 0) + bytes(60)

    def change(content, rgb):
        return encoded(content, huge if rgb[0, 0, 0] == 40 else encode_png(rgb), "png")

    bag = drive(tmp_path / "drive", "/rgb/image", change)
    summary, said, fused, _ = ran(bag, tmp_path)
    assert len(fused) == COUNT - 1 and summary.skipped["rgb_too_large"] == 1
    assert any("32768x32768 (HxW), 1074 million pixels: expected at most 64 million" in line for line in said)
    (tmp_path / "small").mkdir()
    summary, *_ = ran(bag, tmp_path / "small", NodeConfig(max_image_pixels=3000))
    assert summary.answered == 0 and summary.skipped["rgb_too_large"] == COUNT


def test_only_a_run_with_the_same_limit_goes_on():
    asked = [BagSettings(source="x", node=NodeConfig(max_image_pixels=n)) for n in (5000, 6000)]
    assert requested_of(asked[0]) != requested_of(asked[1])
