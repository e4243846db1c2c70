"""Bags of 16-bit thermal images: the same grey whatever the coding, and after a stop."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bags import IMAGE, START_NS, images, message, numbered, pairs, read_bag, write_bag
from stub_engine import StubEngine

from mrfs_ros.bag.job import run_bag
from mrfs_ros.bag.reading.camera_frames import CameraFrames, FrameSettings
from mrfs_ros.bag.settings import BagSettings
from mrfs_ros.camera.encoded import encode_png
from mrfs_ros.camera.image_io import read_thermal
from mrfs_ros.camera.thermal_window import ThermalWindow
from mrfs_ros.config import NodeConfig

COUNT = 30


def counts(i: int) -> np.ndarray:
    """14-bit counts of frame ``i``: a scene that warms up, and becomes another one in the middle."""
    ramp = np.arange(48 * 64, dtype=float).reshape(48, 64) / 3
    noise = np.random.default_rng(i).normal(0, 5, (48, 64))
    return (7000 + (2000 if i > 15 else 0) + 3 * i + ramp + noise).round().astype(np.uint16)


def deep_bag(path, coding: str = "mono16"):
    """``coding``: mono16, big-endian (mono16 in the other byte order), 32FC1 or png."""

    def messages():
        for i, (topic, log_ns, kind, content) in enumerate(pairs(COUNT)):
            if topic == "/thermal/image":
                values = counts(i // 2)
                if coding == "png":
                    kind, content = message(numbered(0)[1], log_ns, "thermal", "png")
                    content = replace(content, data=np.frombuffer(encode_png(values), np.uint8))
                else:
                    sent = {"mono16": "<u2", "big-endian": ">u2", "32FC1": "<f4"}[coding]
                    data = np.frombuffer(values.astype(sent).tobytes(), np.uint8)
                    encoding, big = ("32FC1" if coding == "32FC1" else "mono16"), int(coding == "big-endian")
                    step = 64 * np.dtype(sent).itemsize
                    content = replace(content, encoding=encoding, is_bigendian=big, step=step, data=data)
            yield topic, log_ns, kind, content

    return write_bag(path, messages())


def shifted_calibration(folder: Path) -> Path:
    """Thermal lies 6 pixels right of and 3 above the rgb image's origin."""
    path = folder / "calib.yaml"
    path.write_text(
        "kind: homography\nthermal_size: [48, 64]\nrgb_size: [48, 64]\nmatrix: [[1, 0, 6], [0, 1, -3], [0, 0, 1]]\n"
    )
    return path


def run(bag, out, **settings):
    return run_bag(BagSettings(source=str(bag), out=str(out), **settings), StubEngine())


@pytest.mark.parametrize("coding", ["mono16", "big-endian", "32FC1", "png"])
def test_counts_go_through_the_window_in_their_order(tmp_path, coding):
    bag = deep_bag(tmp_path / "drive", coding)
    assert run(bag, tmp_path / "out", workers=3).exit_code == 0
    window = ThermalWindow(NodeConfig())
    kind = np.float32 if coding == "32FC1" else np.uint16
    labels = images(read_bag(tmp_path / "out")["/mrfs/segmentation"])
    for i, made in enumerate(labels.values()):
        assert (made == window.grey(counts(i).astype(kind), START_NS + i * 10**8 + 4_000_000) // 32).all()
    assert len(labels) == COUNT and len(np.unique(made)) > 4


@pytest.mark.parametrize("every", [1, 2])
def test_a_run_that_was_stopped_remembers_its_window(tmp_path, every):
    class Stopped(Exception):
        pass

    def stop(progress):
        if progress.done == 7:
            raise Stopped

    bag = deep_bag(tmp_path / "drive")
    run(bag, tmp_path / "whole", every=every)
    settings = BagSettings(source=str(bag), out=str(tmp_path / "out"), every=every)
    with pytest.raises(Stopped):
        run_bag(settings, StubEngine(), on_progress=stop)
    assert run_bag(settings, StubEngine()).resumed_at == 7
    assert read_bag(tmp_path / "out") == read_bag(tmp_path / "whole")


def test_pairs_to_train_on_are_grey_and_registered(tmp_path):
    calibration = shifted_calibration(tmp_path)
    node = NodeConfig(calibration=str(calibration))
    run(deep_bag(tmp_path / "drive"), tmp_path / "out", pairs=str(tmp_path / "pairs"), node=node)
    window = ThermalWindow(NodeConfig())
    for i in range(COUNT):
        grey = window.grey(counts(i), START_NS + i * 10**8 + 4_000_000)
        made = read_thermal(tmp_path / f"pairs/thermal/{i:06d}.png")
        assert made.dtype == np.uint8 and (made[:45, 6:] == grey[3:, :-6]).all()
        assert not made[45:].any() and not made[:, :6].any()


def test_workers_share_one_warp_so_that_batches_are_full(tmp_path):
    class Counting(StubEngine):
        sizes = []

        def batch(self, rgb, thermal):
            self.sizes.append(len(rgb))
            return super().batch(rgb, thermal)

    calibration = shifted_calibration(tmp_path)
    settings = BagSettings(
        source=str(deep_bag(tmp_path / "drive")),
        csv=str(tmp_path / "t.csv"),
        workers=6,
        batch=8,
        node=NodeConfig(calibration=str(calibration)),
    )
    assert run_bag(settings, Counting()).answered == COUNT
    assert Counting.sizes == [8] * (COUNT // 8) + ([COUNT % 8] if COUNT % 8 > 1 else [])


def test_a_frame_without_values_is_counted_and_the_rest_goes_on(tmp_path):
    def messages():
        for i, (topic, log_ns, kind, content) in enumerate(pairs(4)):
            if topic == "/thermal/image":
                values = np.full((48, 64), np.nan, np.float32) if i == 3 else counts(i).astype(np.float32)
                data = np.frombuffer(values.tobytes(), np.uint8)
                content = replace(content, encoding="32FC1", step=256, data=data)
            yield topic, log_ns, kind, content

    summary = run(write_bag(tmp_path / "drive", messages()), tmp_path / "out")
    assert (summary.answered, summary.skipped) == (3, {"thermal_empty": 1})
    assert {kind for _, _, kind, _ in messages()} == {IMAGE}


def test_a_calibration_sees_the_nodes_grey_images(tmp_path):
    bag = deep_bag(tmp_path / "drive")
    for settings in ({}, {"thermal_window": "plateau", "thermal_invert": True}):
        node = NodeConfig(slop_s=0.01, **settings)
        window = ThermalWindow(node)
        with CameraFrames(bag, FrameSettings(node=node)) as frames:
            found = [thermal for _, thermal in frames.pairs(5, 1)]
        assert len(found) == 5
        for i, thermal in enumerate(found):
            assert (thermal == window.grey(counts(i), START_NS + i * 10**8 + 4_000_000)).all()
