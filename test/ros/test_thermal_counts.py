"""16-bit and float thermal images over real DDS: the node shows the network what the window makes of them."""

from __future__ import annotations

import numpy as np
from harness import NodeProcess, image, numbered_pair, pixels_of

from mrfs_ros.camera.thermal_window import ThermalWindow
from mrfs_ros.config import NodeConfig

MS = 10**6


def counts(number: int) -> np.ndarray:
    ramp = np.arange(48 * 64, dtype=float).reshape(48, 64) / 3
    return (7000 + 5 * number + ramp + np.random.default_rng(number).normal(0, 5, (48, 64))).round().astype(np.uint16)


def test_counts_become_grey_and_diagnostics_say_how(tmp_path, cameras):
    world = cameras()
    with NodeProcess(tmp_path, stub=[]) as node:
        node.ready()
        world.matched()
        window = ThermalWindow(NodeConfig())
        for number in range(8):
            stamp, values = number * 100 * MS, counts(number)
            if number == 5:  # the other byte order
                thermal = image(values.astype(">u2"), "mono16", stamp, is_bigendian=1)
            else:
                thermal = image(values, "16UC1" if number % 2 else "mono16", stamp)
            world.rgb_out.publish(image(numbered_pair(number)[0], "rgb8", stamp))
            world.thermal_out.publish(thermal)
            world.await_answer(stamp)
            expected = window.grey(values, stamp) // 32
            assert (pixels_of(world.answers["segmentation"][stamp]) == expected).all()
        assert len(np.unique(expected)) > 4
        world.rgb_out.publish(image(numbered_pair(0)[0], "rgb8", 900 * MS))
        world.thermal_out.publish(image(np.full((48, 64), np.nan, np.float32), "32FC1", 900 * MS))
        node.wait_for("frame skipped (thermal_empty, 1 so far): thermal image: no pixel has a finite value")
        world.spin_until(lambda: "standing" in window_of(world))
        assert window_of(world) == window.state


def window_of(world) -> str:
    status = world.diagnostics.get("mrfs: inputs")
    return {pair.key: pair.value for pair in status.values}["thermal window"] if status else ""


def test_degrees_by_a_fixed_window(tmp_path, cameras):
    """A radiometric camera in centikelvin: 0 to 40 degrees Celsius."""
    settings = {"thermal_window": "fixed", "thermal_unit": "centikelvin", "thermal_low": 0.0, "thermal_high": 40.0}
    world = cameras()
    with NodeProcess(tmp_path, stub=[], **settings) as node:
        node.ready()
        world.matched()
        degrees = np.linspace(-10, 50, 48 * 64).reshape(48, 64)
        values = np.round((degrees + 273.15) * 100).astype(np.uint16)
        world.rgb_out.publish(image(numbered_pair(0)[0], "rgb8", 0))
        world.thermal_out.publish(image(values, "mono16", 0))
        world.await_answer(0)
        exact = np.clip(degrees / 40 * 255, 0, 255) // 32
        assert (pixels_of(world.answers["segmentation"][0]) != exact).mean() < 0.03  # rounding at the steps


def test_a_fixed_window_without_a_range_ends_the_start_in_one_line(tmp_path):
    with NodeProcess(tmp_path, stub=[], thermal_window="fixed") as node:
        assert node.process.wait(30) == 2
        assert "fixed needs thermal_low < thermal_high, got 0 and 0" in node.log().splitlines()[-1]
