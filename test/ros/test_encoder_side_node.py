"""``encoder_side`` of the node over real DDS: it reaches the encoders, is shown, and auto chooses one for good."""

from __future__ import annotations

import pytest
from harness import NodeProcess, pixels_of

from mrfs_ros.checkpoint import save_checkpoint
from mrfs_ros.types import MFNET

S = 10**9
SIZE = {"warmup_height": 96, "warmup_width": 128, "backend": "torch-plain"}


@pytest.fixture(scope="module")
def sided_weights(tiny_weights, tmp_path_factory):
    from mrfs_ros import load_network

    path = tmp_path_factory.mktemp("sided") / "tiny64.safetensors"
    save_checkpoint(path, load_network(tiny_weights), MFNET, {}, encoder_side=64)
    return path


@pytest.mark.parametrize("asked, seen", [(48, 48), ("48", 48), ("weights", 64), (0, 0)])
def test_it_is_the_engines_and_in_diagnostics(tmp_path, cameras, sided_weights, small_pair, asked, seen):
    from mrfs_ros import load_engine

    expected = load_engine(sided_weights, "cpu", "torch-plain", encoder_side=seen)(*small_pair)
    world = cameras()
    with NodeProcess(tmp_path, weights=str(sided_weights), encoder_side=asked, **SIZE) as node:
        node.ready()
        world.matched().send(0, *small_pair)
        world.await_answer(0)
        world.spin_until(lambda: "mrfs: inference" in world.diagnostics)
    assert (pixels_of(world.answers["fused"][0]) == expected.fused).all()
    shown = world.value("mrfs: inference", "encoder side")
    assert (
        shown
        == {
            48: "48 pixels",
            64: "64 pixels (as the weights file says)",
            0: "the image's own size",
        }[seen]
    )


def test_auto_says_what_it_measured_and_stays(tmp_path, cameras, sided_weights, small_pair):
    """A rate that any machine holds: the largest side, the weights file's; another image does not change it."""
    world = cameras()
    parameters = {"encoder_side": "auto", "target_rate_hz": 0.01, **SIZE}
    with NodeProcess(tmp_path, weights=str(sided_weights), **parameters) as node:
        node.ready()
        world.matched()
        rgb, thermal = small_pair
        for number, pair in enumerate((small_pair, (rgb[:40, :60], thermal[:40, :60]), small_pair)):
            world.send(number * S, *pair)
            world.await_answer(number * S)
        world.spin_until(lambda: "mrfs: inference" in world.diagnostics)
        log = node.log()
    reason = "auto: the largest that holds 0.01 Hz, 90000.0 ms a pair at most; measured 64: "
    assert f"encoder side 64 pixels ({reason}" in log
    assert world.value("mrfs: inference", "encoder side").startswith(f"64 pixels ({reason}")


def test_auto_takes_the_smallest_where_none_holds_the_rate(tmp_path, sided_weights):
    parameters = {"encoder_side": "auto", "target_rate_hz": 1000.0, **SIZE}
    with NodeProcess(tmp_path, weights=str(sided_weights), **parameters) as node:
        log = node.ready().log()
    assert (
        "encoder side 34 pixels (auto: the smallest, but none holds 1000 Hz, 0.9 ms a pair at most; measured 64" in log
    )


@pytest.mark.parametrize(
    "parameters, text",
    [
        ({"encoder_side": 20}, "encoder_side: expected weights (as the weights file says), auto (the node alone), 0"),
        ({"encoder_side": 97}, "encoder_side 97 is larger than the short side of an image of 96x128 (HxW): expected 0"),
        ({"encoder_side": "auto"}, "encoder_side: auto needs target_rate_hz, the pairs a second to hold, got 0"),
    ],
)
def test_a_side_that_cannot_be_is_one_line_at_the_start(tmp_path, tiny_weights, parameters, text):
    with NodeProcess(tmp_path, weights=str(tiny_weights), **SIZE, **parameters) as node:
        assert node.process.wait(60) == 2
        errors = [line for line in node.log().splitlines() if line.startswith("mrfs_node: error: ")]
    assert len(errors) == 1
    assert text in errors[0]


def test_auto_is_nothing_for_an_engine_of_ones_own(tmp_path):
    with NodeProcess(tmp_path, stub=[], encoder_side="auto", target_rate_hz=30.0) as node:
        assert node.process.wait(60) == 2
        assert "encoder_side: auto: the node was given an engine of its own" in node.log()


def test_a_rate_without_auto_is_a_warning(tmp_path):
    with NodeProcess(tmp_path, stub=[], target_rate_hz=30.0) as node:
        assert "target_rate_hz has no effect: it is for encoder_side: auto, not weights" in node.ready().log()
