"""The node's state as diagnostic_msgs, for rqt_robot_monitor, aggregators and greenwave_monitor, in every state."""

from __future__ import annotations

from dataclasses import dataclass

from builtin_interfaces.msg import Time as TimeMessage
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from mrfs_ros.config import NodeConfig
from mrfs_ros.engine.protocol import UNTRAINED_NOTICE, EngineInfo
from mrfs_ros.ros.statistics import Statistics

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR
FAILURE_SHOWN_S = 5.0  # an engine failure stays visible for this long
ACTIVE = "active"  # as lifecycle_msgs calls it
ASLEEP = "asleep: no subscriber on any output"


@dataclass(frozen=True)
class Snapshot:
    """The active node at one moment; times of ``now_ns`` by the node's clock, ``now_s`` by a steady one."""

    name: str
    fused_topic: str
    now_ns: int
    now_s: float
    enabled: bool
    asleep: bool  # nobody subscribes to an output
    missing: tuple[str, ...]  # cameras that are silent
    no_pairs: str  # the watchdog's text, empty while pairs come
    best_gap_s: float | None  # between images that made no pair
    pair_gap_s: float | None  # median of the last pairs
    refused: str  # why images could not be used since the last pair, empty if they could
    working: bool  # the worker lives
    jumps: int
    thermal_window: str  # in words
    corrections: int
    registration: str  # in words
    camera_info: str  # in words
    device: dict[str, str]  # what the engine says of its device


def diagnostics(snapshot: Snapshot, config: NodeConfig, info: EngineInfo, statistics: Statistics) -> DiagnosticArray:
    """The whole array: inputs, sync, inference, device, and the fused topic with the keys that greenwave reads."""
    contents = {
        f"{snapshot.name}: inputs": _inputs(snapshot, config, statistics),
        f"{snapshot.name}: sync": _sync(snapshot, config, statistics),
        f"{snapshot.name}: inference": _inference(snapshot, info, statistics),
        f"{snapshot.name}: device": (OK, info.device, _device(info, snapshot.device)),
        snapshot.fused_topic: _output(snapshot, config, statistics),
    }
    return _array(snapshot.now_ns, info.device, contents)


def diagnostics_at_rest(
    *,
    name: str,
    fused_topic: str,
    now_ns: int,
    state: str,
    failure: str,
    info: EngineInfo | None,
    device: dict[str, str],
) -> DiagnosticArray:
    """The same statuses while the node is not active, so that no monitor takes them for lost.

    ``failure``: why the last transition failed, empty if it did not. ``info``: None without an engine.
    """
    hardware = "" if info is None else info.device
    text = f"{state}: {failure}" if failure else state
    contents = {f"{name}: {part}": (OK, state, {}) for part in ("inputs", "sync")}
    known = {} if info is None else _network(info)
    contents[f"{name}: inference"] = (ERROR if failure else OK, text, {"state": state, **known})
    contents[f"{name}: device"] = (OK, hardware or state, {} if info is None else _device(info, device))
    contents[fused_topic] = (OK, state, {})
    return _array(now_ns, hardware, contents)


def _device(info: EngineInfo, report: dict[str, str]) -> dict[str, object]:
    return {"backend": info.backend, "variant": info.variant, **report}


def _network(info: EngineInfo) -> dict[str, object]:
    return {
        "weights": info.weights or UNTRAINED_NOTICE,
        "weights sha256": info.sha256,
        "encoder side": str(info.encoder_side),
        "classes": f"{info.classes.name}: {', '.join(info.classes.names)}",
    }


def _inputs(snapshot: Snapshot, config: NodeConfig, statistics: Statistics):
    rates = [meter.rate_hz(snapshot.now_ns) for meter in statistics.inputs]
    values = {
        "rgb received": statistics.inputs[0].count,
        "rgb rate [Hz]": f"{rates[0]:.2f}",
        "thermal received": statistics.inputs[1].count,
        "thermal rate [Hz]": f"{rates[1]:.2f}",
        "on_missing": config.on_missing,
        "thermal window": snapshot.thermal_window,
        "thermal flat-field corrections": snapshot.corrections,
        "registration": snapshot.registration,
        "camera_info": snapshot.camera_info,
        **{f"dropped {reason}": count for reason, count in sorted(statistics.drops().items())},
    }
    if snapshot.missing:
        return ERROR, f"no image from {' and '.join(snapshot.missing)} (on_missing: {config.on_missing})", values
    if snapshot.no_pairs and snapshot.refused:
        return ERROR, f"images cannot be used: {snapshot.refused}", values
    return OK, f"rgb {rates[0]:.1f} Hz, thermal {rates[1]:.1f} Hz", values


def _sync(snapshot: Snapshot, config: NodeConfig, statistics: Statistics):
    rate = statistics.pairs.rate_hz(snapshot.now_ns)
    gap, waiting = ("" if g is None else f"{g:.4f}" for g in (snapshot.pair_gap_s, snapshot.best_gap_s))
    fastest = max(meter.rate_hz(snapshot.now_ns) for meter in statistics.inputs)
    values = {
        "pairs": statistics.pairs.count,
        "rate [Hz]": f"{rate:.2f}",
        "slop [s]": config.slop_s,
        "gap in pairs, median [s]": gap,
        "best gap without pair [s]": waiting,
        "time jumps": snapshot.jumps,
    }
    if snapshot.no_pairs:
        return WARN, snapshot.no_pairs, values
    if snapshot.asleep:
        return OK, ASLEEP, values
    if snapshot.pair_gap_s and fastest * abs(snapshot.pair_gap_s) > 0.5:
        text = (
            f"pairs are {abs(snapshot.pair_gap_s):.3f} s apart, more than half the period of {1 / fastest:.3f} s: one "
            "camera is a frame behind; lower slop_s, or set thermal_time_offset_s if the gap is constant"
        )
        return WARN, text, values
    return OK, f"{rate:.1f} pairs/s", values


def _inference(snapshot: Snapshot, info: EngineInfo, statistics: Statistics):
    p50, p95 = statistics.latency_ms(0.5), statistics.latency_ms(0.95)
    values = {
        "state": ACTIVE,
        "published": statistics.outputs.count,
        "latency p50 [ms]": f"{p50:.1f}",
        "latency p95 [ms]": f"{p95:.1f}",
        "age [s]": f"{statistics.age_s:.3f}",
        **_network(info),
    }
    if not snapshot.working:
        return ERROR, "the worker ended; restart the node and report its log", values
    if snapshot.now_s - statistics.last_failure_s < FAILURE_SHOWN_S:
        return ERROR, "a frame failed in the last seconds; see the log and the drop counts", values
    if not snapshot.enabled:
        return OK, "switched off by the enable service", values
    if info.untrained:
        return WARN, UNTRAINED_NOTICE, values
    if snapshot.asleep:
        return OK, ASLEEP, values
    return OK, f"latency {p50:.0f} ms (p50), {p95:.0f} ms (p95)", values


def _output(snapshot: Snapshot, config: NodeConfig, statistics: Statistics):
    rate = statistics.outputs.rate_hz(snapshot.now_ns)
    expected = config.expected_rate_hz
    tolerance = 0.1 * expected
    values = {
        "frame_rate_node": f"{rate:.3f}",
        "frame_rate_msg": f"{statistics.output_stamps.rate_hz():.3f}",
        "current_delay_from_realtime_ms": f"{1000 * statistics.age_s:.3f}",
        "expected_frequency": f"{expected:.3f}",
        "tolerance": f"{tolerance:.3f}",
    }
    if snapshot.asleep:
        return OK, ASLEEP, values
    if expected and rate < expected - tolerance:
        return WARN, f"{rate:.1f} Hz, expected {expected:.1f} Hz", values
    return OK, f"{rate:.1f} Hz", values


def _array(now_ns: int, hardware: str, contents: dict[str, tuple[bytes, str, dict]]) -> DiagnosticArray:
    array = DiagnosticArray()
    array.header.stamp = TimeMessage(sec=now_ns // 10**9, nanosec=now_ns % 10**9)
    array.status = [_status(name, hardware, *content) for name, content in contents.items()]
    return array


def _status(name: str, hardware: str, level: bytes, message: str, values: dict[str, object]) -> DiagnosticStatus:
    pairs = [KeyValue(key=key, value=str(value)) for key, value in values.items()]
    return DiagnosticStatus(name=name, hardware_id=hardware, level=level, message=message, values=pairs)
