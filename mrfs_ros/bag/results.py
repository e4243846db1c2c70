"""All results of a run together: made, written in step with the diary, finished."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from mrfs_ros.bag.codec import Codec
from mrfs_ros.bag.frame import Frame
from mrfs_ros.bag.journal import Entry, Journal
from mrfs_ros.bag.measures import class_shares, frame_metrics, metric_names
from mrfs_ros.bag.pipeline import Answered, Failed
from mrfs_ros.bag.plan import Plan
from mrfs_ros.bag.salvage import Record
from mrfs_ros.bag.settings import LIVE, BagSettings
from mrfs_ros.bag.sinks.bag_sink import BagSink
from mrfs_ros.bag.sinks.image_files import pair_files, result_files
from mrfs_ros.bag.sinks.protocol import Sink
from mrfs_ros.bag.sinks.report_sink import ReportSink
from mrfs_ros.bag.sinks.rerun_sink import RerunSink
from mrfs_ros.bag.sinks.video import Video
from mrfs_ros.bag.table import write_table
from mrfs_ros.engine.protocol import UNTRAINED_NOTICE, EngineInfo


class Results:
    """Takes what comes out of the pipeline; results that are at their target already are complete and left alone."""

    def __init__(
        self,
        settings: BagSettings,
        plan: Plan,
        codec: Codec,
        info: EngineInfo,
        journal: Journal,
        facts: Mapping[str, str],
        report_facts: Callable[[], Mapping[str, str]],
    ):
        """``facts`` go into the bag; ``report_facts`` are asked for in the end, for the web page."""
        self._settings = settings
        self._info = info
        self._codec = codec
        self._journal = journal
        self._measured = bool(settings.csv or settings.report)
        self._bag: BagSink | None = None
        self._sinks: list[Sink] = []
        self._add_sinks(plan, facts, report_facts)

    def _add_sinks(self, plan: Plan, facts: Mapping[str, str], report_facts: Callable[[], Mapping[str, str]]) -> None:
        asked, classes, entries = self._settings, self._info.classes, self._journal.entries
        notice = UNTRAINED_NOTICE if self._info.untrained else ""
        look: dict[str, Any] = {"notice": notice, "opacity": asked.node.overlay_opacity}
        if _wanted(asked.out):
            self._bag = BagSink(
                Path(asked.out),
                self._codec,
                classes,
                with_overlay=asked.overlay,
                compressed=asked.compressed,
                storage=asked.storage,
                copied=plan.copied,
                facts=facts,
                **look,
            )
            self._sinks.append(self._bag)
        if _wanted(asked.video):
            self._sinks.append(Video(Path(asked.video), classes, rate_hz=plan.rate_hz, **look))
        if _wanted(asked.frames):
            self._sinks.append(result_files(Path(asked.frames), classes, entries=entries, **look))
        if _wanted(asked.pairs):
            self._sinks.append(pair_files(Path(asked.pairs), entries=entries))
        if _wanted(asked.report):
            self._sinks.append(ReportSink(Path(asked.report), classes, notice, entries=entries, facts=report_facts))
        if asked.rerun == LIVE or _wanted(asked.rerun):  # last: a viewer can go away
            self._sinks.append(RerunSink(None if asked.rerun == LIVE else Path(asked.rerun), classes, notice))

    def resume(self, answered: int) -> None:
        """Get every result ready to take the frame after ``answered`` ones."""
        for sink in self._sinks:
            sink.resume(answered)

    def encode(self, item: Answered | Failed | Record) -> tuple[Entry, Frame, list[Any]] | Failed | Record:
        """The costly part, for several threads."""
        if not isinstance(item, Answered):
            return item
        frame = _frame(item, self._settings.node.reference_camera)
        entry = Entry(
            frame.index,
            frame.stamp_ns,
            frame.rgb_stamp_ns,
            frame.thermal_stamp_ns,
            frame.log_ns,
            frame.seconds,
            class_shares(frame.result.labels, len(self._info.classes)),
            frame_metrics(frame, self._settings.metrics) if self._measured else {},
            unpaired=item.decoded.pair.unpaired,
        )
        return entry, frame, [sink.encode(frame) for sink in self._sinks]

    def write(self, item: tuple[Entry, Frame, list[Any]] | Failed | Record) -> Entry | None:
        """Write an item to every result, then to the diary; its entry, if it is a pair."""
        if isinstance(item, Record):
            if self._bag:
                self._bag.copy(item)
            return None
        if isinstance(item, Failed):
            entry = _failed_entry(item, self._settings.node.reference_camera)
        else:
            entry, frame, encoded = item
            for sink, content in zip(self._sinks, encoded):
                sink.write(frame, content)
        self._journal.add(entry)
        return entry

    def finish(self) -> None:
        """Complete all results and move them to where they belong."""
        if _wanted(self._settings.csv):
            names = metric_names(self._settings.metrics)
            write_table(Path(self._settings.csv), self._journal.entries(), self._info.classes, names)
        for sink in self._sinks:
            sink.finish()

    def close(self) -> None:
        """Let go of everything that is open; unfinished results stay for the next run."""
        for sink in self._sinks:
            with suppress(Exception):  # the error that brought us here matters more
                sink.close()


def _wanted(target: str) -> bool:
    return bool(target) and not Path(target).exists()


def _frame(item: Answered, reference: str) -> Frame:
    pair = item.decoded.pair
    header = pair.header(reference)
    return Frame(
        item.decoded.index,
        header.stamp.sec * 10**9 + header.stamp.nanosec,
        header.frame_id,
        *pair.times_ns,
        pair.log_ns,
        item.decoded.images.rgb,
        item.decoded.images.thermal,
        item.result,
        item.seconds,
    )


def _failed_entry(item: Failed, reference: str) -> Entry:
    pair = item.pair
    header = pair.header(reference)
    return Entry(
        item.index,
        header.stamp.sec * 10**9 + header.stamp.nanosec,
        *pair.times_ns,
        pair.log_ns,
        problem=item.text,
        reason=item.reason,
        unpaired=pair.unpaired,
    )
