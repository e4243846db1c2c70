"""The configured node's parts, from configure to cleanup: preprocessor, engine, worker, publishers, statistics."""

from __future__ import annotations

import threading
import time

from rclpy.node import Node
from rclpy.publisher import Publisher
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from mrfs_ros.config import NodeConfig
from mrfs_ros.engine import Engine
from mrfs_ros.engine.allocator import keep_memory, release_memory
from mrfs_ros.engine.encoder_side import AUTO
from mrfs_ros.pair_outputs import PairOutputs, check_outputs
from mrfs_ros.preprocess import Preprocessor
from mrfs_ros.process import gives_confidence
from mrfs_ros.ros.cv_bridge_conversion import camera_conversion
from mrfs_ros.ros.engine_startup import choose_encoder_side, loaded, warm_up
from mrfs_ros.ros.feature_publisher import FeatureSheets
from mrfs_ros.ros.mailbox import Mailbox
from mrfs_ros.ros.message_filters_pairing import pairing_kind
from mrfs_ros.ros.outputs import Outputs
from mrfs_ros.ros.processor import Processor, Work
from mrfs_ros.ros.statistics import Statistics
from mrfs_ros.types import RGB, THERMAL

WARN_EVERY_S = 5.0  # a reason for skipping images is reported this often at most


class Pipeline:
    """Takes pairs of messages and publishes their results while it is ``active``; weights are loaded when it is made.

    ``engine``: one of its user's own; None = as ``config`` says. Raises MrfsError for parameters or weights that cannot
    be used; what it had opened on ``node`` until then is closed.
    """

    def __init__(self, node: Node, config: NodeConfig, engine: Engine | None):
        self._node, self.config = node, config
        self.camera_info: list[CameraInfo | None] = [None, None]  # of each camera
        self.statistics = Statistics()
        self._told: dict[str, float] = {}
        self._publishing = threading.Lock()
        self._active = False
        before = set(node.publishers)
        self._publishers: set[Publisher] = set()
        try:
            self._load(engine)
            self._open(own_engine=engine is not None)
        except BaseException:
            self._publishers = set(node.publishers) - before
            self._destroy_publishers()
            raise
        self._publishers = set(node.publishers) - before

    def _load(self, engine: Engine | None) -> None:
        begin_s, config, log = time.monotonic(), self.config, self._node.get_logger()
        keep_memory()  # whatever the engine: images come and go
        conversion, converted_by = camera_conversion()
        self.preprocessor = Preprocessor(config, log.warning, conversion=conversion)
        self.engine = engine or loaded(config)
        check_outputs(config, self.engine)
        loaded_s = time.monotonic()
        size = config.warmup_height, config.warmup_width
        warm_up(self.engine, self.preprocessor, size)
        if config.encoder_side == AUTO:
            choose_encoder_side(self.engine, self.preprocessor, size, config.target_rate_hz)
        loading_s, warm_up_s = loaded_s - begin_s, time.monotonic() - loaded_s
        self.summary = (
            f"{loading_s + warm_up_s:.1f} s (engine {loading_s:.1f} s, warm-up at {config.warmup_height}x"
            f"{config.warmup_width} {warm_up_s:.1f} s): {self.engine.info}; pairs by {pairing_kind().__name__}; "
            + converted_by
        )
        if self.engine.info.untrained:
            log.warning("UNTRAINED network: fused images and masks mean nothing; set the parameter weights")
        if config.target_rate_hz and config.encoder_side != AUTO:
            log.warning(f"target_rate_hz has no effect: it is for encoder_side: auto, not {config.encoder_side}")

    def _open(self, *, own_engine: bool) -> None:
        self._mailbox: Mailbox[Work] = Mailbox()
        confident = gives_confidence(self.engine)
        self.outputs = Outputs(self._node, self.config.output_qos, self.engine.info, confident=confident)
        self.outputs.tell_classes(self.config.min_confidence)
        self._features = FeatureSheets(
            self._node, lambda: self.config, self.engine.info, loaded=not own_engine, active=lambda: self._active
        )
        self._processor = Processor(
            engine=self.engine,
            mailbox=self._mailbox,
            statistics=self.statistics,
            config=lambda: self.config,
            preprocessor=lambda: self.preprocessor,
            want_confidence=self.outputs.want_confidence,
            publish=self._publish,
            skip=self.skip,
            now_ns=self.now_ns,
        )
        self._processor.start()
        self._features.start()

    def apply(self, config: NodeConfig) -> None:
        """Go on with other settings; ConfigError, and nothing changes, for those that cannot be."""
        check_outputs(config, self.engine)
        self.preprocessor = self.preprocessor.updated(config)
        before, self.config = self.config, config
        if config.min_confidence != before.min_confidence:
            self.outputs.tell_classes(config.min_confidence)

    def activate(self) -> None:
        """Publish results from now on."""
        self._active = True

    def deactivate(self) -> None:
        """Publish nothing more, not even the pair that is in the network; weights stay."""
        with self._publishing:
            self._active = False
        self._mailbox.clear()

    def put(self, rgb: object | None, thermal: object | None, complete_s: float) -> None:
        """Leave a pair of messages for the worker, in place of one that it has not begun."""
        if self._mailbox.put(Work(rgb, thermal, complete_s)):
            self.statistics.drop("replaced_by_newer")

    @property
    def working(self) -> bool:
        """Does the worker live?"""
        return self._processor.is_alive()

    @property
    def listened(self) -> bool:
        """Does anybody subscribe to an output?"""
        return self.outputs.listened() or self._features.listened()

    @property
    def asleep(self) -> bool:
        """Are there no results to make, because nobody subscribes to an output?"""
        return self.config.lazy and not self.listened

    def skip(self, reason: str, text: str) -> None:
        """Count images or a pair that could not be used, and say why now and then."""
        count = self.statistics.drop(reason)
        now_s = time.monotonic()
        if now_s - self._told.get(reason, float("-inf")) >= WARN_EVERY_S:
            self._told[reason] = now_s
            self._node.get_logger().warning(f"frame skipped ({reason}, {count} so far): {text}")

    def now_ns(self) -> int:
        """The node's clock."""
        return self._node.get_clock().now().nanoseconds

    def device_report(self) -> dict[str, str]:
        """What the engine says of its device."""
        try:
            return self.engine.device_report()
        except Exception as error:  # a broken GPU must not end the node through its diagnostics
            return {"error": f"{type(error).__name__}: {error}"}

    def stop(self, timeout_s: float) -> bool:
        """End the workers; False if a frame is still in one's network after ``timeout_s``."""
        deadline = time.monotonic() + timeout_s
        self.deactivate()
        self._mailbox.close()
        self._features.stop()
        workers = self._processor, self._features
        for worker in workers:
            worker.join(max(0.0, deadline - time.monotonic()))
        return not any(worker.is_alive() for worker in workers)

    def close(self, timeout_s: float) -> bool:
        """End everything and give its memory back; as ``stop``, where it says False memory is freed later."""
        stopped = self.stop(timeout_s)
        self._destroy_publishers()
        del self.engine, self.preprocessor, self._processor, self._features
        release_memory()
        return stopped

    def _destroy_publishers(self) -> None:
        for publisher in self._publishers:
            self._node.destroy_publisher(publisher)
        self._publishers = set()

    def _publish(self, made: PairOutputs, work: Work, header: Header) -> None:
        with self._publishing:
            if self._active:
                self.outputs.publish(made, header, self.camera_info[THERMAL if work.rgb is None else RGB])
                self._features.offer(made.images, header)
