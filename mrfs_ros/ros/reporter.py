"""Reports of the node, ten times a second: diagnostics, and warnings when pairs or camera_info do not come."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType

from mrfs_ros.ros.diagnostics import Snapshot, diagnostics, diagnostics_at_rest
from mrfs_ros.ros.qos import profile, publisher
from mrfs_ros.ros.watchdog import explain_no_pairs
from mrfs_ros.types import RGB, THERMAL

if TYPE_CHECKING:
    from mrfs_ros.ros.node import MrfsNode

WATCH_NS, REST_NS = 100_000_000, 500_000_000  # period of the looks at what changed; while there is nothing to do


class Reporter:
    """Publishes ``node``'s diagnostics every second, and between times as soon as a status changes its level."""

    def __init__(self, node: MrfsNode):
        self._node = node
        self._out = publisher(node, DiagnosticArray, "/diagnostics", profile("reliable", 10))
        self._levels: list[bytes] = []
        self.begin_activity()
        self._device: dict[str, str] = {}
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        node.create_timer(1.0, self._each_second, clock=steady)
        self._watch_timer = node.create_timer(WATCH_NS / 1e9, self._watch, clock=steady)

    def begin_activity(self) -> None:
        """Forget what was told: the node becomes active."""
        self.forget_reasons()
        self._pairs = 0  # when last looked
        self._first_pair_s: float | None = None
        self._told_camera_info = False

    def forget_reasons(self) -> None:
        """Pairs come again, or none are expected."""
        self.no_pairs = self._told_cause = ""

    def publish(self) -> None:
        """Publish the diagnostics now: the node's state has changed."""
        self._device = {} if self._node.pipeline is None else self._node.pipeline.device_report()
        self._report(due=True)

    def _watch(self) -> None:
        """Notice what changed."""
        at_rest = self._node.inputs is None or self._node.inputs.at_rest
        period_ns = REST_NS if at_rest else WATCH_NS
        if period_ns != self._watch_timer.timer_period_ns:
            self._watch_timer.timer_period_ns = period_ns
        if (inputs := self._node.inputs) is not None:
            inputs.watch()
            if self._node.pipeline.statistics.pairs.count != self._pairs:
                self._pairs = self._node.pipeline.statistics.pairs.count
                self.forget_reasons()
        self._report(due=False)

    def _each_second(self) -> None:
        if self._node.inputs is not None:
            self._explain_silence()
            self._tell_camera_info()
        self.publish()

    def _explain_silence(self) -> None:
        """Warn, once for each reason, when no pair comes though one should."""
        inputs, pipeline, now_s = self._node.inputs, self._node.pipeline, time.monotonic()
        if pipeline.asleep and not any(inputs.silent(camera) for camera in (RGB, THERMAL)):
            inputs.last_pair_s = now_s  # no pairs are made, but the cameras are there
            self.forget_reasons()
        silence_s = now_s - inputs.last_pair_s
        if not self._node.enabled or silence_s <= pipeline.config.sync_warning_s:
            return
        clock_stands = self._node.get_parameter("use_sim_time").value and not self._node.count_publishers("/clock")
        explanation = explain_no_pairs(
            (inputs.report(RGB), inputs.report(THERMAL)),
            silence_s=silence_s,
            best_gap_s=inputs.source.best_gap_s,
            slop_s=pipeline.config.slop_s,
            refused=inputs.refused,
            clock_stands=clock_stands,
        )
        self.no_pairs = str(explanation)
        if explanation.cause() != self._told_cause:
            self._told_cause = explanation.cause()
            self._node.get_logger().warning(self.no_pairs)

    def _tell_camera_info(self) -> None:
        """Once, when pairs have come for a while and no camera_info has."""
        inputs, pipeline = self._node.inputs, self._node.pipeline
        if self._told_camera_info or pipeline.camera_info[RGB] is not None or not pipeline.statistics.pairs.count:
            return
        self._first_pair_s = self._first_pair_s or time.monotonic()
        if time.monotonic() - self._first_pair_s > pipeline.config.sync_warning_s:
            self._told_camera_info = True
            self._node.get_logger().info(
                f"camera_info: {inputs.camera_info_report()}: ~/camera_info stays silent; remap rgb/camera_info if it "
                "is elsewhere"
            )

    def _report(self, due: bool) -> None:
        array = self._diagnostics()
        levels = [status.level for status in array.status]
        if due or levels != self._levels:
            self._levels = levels
            self._out.publish(array)

    def _diagnostics(self) -> DiagnosticArray:
        node, inputs, pipeline = self._node, self._node.inputs, self._node.pipeline
        name, now_ns = node.get_fully_qualified_name().lstrip("/"), node.get_clock().now().nanoseconds
        fused_topic = node.resolve_topic_name("~/fused")
        if inputs is None:
            return diagnostics_at_rest(
                name=name,
                fused_topic=fused_topic,
                now_ns=now_ns,
                state=node.state,
                failure=node.failure,
                info=None if pipeline is None else pipeline.engine.info,
                device=self._device,
            )
        snapshot = Snapshot(
            name=name,
            fused_topic=fused_topic,
            now_ns=now_ns,
            now_s=time.monotonic(),
            enabled=node.enabled,
            asleep=pipeline.asleep,
            missing=tuple(inputs.source.missing()),
            no_pairs=self.no_pairs,
            best_gap_s=inputs.source.best_gap_s,
            pair_gap_s=inputs.source.pair_gap_s(),
            refused=inputs.refused,
            working=pipeline.working,
            jumps=inputs.source.jumps,
            thermal_window=pipeline.preprocessor.window.state,
            corrections=pipeline.preprocessor.window.corrections,
            registration=pipeline.preprocessor.registration,
            camera_info=inputs.camera_info_report(),
            device=self._device,
        )
        return diagnostics(snapshot, pipeline.config, pipeline.engine.info, pipeline.statistics)
