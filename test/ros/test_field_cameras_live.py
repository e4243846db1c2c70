"""Cameras as the field has them over real DDS: what is assumed of their images is logged once, and right."""

from __future__ import annotations

import struct

import cv2
import numpy as np
from harness import RELIABLE, NodeProcess, image, pixels_of
from sensor_msgs.msg import CompressedImage

MS = 10**6
GREY = np.random.default_rng(0).integers(0, 256, (48, 64), np.uint8)
RAMP = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (48, 1))


def test_a_grey_visible_and_a_false_colour_thermal_camera(tmp_path, cameras):
    world = cameras()
    with NodeProcess(tmp_path, stub=[]) as node:
        node.ready()
        world.matched()
        for number in range(4):
            stamp, thermal = number * 100 * MS, np.roll(RAMP, number, 1)
            world.rgb_out.publish(image(GREY, "mono8", stamp))
            world.thermal_out.publish(image(cv2.applyColorMap(thermal, cv2.COLORMAP_HOT), "bgr8", stamp))
            world.await_answer(stamp)
            assert (pixels_of(world.answers["segmentation"][stamp]) == thermal // 32).all()
            assert (pixels_of(world.answers["fused"][stamp]) == GREY[:, :, None]).all()
        assert node.log().count("rgb images are grey (mono8): taken as r = g = b") == 1
        assert node.log().count("thermal images are in false colours, palette hot: undone") == 1


def test_a_compressed_image_that_claims_2_to_the_30_pixels(tmp_path, cameras):
    """It is skipped, and what comes after it is answered."""
    world = cameras()
    out = world.create_publisher(CompressedImage, "rgb/compressed", RELIABLE)
    remap = ["-r", "rgb/image:=rgb/compressed"]
    with NodeProcess(tmp_path, stub=[], ros=remap, rgb_transport="compressed", max_image_pixels=5000) as node:
        node.ready()
        world.matched(out, world.thermal_out)
        head = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
        bomb = head + struct.pack(">IIBBBBB", 2**15, 2**15, 8, 2, 0, 0, 0) + bytes(60)
        good = cv2.imencode(".png", GREY)[1].tobytes()
        large = cv2.imencode(".png", np.zeros((100, 100), np.uint8))[1].tobytes()
        for number, content in enumerate((bomb, large, good)):
            stamp = number * 100 * MS
            message = CompressedImage(format="png", data=content)
            message.header.stamp = image(GREY, "mono8", stamp).header.stamp
            out.publish(message)
            world.thermal_out.publish(image(GREY, "mono8", stamp))
        world.await_answer(200 * MS)
        log = node.log()
        assert "frame skipped (rgb_too_large, 1 so far): compressed rgb image (png): its header says 32768x32768" in log
        assert "expected at most 0.005 million (max_image_pixels)" in log
        world.spin_until(lambda: world.value("mrfs: inputs", "dropped rgb_too_large") == "2")
