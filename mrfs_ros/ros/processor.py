"""The worker between mailbox and publishers: one pair at a time through the engine, never dying of a bad one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from std_msgs.msg import Header

from mrfs_ros.camera.messages import output_header
from mrfs_ros.config import NodeConfig
from mrfs_ros.engine.protocol import Engine
from mrfs_ros.errors import ImageError
from mrfs_ros.pair_outputs import PairOutputs
from mrfs_ros.preprocess import Preprocessor
from mrfs_ros.process import CameraPair, process_pairs
from mrfs_ros.ros.mailbox import Mailbox
from mrfs_ros.ros.statistics import Statistics
from mrfs_ros.types import RGB, THERMAL


@dataclass(frozen=True)
class Work:
    """A pair of messages (None for a camera that is missing) and when it was complete (steady seconds)."""

    rgb: Any | None
    thermal: Any | None
    complete_s: float

    def header(self, reference: str) -> Header:
        """The header of the results; see ``output_header``."""
        return Header(**output_header(self.rgb, self.thermal, reference)._asdict())

    @property
    def grid(self) -> int:
        """``RGB`` or ``THERMAL``: the camera whose pixel grid the results are on."""
        return THERMAL if self.rgb is None else RGB


class Processor(threading.Thread):
    """Takes ``Work`` out of ``mailbox`` until it is closed.

    ``publish(made, work, header)`` sends what is made of a pair; ``now_ns()`` is the node's clock;
    ``skip(reason, text)`` counts and reports what could not be used; ``config()`` gives the parameters of the moment,
    ``preprocessor()`` what reads images by them, ``want_confidence()`` whether anybody wants that.
    """

    def __init__(
        self,
        *,
        engine: Engine,
        mailbox: Mailbox[Work],
        statistics: Statistics,
        config: Callable[[], NodeConfig],
        preprocessor: Callable[[], Preprocessor],
        want_confidence: Callable[[], bool],
        publish: Callable,
        skip: Callable[[str, str], None],
        now_ns: Callable[[], int],
    ):
        super().__init__(name="mrfs processor", daemon=True)
        self._engine = engine
        self._mailbox = mailbox
        self._statistics = statistics
        self._config = config
        self._preprocessor = preprocessor
        self._want_confidence = want_confidence
        self._publish = publish
        self._skip = skip
        self._now_ns = now_ns

    def run(self) -> None:
        while (work := self._mailbox.take()) is not None:
            self._process(work)

    def _process(self, work: Work) -> None:
        """Answer one pair; whatever goes wrong with it, the next may be fine: count, tell, go on."""
        stage = "engine"
        try:
            config = self._config()
            header = work.header(config.reference_camera)
            stamp_ns = header.stamp.sec * 10**9 + header.stamp.nanosec
            if self._is_too_old(stamp_ns, config.max_age_s):
                return
            preprocessor = self._preprocessor()
            confidence = {"confidence": self._want_confidence(), "min_confidence": config.min_confidence}
            pair = CameraPair(preprocessor, work.rgb, work.thermal)
            [(images, result)] = process_pairs(self._engine, [pair], **confidence)
            stage = "publishing"
            celsius = partial(preprocessor.celsius, work.thermal, images)
            self._publish(PairOutputs(images, result, self._engine.info, config, celsius), work, header)
            self._note(stamp_ns, work)
        except ImageError as error:
            self._skip(error.reason, str(error))
        except Exception as error:
            self._statistics.last_failure_s = time.monotonic()
            self._skip(*_failure(stage, error))

    def _is_too_old(self, stamp_ns: int, max_age_s: float) -> bool:
        age_s = (self._now_ns() - stamp_ns) / 1e9
        if not max_age_s or age_s <= max_age_s:
            return False
        self._skip(
            "too_old",
            f"the pair is {age_s:.2f} s old, max_age_s is {max_age_s:g}: the node is too slow for the cameras' rate, "
            "or clocks differ (a bag without --clock?)",
        )
        return True

    def _note(self, stamp_ns: int, work: Work) -> None:
        now_ns = self._now_ns()
        self._statistics.age_s = (now_ns - stamp_ns) / 1e9
        self._statistics.outputs.note(now_ns)
        self._statistics.output_stamps.note(stamp_ns)
        self._statistics.note_latency(1000 * (time.monotonic() - work.complete_s))


def _failure(stage: str, error: Exception) -> tuple[str, str]:
    """(reason, text) of an error that is not the image's fault."""
    lines = str(error).strip().splitlines() or ["no text"]
    text = f"the {stage} failed: {type(error).__name__}: {lines[0]}"
    if isinstance(error, MemoryError) or "out of memory" in str(error) or "allocate memory" in str(error):
        return "out_of_memory", f"{text}; use smaller images or another device"
    return f"{stage}_error", text
