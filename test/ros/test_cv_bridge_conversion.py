"""cv_bridge in the node: tried in a child process, used where it gives the package's pixels.

A stand-in for cv_bridge, which only ROS installations have: a module of that name that converts as the test says. Where
the real one is installed, it is compared in test_colour_formats.py.
"""

from __future__ import annotations

import sys

import numpy as np
import pytest
from harness import NodeProcess, numbered_pair, pixels_of

from mrfs_ros.camera.camera_images import CameraImages
from mrfs_ros.camera.conversion import OWN, trial_images
from mrfs_ros.camera.image_fields import ImageFields
from mrfs_ros.errors import ImageError
from mrfs_ros.ros import cv_bridge_conversion
from mrfs_ros.ros.cv_bridge_conversion import camera_conversion

RIGHT = """
from mrfs_ros.camera.conversion import OWN

class CvBridge:
    def imgmsg_to_cv2(self, message, desired_encoding):
        pixels = (OWN.rgb if desired_encoding == "rgb8" else OWN.thermal)(message)
        {more}
        return pixels
"""


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Make a module cv_bridge of this source, for this process and its children."""

    def make(source: str) -> None:
        folder = tmp_path / "stand_in"
        folder.mkdir()
        (folder / "cv_bridge.py").write_text(source)
        monkeypatch.syspath_prepend(str(folder))
        monkeypatch.setenv("PYTHONPATH", str(folder), prepend=":")
        monkeypatch.delitem(sys.modules, "cv_bridge", raising=False)
        cv_bridge_conversion._bridge.cache_clear()

    return make


def fields(encoding: str = "bgr8", **more) -> ImageFields:
    data = np.random.default_rng(1).integers(0, 256, (4, 6, 3), np.uint8)
    return ImageFields(4, 6, encoding, 18, data.tobytes(), **more)


def test_without_it_the_packages_own_serves(monkeypatch):
    monkeypatch.setattr(cv_bridge_conversion, "find_spec", lambda name: None)
    assert camera_conversion() == (OWN, "images are converted by this package: cv_bridge is not installed")


def test_it_is_used_where_it_gives_the_same_pixels(stand_in):
    stand_in(RIGHT.format(more="if message.width == 6: pixels = 255 - pixels"))  # not the size of the trial
    conversion, line = camera_conversion()
    count = len(trial_images())
    assert f"by cv_bridge: it gives this package's pixels for {count} of {count} kinds of images" in line
    assert (conversion.rgb(fields()) == 255 - OWN.rgb(fields())).all()
    assert (CameraImages(print, conversion=conversion).rgb(fields()) == 255 - OWN.rgb(fields())).all()
    grey = ImageFields(4, 6, "mono8", 6, bytes(range(24)))
    assert (CameraImages(print, conversion=conversion).thermal(grey) == 255 - OWN.thermal(grey)).all()


@pytest.mark.parametrize(
    "more",
    [
        "if message.encoding == 'bgr8': pixels = pixels[:, :, ::-1]",
        "if message.encoding == 'bgr8': pixels = pixels.astype('u2')",
        "if message.encoding == 'bgr8': raise ValueError('unknown encoding')",
    ],
)
def test_a_kind_that_it_converts_otherwise_is_converted_here(stand_in, more):
    stand_in(RIGHT.format(more=more + "\n        if message.width == 6: pixels = 255 - pixels"))
    conversion, line = camera_conversion()
    assert f"{len(trial_images()) - 4} of {len(trial_images())} kinds" in line  # byte orders, padding
    assert (conversion.rgb(fields("bgr8")) == OWN.rgb(fields("bgr8"))).all()
    assert (conversion.rgb(fields("rgb8")) == 255 - OWN.rgb(fields("rgb8"))).all()


def test_padded_rows_are_a_kind_of_their_own(stand_in):
    stand_in(RIGHT.format(more="if message.step % message.width: pixels = pixels * 0"))
    conversion, line = camera_conversion()
    assert f"{len(trial_images()) // 2} of {len(trial_images())} kinds" in line
    padded = ImageFields(4, 6, "rgb8", 20, bytes(range(80)))
    assert (conversion.rgb(padded) == OWN.rgb(padded)).all()


@pytest.mark.parametrize(
    "source, why",
    [
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)", "signal 11"),
        ("raise ImportError('numpy.core.multiarray failed to import')", None),
    ],
)
def test_one_that_crashes_does_not_take_the_node_along(stand_in, source, why):
    stand_in(source)
    conversion, line = camera_conversion()
    if why:
        assert conversion is OWN
        assert f"cv_bridge ended its process ({why}): was it built for another NumPy than {np.__version__}?" in line
    else:  # it knows no kind at all
        assert conversion is OWN
        assert f"does none of {len(trial_images())} kinds alike" in line and "multiarray failed to import" in line


def test_one_that_hangs_is_given_up(stand_in, monkeypatch):
    stand_in("import time\ntime.sleep(60)")
    monkeypatch.setattr(cv_bridge_conversion, "TRIAL_S", 5.0)
    assert camera_conversion() == (OWN, "images are converted by this package: trying cv_bridge took longer than 5 s")


def test_what_it_raises_later_is_an_error_of_the_image(stand_in):
    stand_in(RIGHT.format(more="if message.width == 6: raise RuntimeError('no memory')"))
    conversion, _ = camera_conversion()
    text = r"rgb image: cv_bridge failed on bgr8 \(RuntimeError: no memory\): let the camera driver send another"
    with pytest.raises(ImageError, match=text) as error:
        conversion.rgb(fields())
    assert error.value.reason == "cv_bridge"


@pytest.mark.ros
def test_the_node_converts_by_it(tmp_path, cameras, stand_in):
    stand_in(RIGHT.format(more="if message.width == 64: pixels = 255 - pixels"))
    world, pair = cameras(), numbered_pair(0)
    with NodeProcess(tmp_path, stub=[]) as node:
        node.ready()
        assert "images are converted by cv_bridge" in node.log()
        world.matched().send(10**9, *pair)
        world.await_answer(10**9)
    from stub_engine import StubEngine

    expected = StubEngine()(*(255 - image for image in pair))
    assert (pixels_of(world.answers["fused"][10**9]) == expected.fused).all()
