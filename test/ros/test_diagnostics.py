"""Diagnostics: every figure under its own name, and the level that follows from it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from diagnostic_msgs.msg import DiagnosticStatus

from mrfs_ros.config import NodeConfig
from mrfs_ros.engine.protocol import EngineInfo
from mrfs_ros.ros.diagnostics import Snapshot, diagnostics
from mrfs_ros.ros.statistics import Statistics
from mrfs_ros.types import MFNET

S = 10**9
OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR
INFO = EngineInfo("torch", "cpu", "mit_b0", MFNET, "street.safetensors", sha256="abc")
GOOD = Snapshot(
    name="mrfs", fused_topic="/mrfs/fused", now_ns=100 * S, now_s=50.0, enabled=True, asleep=False, missing=(),
    no_pairs="", best_gap_s=0.0123, pair_gap_s=0.0045, refused="", working=True, jumps=3,
    thermal_window="7 to 9, standing", corrections=4, registration="calib.yaml", camera_info="from /rgb/camera_info",
    device={"memory [MB]": "12"},
)  # fmt: skip
CONFIG = NodeConfig(slop_s=0.02, on_missing="rgb_only", expected_rate_hz=5.0)


@pytest.fixture
def statistics() -> Statistics:
    """10 Hz of rgb, 20 Hz of thermal, 5 Hz of pairs, 4 Hz of results; latencies 1 to 100 ms."""
    statistics = Statistics()
    meters = (*statistics.inputs, statistics.pairs, statistics.outputs, statistics.output_stamps)
    for meter, hz in zip(meters, (10, 20, 5, 4, 2)):
        for i in range(4 * hz + 1):
            meter.note(96 * S + i * S // hz)
    for milliseconds in range(1, 101):
        statistics.note_latency(milliseconds)
    statistics.age_s = 0.25
    for reason, count in (("step", 2), ("replaced_by_newer", 7)):
        for _ in range(count):
            statistics.drop(reason)
    return statistics


def made(statistics: Statistics, snapshot: Snapshot = GOOD, config: NodeConfig = CONFIG, info: EngineInfo = INFO):
    array = diagnostics(snapshot, config, info, statistics)
    return {status.name: status for status in array.status}


def values(status: DiagnosticStatus) -> dict[str, str]:
    return {pair.key: pair.value for pair in status.values}


def test_every_figure_stands_under_its_name(statistics):
    found = {name: values(status) for name, status in made(statistics).items()}
    assert found == {
        "mrfs: inputs": {
            "rgb received": "41", "rgb rate [Hz]": "10.00", "thermal received": "81", "thermal rate [Hz]": "20.00",
            "on_missing": "rgb_only", "thermal window": "7 to 9, standing", "thermal flat-field corrections": "4",
            "registration": "calib.yaml", "camera_info": "from /rgb/camera_info", "dropped step": "2",
            "dropped replaced_by_newer": "7",
        },
        "mrfs: sync": {
            "pairs": "21", "rate [Hz]": "5.00", "slop [s]": "0.02", "gap in pairs, median [s]": "0.0045",
            "best gap without pair [s]": "0.0123", "time jumps": "3",
        },
        "mrfs: inference": {
            "state": "active", "published": "17",
            "latency p50 [ms]": "51.0", "latency p95 [ms]": "96.0", "age [s]": "0.250",
            "weights": "street.safetensors", "weights sha256": "abc", "encoder side": str(INFO.encoder_side),
            "classes": f"MFNet: {', '.join(MFNET.names)}",
        },
        "mrfs: device": {"backend": "torch", "variant": "mit_b0", "memory [MB]": "12"},
        "/mrfs/fused": {
            "frame_rate_node": "4.000", "frame_rate_msg": "2.000", "current_delay_from_realtime_ms": "250.000",
            "expected_frequency": "5.000", "tolerance": "0.500",
        },
    }  # fmt: skip


@pytest.mark.parametrize(
    "changes, status, level, text",
    [
        ({}, "mrfs: inputs", OK, "rgb 10.0 Hz, thermal 20.0 Hz"),
        ({"missing": ("rgb",)}, "mrfs: inputs", ERROR, "no image from rgb (on_missing: rgb_only)"),
        ({"no_pairs": "x", "refused": "too dark"}, "mrfs: inputs", ERROR, "images cannot be used: too dark"),
        ({"refused": "too dark"}, "mrfs: inputs", OK, "rgb 10.0 Hz"),
        ({}, "mrfs: sync", OK, "5.0 pairs/s"),
        ({"no_pairs": "no pair for 9 s"}, "mrfs: sync", WARN, "no pair for 9 s"),
        ({"pair_gap_s": -0.026}, "mrfs: sync", WARN, "pairs are 0.026 s apart, more than half the period of 0.050 s"),
        ({"pair_gap_s": -0.024}, "mrfs: sync", OK, "5.0 pairs/s"),
        ({}, "mrfs: inference", OK, "latency 51 ms (p50), 96 ms (p95)"),
        ({"working": False}, "mrfs: inference", ERROR, "the worker ended"),
        ({"enabled": False}, "mrfs: inference", OK, "switched off"),
        ({}, "/mrfs/fused", WARN, "4.0 Hz, expected 5.0 Hz"),
    ],
)
def test_levels_and_messages(statistics, changes, status, level, text):
    found = made(statistics, replace(GOOD, **changes))[status]
    assert found.level == level and text in found.message


def test_a_failure_is_shown_for_five_seconds(statistics):
    for since_s, level in ((4.9, ERROR), (5.1, OK)):
        statistics.last_failure_s = GOOD.now_s - since_s
        assert made(statistics)["mrfs: inference"].level == level


def test_an_untrained_network_is_a_warning(statistics):
    found = made(statistics, info=replace(INFO, weights=""))["mrfs: inference"]
    assert found.level == WARN and "UNTRAINED" in found.message


def test_the_rate_may_be_a_tenth_less_than_expected(statistics):
    for expected_hz, level in ((4.4, OK), (4.5, WARN), (0.0, OK)):
        assert made(statistics, config=replace(CONFIG, expected_rate_hz=expected_hz))["/mrfs/fused"].level == level
