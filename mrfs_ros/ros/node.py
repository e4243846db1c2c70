"""The ROS 2 node: subscriptions, pairs, mailbox, worker, publishers, and what it tells about itself."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from difflib import get_close_matches
from functools import partial

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType, JumpThreshold, TimeJump
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import ReliabilityPolicy, qos_policy_name_from_kind
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header
from std_srvs.srv import SetBool

try:
    from rclpy.event_handler import SubscriptionEventCallbacks
except ImportError:  # ROS 2 Humble
    from rclpy.qos_event import SubscriptionEventCallbacks

from mrfs_ros.bag.yaml_parameters import unused_sections
from mrfs_ros.camera.messages import stamp_ns
from mrfs_ros.config import NodeConfig
from mrfs_ros.engine import Engine
from mrfs_ros.engine.encoder_side import AUTO
from mrfs_ros.errors import ConfigError, ImageError, MrfsError
from mrfs_ros.pairing.pair_source import PairSource
from mrfs_ros.preprocess import PairImages, Preprocessor
from mrfs_ros.ros.cv_bridge_conversion import camera_conversion
from mrfs_ros.ros.diagnostics import Snapshot, diagnostics
from mrfs_ros.ros.engine_startup import choose_encoder_side, loaded, warm_up
from mrfs_ros.ros.feature_publisher import FeatureSheets
from mrfs_ros.ros.graph import publishers_of
from mrfs_ros.ros.mailbox import Mailbox
from mrfs_ros.ros.message_filters_pairing import pairing_kind
from mrfs_ros.ros.node_parameters import (
    changed,
    declare_parameters,
    params_files,
    unknown_parameters,
    unknown_qos_overrides,
)
from mrfs_ros.ros.outputs import Outputs
from mrfs_ros.ros.processor import Processor, Work
from mrfs_ros.ros.qos import profile, publisher, subscription
from mrfs_ros.ros.statistics import Statistics
from mrfs_ros.ros.topics import camera_info_topic
from mrfs_ros.ros.watchdog import TRANSPORT_TYPES, Explanation, InputReport, explain_no_pairs
from mrfs_ros.types import CAMERAS, RGB, THERMAL, FusionResult

IMAGE_TYPES = {"raw": Image, "compressed": CompressedImage}
TOPICS = ("rgb/image", "thermal/image")
WARN_EVERY_S = 5.0  # a reason for skipping images is reported this often at most
STOP_WAIT_S = 1.0  # how long a frame in a network may hold up the end of the node


class MrfsNode(Node):
    """Pairs of ``rgb/image`` and ``thermal/image`` in, ``~/fused``, ``~/segmentation`` and ``~/overlay`` out.

    ``engine``: for tests and for teams with an engine of their own; by default loaded as the parameters say.
    Raises MrfsError for parameters or weights that cannot be used.
    """

    def __init__(self, engine: Engine | None = None, **node_arguments):
        super().__init__("mrfs", **node_arguments)
        begin_s = time.monotonic()
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._config = declare_parameters(self)
        self._report_parameters()
        config = self._config
        conversion, self._conversion_report = camera_conversion()
        self._preprocessor = Preprocessor(config, self.get_logger().warning, conversion=conversion)
        self._engine = engine or loaded(config)
        loaded_s = time.monotonic()
        warmup_size = config.warmup_height, config.warmup_width
        warm_up(self._engine, self._preprocessor, warmup_size)
        if config.encoder_side == AUTO:
            choose_encoder_side(self._engine, self._preprocessor, warmup_size, config.target_rate_hz)
        ready_s = time.monotonic()
        self._enabled = True
        self._camera_info: list[CameraInfo | None] = [None, None]  # of each camera
        self._told: dict[str, float] = {}
        self._first_pair_s: float | None = None
        self._forget_reasons()
        self._last_pair_s = ready_s
        self._levels: list = []
        self._device = self._ask_device()
        self._statistics = Statistics()
        self._mailbox: Mailbox[Work] = Mailbox()
        self._outputs = Outputs(self, config.output_qos, self._engine.info)
        self._features = FeatureSheets(self, lambda: self._config, self._engine.info, loaded=engine is None)
        self._source = PairSource(self._pairing_of(config), start_s=ready_s, say=self.get_logger().warning)
        self._apply(config)
        self._processor = Processor(
            engine=self._engine,
            mailbox=self._mailbox,
            statistics=self._statistics,
            config=lambda: self._config,
            preprocessor=lambda: self._preprocessor,
            publish=self._publish,
            skip=self._skip,
            now_ns=self._now_ns,
        )
        self._processor.start()
        self._features.start()
        self._open_services()
        self._open_inputs()
        self._report_start(loaded_s - begin_s, ready_s - loaded_s)

    def _report_start(self, loading_s: float, warm_up_s: float) -> None:
        log, config = self.get_logger(), self._config
        if self._engine.info.untrained:
            log.warning("UNTRAINED network: fused images and masks mean nothing; set the parameter weights")
        if config.target_rate_hz and config.encoder_side != AUTO:
            log.warning(f"target_rate_hz has no effect: it is for encoder_side: auto, not {config.encoder_side}")
        log.info(
            f"ready in {loading_s + warm_up_s:.1f} s (engine {loading_s:.1f} s, warm-up at {config.warmup_height}x"
            f"{config.warmup_width} {warm_up_s:.1f} s): {self._engine.info}; pairs by "
            f"{pairing_kind().__name__}; {self._conversion_report}; listening on "
            + " and ".join(end.topic_name for end in self._subscriptions_in)
            + f", for camera_info on {self._camera_info_in.topic_name}"
        )

    def close(self) -> bool:
        """Stop the workers; False if a frame is still in one's network after ``STOP_WAIT_S``."""
        deadline = time.monotonic() + STOP_WAIT_S
        self._mailbox.close()
        self._features.stop()
        workers = self._processor, self._features
        for worker in workers:
            worker.join(max(0.0, deadline - time.monotonic()))
        return not any(worker.is_alive() for worker in workers)

    # Inputs -----------------------------------------------------------------------------------------------------

    def _open_inputs(self) -> None:
        config = self._config
        self._subscriptions_in, self._input_qos = [], []
        for camera, (topic, transport) in enumerate(zip(TOPICS, (config.rgb_transport, config.thermal_transport))):
            events = SubscriptionEventCallbacks(incompatible_qos=partial(self._on_incompatible_qos, camera))
            qos, callback = profile(config.input_qos, config.qos_depth), partial(self._on_image, camera)
            self._subscriptions_in.append(
                subscription(self, IMAGE_TYPES[transport], topic, callback, qos, event_callbacks=events)
            )
            self._input_qos.append(qos)
        rgb, thermal = (self._camera_info_topic(camera) for camera in (RGB, THERMAL))
        self._camera_info_in = self._listen_for_camera_info(RGB, rgb)
        if thermal != rgb:  # where images of both lie side by side, it is rgb's
            self._thermal_info_in = self._listen_for_camera_info(THERMAL, thermal)
        if lost := unknown_qos_overrides(self):
            self.get_logger().warning(f"qos_overrides of topics or policies that this node does not have: {lost}")

    def _camera_info_topic(self, camera: int) -> str:
        name = f"{CAMERAS[camera]}/camera_info"
        topic = self.resolve_topic_name(name)
        if topic != self.resolve_topic_name(name, only_expand=True):
            return topic
        return camera_info_topic(self._subscriptions_in[camera].topic_name)  # not remapped: beside the images

    def _listen_for_camera_info(self, camera: int, topic: str) -> Subscription:
        callback = partial(self._camera_info.__setitem__, camera)
        return subscription(self, CameraInfo, topic, callback, profile("sensor_data", 1))

    def _on_image(self, camera: int, message: Image | CompressedImage) -> None:
        now_s = time.monotonic()
        self._statistics.inputs[camera].note(self._now_ns())
        self._source.heard(camera, now_s)
        if not self._enabled:
            return
        # Bad images end here: one that reached the mailbox could push a good pair out of it.
        try:
            self._preprocessor.check_message(camera, message)
            self._on_good_image(camera, message, now_s)
        except ImageError as error:
            self._refused = str(error)
            self._skip(error.reason, str(error))

    def _on_good_image(self, camera: int, message: Image | CompressedImage, now_s: float) -> None:
        pair = self._source.add(camera, stamp_ns(message), message, now_s)
        if pair is None:
            return
        self._preprocessor.check(*pair)
        self._last_pair_s = now_s
        self._forget_reasons()
        self._statistics.pairs.note(self._now_ns())
        if self._mailbox.put(Work(*pair, now_s)):
            self._statistics.drop("replaced_by_newer")

    def _forget_reasons(self) -> None:
        self._no_pairs = self._told_cause = self._refused = ""

    def _on_incompatible_qos(self, camera: int, event) -> None:
        policy = qos_policy_name_from_kind(event.last_policy_kind)
        overridden = self._asks_reliable(camera) != (self._config.input_qos == "reliable")
        asks = "qos_overrides" if overridden else f"input_qos: {self._config.input_qos}"
        way = "change qos_overrides" if overridden else "set input_qos: sensor_data"
        remedy = f"{way}, or make" if policy == "RELIABILITY" else "make"
        self.get_logger().error(
            f"{self._subscriptions_in[camera].topic_name}: a publisher offers another {policy} than "
            f"{asks} asks for, so none of its images arrive; {remedy} the camera driver's QoS match"
        )

    # Outputs ----------------------------------------------------------------------------------------------------

    def _publish(
        self, result: FusionResult, images: PairImages, work: Work, header: Header, config: NodeConfig
    ) -> None:
        self._outputs.publish(result, images, header, self._camera_info[work.grid], config.overlay_opacity)
        self._features.offer(images, header)

    def _skip(self, reason: str, text: str) -> None:
        count = self._statistics.drop(reason)
        now_s = time.monotonic()
        if now_s - self._told.get(reason, float("-inf")) >= WARN_EVERY_S:
            self._told[reason] = now_s
            self.get_logger().warning(f"frame skipped ({reason}, {count} so far): {text}")

    # Parameters, services, timers -------------------------------------------------------------------------------

    def _report_parameters(self) -> None:
        log = self.get_logger()
        log.info("parameters: " + ", ".join(f"{name}={value!r}" for name, value in vars(self._config).items()))
        for name in unknown_parameters(self):
            near = get_close_matches(name, vars(self._config), 1) or ["one of " + ", ".join(vars(self._config))]
            log.warning(f"parameter {name} is unknown to this node and has no effect: did you mean {near[0]}?")
        for file in params_files(sys.argv):
            with suppress(MrfsError):  # ROS 2 has read it, in its own way
                if unused := unused_sections(file, self.get_fully_qualified_name()):
                    log.warning(unused)

    def _open_services(self) -> None:
        self.add_on_set_parameters_callback(self._on_parameters)
        self._enable_service = self.create_service(SetBool, "~/enable", self._on_enable)
        self._diagnostics_out = publisher(self, DiagnosticArray, "/diagnostics", profile("reliable", 10))
        self._jump_handle = self.get_clock().create_jump_callback(
            JumpThreshold(min_forward=None, min_backward=Duration(nanoseconds=-1), on_clock_change=False),
            post_callback=self._on_clock_jump,
        )
        self.create_timer(1.0, self._report_each_second, clock=self._steady)
        self.create_timer(0.1, self._watch, clock=self._steady)

    def _on_clock_jump(self, jump: TimeJump) -> None:
        self._source.clock_jumped_back(-jump.delta.nanoseconds / 1e9, time.monotonic())

    def _on_parameters(self, parameters: list[Parameter]) -> SetParametersResult:
        config, answer = changed(self._config, parameters)
        if not answer.successful:
            return answer
        try:
            self._preprocessor = self._preprocessor.updated(config)
        except ConfigError as error:
            return SetParametersResult(successful=False, reason=str(error))
        self._apply(config)
        return answer

    def _apply(self, config: NodeConfig) -> None:
        old, self._config = self._config, config
        if (old.slop_s, old.sync_queue_size) != (config.slop_s, config.sync_queue_size):
            self._source.restart(self._pairing_of(config))
        self._source.thermal_offset_ns = round(config.thermal_time_offset_s * 1e9)
        self._source.on_missing = config.on_missing
        self._source.missing_timeout_s = config.missing_timeout_s

    @staticmethod
    def _pairing_of(config: NodeConfig) -> partial:
        return partial(pairing_kind(), slop_s=config.slop_s, queue_size=config.sync_queue_size)

    def _on_enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self._enabled = request.data
        self._last_pair_s = time.monotonic()
        self._forget_reasons()
        response.success = True
        response.message = "inference is on" if request.data else "inference is off; images are counted and dropped"
        self.get_logger().info(response.message)
        return response

    def _watch(self) -> None:
        """Ten times a second: notice what changed."""
        self._source.watch(time.monotonic())
        self._report(due=False)

    def _report_each_second(self) -> None:
        silence_s = time.monotonic() - self._last_pair_s
        if self._enabled and silence_s > self._config.sync_warning_s:
            explanation = self._explain(silence_s)
            self._no_pairs = str(explanation)
            if explanation.cause() != self._told_cause:
                self._told_cause = explanation.cause()
                self.get_logger().warning(self._no_pairs)
        self._tell_camera_info()
        self._device = self._ask_device()
        self._report(due=True)

    def _tell_camera_info(self) -> None:
        """Once, when pairs have come for a while and no camera_info has."""
        pairs = self._statistics.pairs.count
        if self._camera_info[RGB] is not None or not pairs or "camera_info" in self._told:
            return
        self._first_pair_s = self._first_pair_s or time.monotonic()
        if time.monotonic() - self._first_pair_s > self._config.sync_warning_s:
            self._told["camera_info"] = time.monotonic()
            self.get_logger().info(
                f"camera_info: {self._camera_info_report()}: ~/camera_info stays silent; remap rgb/camera_info if it "
                "is elsewhere"
            )

    def _ask_device(self) -> dict[str, str]:
        try:
            return self._engine.device_report()
        except Exception as error:  # a broken GPU must not end the node through its diagnostics
            return {"error": f"{type(error).__name__}: {error}"}

    def _report(self, due: bool) -> None:
        """Publish diagnostics when ``due``, and between times as soon as a status changes its level."""
        snapshot = Snapshot(
            name=self.get_fully_qualified_name().lstrip("/"),
            fused_topic=self._outputs.fused_topic,
            now_ns=self._now_ns(),
            now_s=time.monotonic(),
            enabled=self._enabled,
            missing=tuple(self._source.missing()),
            no_pairs=self._no_pairs,
            best_gap_s=self._source.best_gap_s,
            pair_gap_s=self._source.pair_gap_s(),
            refused=self._refused,
            working=self._processor.is_alive(),
            jumps=self._source.jumps,
            thermal_window=self._preprocessor.window.state,
            shutter_events=self._preprocessor.window.events,
            registration=self._preprocessor.registration,
            camera_info=self._camera_info_report(),
            device=self._device,
        )
        array = diagnostics(snapshot, self._config, self._engine.info, self._statistics)
        levels = [status.level for status in array.status]
        if due or levels != self._levels:
            self._levels = levels
            self._diagnostics_out.publish(array)

    def _explain(self, silence_s: float) -> Explanation:
        clock_stands = self.get_parameter("use_sim_time").value and not self.count_publishers("/clock")
        return explain_no_pairs(
            (self._input_report(0), self._input_report(1)),
            silence_s=silence_s,
            best_gap_s=self._source.best_gap_s,
            slop_s=self._config.slop_s,
            refused=self._refused,
            clock_stands=clock_stands,
        )

    def _input_report(self, camera: int) -> InputReport:
        topic = self._subscriptions_in[camera].topic_name
        meter = self._statistics.inputs[camera]
        silent = self._source.silence_s(camera, time.monotonic()) > self._config.sync_warning_s
        transport = self._config.rgb_transport if camera == RGB else self._config.thermal_transport
        kind = TRANSPORT_TYPES[transport]
        there = publishers_of(self, topic, kind, {end.topic_name for end in self._subscriptions_in})
        return InputReport(
            name=CAMERAS[camera],
            topic=topic,
            received=meter.count,
            rate_hz=0.0 if silent else meter.rate_hz(),
            silent=silent,
            publishers=there.reliability,
            asks_reliable=self._asks_reliable(camera),
            alternatives=there.alternatives,
            kind=kind,
            others=there.others,
        )

    def _asks_reliable(self, camera: int) -> bool:
        return self._input_qos[camera].reliability == ReliabilityPolicy.RELIABLE

    def _camera_info_report(self) -> str:
        """Where camera_info is looked for, and whether it comes."""
        topic = self._camera_info_in.topic_name
        if self._camera_info[RGB] is not None:
            return f"from {topic}"
        return f"none came on {topic}" + ("" if self.count_publishers(topic) else ", which nobody publishes")

    def _now_ns(self) -> int:
        return self.get_clock().now().nanoseconds
