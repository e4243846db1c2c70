"""Sheets of feature maps on ``~/debug/features``, made beside the results, only for whom subscribes."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from mrfs_ros.config import NodeConfig
from mrfs_ros.engine.protocol import EngineInfo
from mrfs_ros.errors import ConfigError
from mrfs_ros.preprocess import PairImages
from mrfs_ros.ros.image_messages import image_message
from mrfs_ros.ros.mailbox import Mailbox
from mrfs_ros.ros.qos import profile, publisher

TOPIC = "~/debug/features"
NICENESS = 5  # added to the thread's: pairs come first, but on a busy machine a sheet must not take minutes
# The paper's graph runs there beside any engine: on a GPU it could disturb the capture of a CUDA graph.
DEVICE = "cpu"


@dataclass(frozen=True)
class _Pair:
    images: PairImages
    header: Header


class FeatureSheets(threading.Thread):
    """Draws the newest pair that was offered, one at a time, ``config().features_rest_s`` of rest between two.

    The network is loaded for the first sheet: ``engine`` is what the node runs, ``loaded`` whether the node loaded it
    itself. Where that has no plain network, or loading fails, the log says so once and the thread ends. ``active()``:
    may a sheet be published?
    """

    def __init__(
        self,
        node: Node,
        config: Callable[[], NodeConfig],
        engine: EngineInfo,
        *,
        loaded: bool,
        active: Callable[[], bool] = lambda: True,
    ):
        super().__init__(name="mrfs features", daemon=True)
        self._publisher = publisher(node, Image, TOPIC, profile(config().output_qos, 1))
        self._log = node.get_logger()
        self._config = config
        self._engine = engine
        self._loaded = loaded
        self._active = active
        self._mailbox: Mailbox[_Pair] = Mailbox()
        self._stopped = threading.Event()
        self._told = ""

    def listened(self) -> bool:
        """Is there somebody to draw for?"""
        return self.is_alive() and self._publisher.get_subscription_count() > 0

    def offer(self, images: PairImages, header: Header) -> None:
        """Leave a pair, if there is somebody to draw it for; never waits."""
        if self.listened():
            self._mailbox.put(_Pair(images, header))

    def stop(self) -> None:
        """Let the thread end, after the sheet that it is at."""
        self._stopped.set()
        self._mailbox.close()

    def run(self) -> None:
        _step_back()
        pair = self._mailbox.take()
        draw = None if pair is None else self._opened()
        while draw is not None and pair is not None:
            self._answer(draw, pair)
            self._stopped.wait(self._config().features_rest_s)
            pair = self._mailbox.take()

    def _opened(self) -> Callable[[PairImages], np.ndarray] | None:
        try:
            return self._open()
        except Exception as error:
            self._tell(f"no {TOPIC}: {error}")
            return None

    def _open(self) -> Callable[[PairImages], np.ndarray]:
        """What turns images into a sheet; MrfsError where there is no plain network."""
        if not self._loaded:
            raise ConfigError(
                "the node was given an engine of its own, which shows no features: expected one of a weights file"
            )
        self._log.info(f"{TOPIC} has a subscriber: loading the network a second time, for its features")
        from mrfs_ros.engine.load import load_model
        from mrfs_ros.studies.feature_maps import FeatureReader
        from mrfs_ros.studies.feature_sheet import feature_sheet

        config = self._config()
        model = load_model(config.weights, config.classes)
        if model.sha256 != self._engine.sha256:
            raise ConfigError(f"{model.weights} has changed since it was loaded: clean up and configure the node")
        reader = FeatureReader(replace(model, encoder_side=self._engine.encoder_side), DEVICE)

        def draw(images: PairImages) -> np.ndarray:
            blocks, result = reader(images.rgb, images.thermal)
            return feature_sheet(images.rgb, images.thermal, blocks, images.cut(result), reader.info)

        return draw

    def _answer(self, draw: Callable[[PairImages], np.ndarray], pair: _Pair) -> None:
        """Publish the sheet of a pair; whatever goes wrong with it, the node goes on."""
        try:
            if not self._publisher.get_subscription_count():
                return
            sheet = draw(pair.images)
            if self._active() and not self._stopped.is_set():
                self._publisher.publish(image_message(sheet, "rgb8", pair.header))
        except Exception as error:
            self._tell(f"no sheet on {TOPIC} for this pair: {type(error).__name__}: {error}")

    def _tell(self, text: str) -> None:
        """Warn, once as long as the text is the same; nobody hears what fails because the node ends."""
        if text != self._told and not self._stopped.is_set():
            self._told = text
            self._log.warning(" ".join(text.split()))


def _step_back() -> None:
    """Let other threads go before this one, and before those that it starts."""
    if sys.platform != "linux":  # elsewhere a thread has no priority of its own
        return
    thread = threading.get_native_id()
    with contextlib.suppress(OSError):  # some containers forbid it
        os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + NICENESS)
