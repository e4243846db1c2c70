"""The texts that tell why no pair comes, one for every cause."""

from __future__ import annotations

import pytest

from mrfs_ros.ros.watchdog import InputReport, explain_no_pairs


def report(name: str, **changes) -> InputReport:
    values = {
        "name": name,
        "topic": f"/{name}/image",
        "received": 50,
        "rate_hz": 10.0,
        "silent": False,
        "publishers": ("RELIABLE",),
        "asks_reliable": False,
        **changes,
    }
    return InputReport(**values)


@pytest.mark.parametrize(
    "rgb, gap_s, clock_stands, advice",
    [
        (
            {"publishers": (), "received": 0, "rate_hz": 0.0},
            None,
            False,
            "Nobody publishes /rgb/image: start the rgb camera",
        ),
        (
            {"publishers": (), "received": 0, "rate_hz": 0.0, "alternatives": ("/cam/color",)},
            None,
            False,
            "start the rgb camera; /cam/color is published: remap with rgb_topic:=...",
        ),
        ({"silent": True}, None, False, "/rgb/image fell silent: look at the rgb camera"),
        (
            {"received": 0, "rate_hz": 0.0, "publishers": ("BEST_EFFORT",), "asks_reliable": True},
            None,
            False,
            "offered BEST_EFFORT but input_qos asks for RELIABLE: set input_qos: sensor_data",
        ),
        ({"received": 0, "rate_hz": 0.0}, None, False, "has a publisher but no image arrives"),
        ({}, 0.08, False, "0.0800 s apart, slop_s is 0.05: set slop_s above 0.0800, or thermal_time_offset_s: -0.0800"),
        ({}, -0.08, False, "or thermal_time_offset_s: 0.0800 if the gap is constant"),
        ({}, 5000.0, False, "the cameras' clocks differ: synchronize them"),
        ({}, 0.01, False, "matching stamps; waiting for the next pair"),
        ({}, None, False, "Both inputs come; waiting for a pair"),
        ({}, 0.08, True, "use_sim_time is on but /clock is silent: play the bag with --clock"),
    ],
)
def test_every_cause_has_its_advice(rgb, gap_s, clock_stands, advice):
    explanation = explain_no_pairs(
        (report("rgb", **rgb), report("thermal")),
        silence_s=5.2,
        best_gap_s=gap_s,
        slop_s=0.05,
        clock_stands=clock_stands,
    )
    assert advice in explanation.advice
    text = str(explanation)
    assert text.startswith("no pair for 5 s. /rgb/image: ")
    assert "/thermal/image: 50 images, 10.0 Hz, publishers: RELIABLE" in text


def test_images_that_are_refused_are_the_advice():
    inputs = report("rgb"), report("thermal")
    explanation = explain_no_pairs(inputs, silence_s=5, best_gap_s=0.001, slop_s=0.05, refused="encoding 'mono16'")
    assert explanation.advice == "Images come but cannot be used: encoding 'mono16'"


def test_the_cause_stays_the_same_while_only_numbers_change():
    def cause(gap_s: float, received: int) -> str:
        inputs = report("rgb", received=received), report("thermal")
        return explain_no_pairs(inputs, silence_s=received, best_gap_s=gap_s, slop_s=0.05).cause()

    assert cause(0.08, 5) == cause(0.0713, 99)
    assert cause(0.08, 5) != cause(0.01, 5)
