"""All results of a run together: made, written, brought to the disk in step with the journal, finished."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from mrfs_ros.bag.frame import Frame
from mrfs_ros.bag.journal import Entry, Journal, Segment, Sizes
from mrfs_ros.bag.plan import Plan
from mrfs_ros.bag.reading.codec import Codec
from mrfs_ros.bag.reading.salvage import Record
from mrfs_ros.bag.settings import LIVE, BagSettings
from mrfs_ros.bag.stages import Answered, Failed
from mrfs_ros.bag.writing.csv_table import write_table
from mrfs_ros.bag.writing.frame_measures import class_shares, frame_metrics, metric_names
from mrfs_ros.bag.writing.object_table import write_objects
from mrfs_ros.bag.writing.png_folders import pair_files, result_files
from mrfs_ros.bag.writing.rerun_recording import RerunSink
from mrfs_ros.bag.writing.result_bag import BagSink
from mrfs_ros.bag.writing.result_writer import Sink, cut_files, working_path
from mrfs_ros.bag.writing.video import Video
from mrfs_ros.bag.writing.web_page import ReportSink
from mrfs_ros.config import NodeConfig
from mrfs_ros.engine.protocol import UNTRAINED_NOTICE, EngineInfo
from mrfs_ros.files import to_disk
from mrfs_ros.pair_outputs import PairOutputs


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
        self._entries: list[Entry] = []  # not in the journal yet
        self._copied = 0
        self._torn = False
        self._begun_s = 0.0
        self._disk = ThreadPoolExecutor(1)
        self._pending: Future[None] | None = None
        self._add_sinks(plan, facts, report_facts)

    def _add_sinks(self, plan: Plan, facts: Mapping[str, str], report_facts: Callable[[], Mapping[str, str]]) -> None:
        asked, classes, entries = self._settings, self._info.classes, self._journal.entries
        notice = UNTRAINED_NOTICE if self._info.untrained else ""
        if _wanted(asked.out):
            outputs = asked.outputs_in_bag()
            kept = {"storage": asked.storage, "copied": plan.copied, "facts": facts}
            self._bag = BagSink(Path(asked.out), self._codec, outputs, **kept)
            self._sinks.append(self._bag)
        if _wanted(asked.video):
            self._sinks.append(Video(Path(asked.video), rate_hz=plan.rate_hz))
        if _wanted(asked.frames):
            self._sinks.append(result_files(Path(asked.frames)))
        if _wanted(asked.pairs):
            self._sinks.append(pair_files(Path(asked.pairs)))
        if _wanted(asked.report):
            self._sinks.append(ReportSink(Path(asked.report), classes, notice, entries=entries, facts=report_facts))
        if asked.rerun == LIVE or _wanted(asked.rerun):  # last: a viewer can go away
            self._sinks.append(RerunSink(None if asked.rerun == LIVE else Path(asked.rerun), classes, notice))

    def resume(self) -> int:
        """Get every result ready to go on where the journal's segments end; how many of these were of no use.

        A segment whose files are not all there, and as long as they were, does not count, nor do those after it.
        """
        sizes: dict[str, dict[str, int]] = {}
        kept = frames = 0
        for segment in self._journal.segments():
            if not all(_is_whole(sink, segment) for sink in self._sinks):
                break
            for target, files in segment.sizes.items():
                sizes.setdefault(target, {}).update(files)
            kept, self._copied = kept + 1, segment.copied
            frames += sum(not entry.problem for entry in segment.entries)
        lost = len(self._journal) - kept
        self._journal.keep(kept)
        for sink in self._sinks:
            if sink.target:
                cut_files(working_path(sink.target), sizes.get(str(sink.target), {}))
            sink.resume(frames)
        self._begun_s = time.monotonic()
        return lost

    def encode(self, item: Answered | Failed | Record) -> tuple[Entry, Frame, list[Any]] | Failed | Record:
        """The costly part, for several threads."""
        if not isinstance(item, Answered):
            return item
        frame = _frame(item, self._info, self._settings.node)
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
            objects=tuple(found._asdict() for found in frame.made.objects) if self._settings.objects else (),
        )
        return entry, frame, [sink.encode(frame) for sink in self._sinks]

    def write(self, item: tuple[Entry, Frame, list[Any]] | Failed | Record) -> Entry | None:
        """Write an item to every result; its entry, if it is a pair."""
        self._torn = True  # until all results have it
        entry = None
        if isinstance(item, Record):
            if self._bag:
                self._bag.copy(item)
            self._copied += 1
        elif isinstance(item, Failed):
            entry = _failed_entry(item, self._settings.node.reference_camera)
        else:
            entry, frame, encoded = item
            for sink, content in zip(self._sinks, encoded):
                sink.write(frame, content)
        if entry is not None:
            self._entries.append(entry)
        self._torn = False
        answered = entry is not None and not entry.problem  # there all results end with a whole frame
        if answered and time.monotonic() - self._begun_s >= self._settings.segment_s:
            self._end_segment()
        return entry

    def _end_segment(self) -> None:
        """Have what was written brought to the disk, and then into the journal, while the run goes on."""
        self._torn = True  # also when the disk does not take it
        self._settle()
        files: dict[Path, list[Path]] = {}
        sizes: Sizes = {}
        for sink in self._sinks:
            if sink.target:
                folder = working_path(sink.target)
                files[folder.parent] = [*files.get(folder.parent, []), *(new := list(sink.flush()))]
                sizes[str(sink.target)] = {str(path.relative_to(folder)): path.stat().st_size for path in new}
        if self._entries or any(sizes.values()):
            segment = Segment(tuple(self._entries), sizes, self._copied)
            self._pending = self._disk.submit(self._bring_to_disk, files, segment)
        self._entries, self._torn = [], False
        self._begun_s = time.monotonic()

    def _bring_to_disk(self, files: Mapping[Path, list[Path]], segment: Segment) -> None:
        for below, paths in files.items():
            to_disk(paths, below)
        self._journal.add(segment)

    def _settle(self) -> None:
        """Wait until the segment before is on the disk; OSError if it cannot be."""
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.result()

    def finish(self) -> None:
        """Complete all results and move them to where they belong."""
        self._end_segment()
        self._settle()
        if _wanted(self._settings.csv):
            names = metric_names(self._settings.metrics)
            write_table(Path(self._settings.csv), self._journal.entries(), self._info.classes, names)
        if _wanted(self._settings.objects):
            write_objects(Path(self._settings.objects), self._journal.entries())
        for sink in self._sinks:
            sink.finish()
        self._journal.remove()

    def close(self) -> None:
        """Let go of everything that is open; unfinished results stay for the next run."""
        with suppress(Exception):  # the error that brought us here matters more
            if self._entries and not self._torn:
                self._end_segment()
            self._settle()
        self._disk.shutdown()
        for sink in self._sinks:
            with suppress(Exception):
                sink.close()


def _is_whole(sink: Sink, segment: Segment) -> bool:
    files = segment.sizes.get(str(sink.target), {})
    return all(_size(working_path(sink.target) / name) >= size for name, size in files.items())


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else -1


def _wanted(target: str) -> bool:
    return bool(target) and not Path(target).exists()


def _frame(item: Answered, info: EngineInfo, config: NodeConfig) -> Frame:
    pair = item.decoded.pair
    header = pair.header(config.reference_camera)
    return Frame(
        item.decoded.index,
        header.stamp.sec * 10**9 + header.stamp.nanosec,
        header.frame_id,
        *pair.times_ns,
        pair.log_ns,
        PairOutputs(item.decoded.images, item.result, info, config, lambda: item.decoded.celsius),
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
