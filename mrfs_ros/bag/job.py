"""One bag through the network: everything that ``mrfs bag`` does once the engine is loaded."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

from mrfs_ros.bag.journal import Journal, Tally
from mrfs_ros.bag.plan import Plan, plan_of, played_at
from mrfs_ros.bag.reading.bag_pairs import BagPair, PairReader
from mrfs_ros.bag.reading.bag_reader import Bag
from mrfs_ros.bag.reading.codec import Codec
from mrfs_ros.bag.reading.salvage import Record
from mrfs_ros.bag.reading.several_bags import Bags, open_bags
from mrfs_ros.bag.run_configuration import check_targets, configuration_of, facts_of, journal_path, report_facts
from mrfs_ros.bag.settings import BagSettings
from mrfs_ros.bag.stages import batches, decode, in_order, infer
from mrfs_ros.bag.summary import Summary
from mrfs_ros.bag.writing.results import Results
from mrfs_ros.engine.protocol import Engine
from mrfs_ros.errors import ConfigError
from mrfs_ros.pair_outputs import check_outputs, told_silent
from mrfs_ros.process import process_pairs


@dataclass(frozen=True)
class Progress:
    """``done`` pairs of about ``expected``, the first ``resumed_at`` of them in an earlier run."""

    done: int
    expected: int
    resumed_at: int


def run_bag(
    settings: BagSettings,
    engine: Engine,
    *,
    on_progress: Callable[[Progress], None] = lambda _: None,
    say: Callable[[str], None] = lambda _: None,
) -> Summary:
    """Answer every pair of the bag and write what ``settings`` ask for; killed, the next call goes on from there.

    ``say`` gets one line per event that a user should know. Raises ConfigError for settings that do not fit the bag,
    results that are there already or cannot be written; MissingPackageError for a kind of result whose package is
    not installed.
    """
    begin_s = time.monotonic()
    check_targets(settings)
    check_outputs(settings.node, engine, confidence=settings.want_confidence)
    with ExitStack() as stack:
        bag = stack.enter_context(open_bags(settings.sources()))
        codec = Codec()
        plan = _planned(bag, settings, codec)
        for note in (*bag.notes, *plan.left_out):
            say(note)
        names = " and ".join((settings.source, *settings.more))
        say(f"{names}: rgb from {plan.rgb_topic}, thermal from {plan.thermal_topic}")
        if silent := told_silent(settings.outputs, settings.node.thermal_unit):
            say(silent)
        reader = PairReader(bag, codec, plan.rgb_topic, plan.thermal_topic, settings.node, settings.stamp)
        reader.match(plan.copied, plan.start_ns, plan.stop_ns)
        if reader.by_stamp:  # the times of recording say nothing about the cameras
            plan = replace(plan, rate_hz=played_at(reader.rate_hz / settings.every))
        try:
            tally, earlier = _write_results(settings, engine, reader, plan, bag, codec, on_progress, say)
        except OSError as error:
            raise ConfigError(
                f"results cannot be written: {error.strerror or error} ({error.filename or settings.source}); "
                "when that is mended, the same command goes on where it was"
            ) from error
        _tell_losses(reader, bag, tally, settings, say)
        return Summary(
            source=settings.source,
            pairs=tally.pairs,
            answered=tally.answered,
            resumed_at=earlier.pairs,
            skipped=dict(tally.problems + reader.skipped),
            damage=tuple(bag.damage),
            unpaired=reader.left.counts,
            pairing_loss="; ".join(filter(None, (reader.left.loss, reader.apart))),
            seconds=time.monotonic() - begin_s,
            engine_seconds=tally.engine_seconds - earlier.engine_seconds,
            results=tuple(str(target) for target in settings.targets() if target.exists()),
        )


def _planned(bag: Bag | Bags, settings: BagSettings, codec: Codec) -> Plan:
    """The plan; of a damaged bag, the reason why there is none begins with the damage."""
    try:
        return plan_of(bag, settings, codec)
    except ConfigError as error:
        if bag.damage:
            raise ConfigError(f"{'; '.join(bag.damage)}. In what is left, {error}") from error
        raise


def _write_results(
    settings: BagSettings,
    engine: Engine,
    reader: PairReader,
    plan: Plan,
    bag: Bag | Bags,
    codec: Codec,
    on_progress: Callable[[Progress], None],
    say: Callable[[str], None],
) -> tuple[Tally, Tally]:
    """Do the work; what the journal says in the end, and what it said before."""
    with ExitStack() as stack:
        for target in settings.targets():
            target.parent.mkdir(parents=True, exist_ok=True)
        # A run for a live viewer alone leaves nothing behind.
        path = journal_path(settings) or Path(stack.enter_context(TemporaryDirectory())) / "journal"
        journal = stack.enter_context(closing(Journal(path, configuration_of(settings, plan, engine.info))))
        if not len(journal):
            _check_absent(settings)
        if journal.unreadable:
            say(f"{path}: an earlier run's journal cannot be read: the run begins anew, with the settings given now")
        facts = facts_of(settings, engine.info)
        expected = -(-reader.count // settings.every)

        def page_facts() -> dict[str, str]:
            return report_facts(settings, plan, engine.info, reader, bag.damage)

        results = stack.enter_context(closing(Results(settings, plan, codec, engine.info, journal, facts, page_facts)))
        if lost := results.resume():
            say(f"{lost} segments of an earlier run are not whole on the disk: their pairs are done again")
        tally, earlier = Tally.of(journal.segments()), Tally.of(journal.segments())
        if earlier.pairs:
            say(f"going on after the {earlier.pairs} pairs of an earlier run")
        for done in _work(settings, engine, reader, results, tally):
            on_progress(Progress(done, max(done, expected), earlier.pairs))
        results.finish()
    return tally, earlier


def _check_absent(settings: BagSettings) -> None:
    """ConfigError when another run has made a result since this one began to look."""
    if there := [target for target in settings.targets() if target.exists()]:
        raise ConfigError(f"{there[0]}: exists already: remove it or name another")


def _tell_losses(
    reader: PairReader, bag: Bag | Bags, tally: Tally, settings: BagSettings, say: Callable[[str], None]
) -> None:
    for what, counts, examples in (
        ("images", reader.skipped, reader.examples),
        ("pairs", tally.problems, tally.examples),
    ):
        for reason, example in examples.items():
            say(f"{counts[reason]} {what} skipped ({reason}): {example}")
    for loss in bag.damage:
        say(loss)
    no_pairs = not tally.pairs and not reader.skipped
    if any(reader.left.counts) and not no_pairs:
        say(reader.left.loss or f"{reader.left} (of a faster camera, or at an end of the bag: no loss)")
    if reader.apart:
        say(reader.apart)
    for event in reader.events:  # last, because there may be thousands
        say(event)
    if no_pairs:
        say(_no_pairs(reader, settings))


def _work(settings: BagSettings, engine: Engine, reader: PairReader, results: Results, tally: Tally) -> Iterator[int]:
    """Answer and write what is not in ``tally`` yet; yields the number of pairs in it as it grows."""
    items = _new_items(reader, settings.every, tally)
    confidence, least = settings.want_confidence, settings.node.min_confidence
    process = partial(process_pairs, engine, confidence=confidence, min_confidence=least)
    prepare = partial(decode, reader.preprocessor, celsius=settings.want_celsius)
    with ThreadPoolExecutor(settings.workers) as pool, ThreadPoolExecutor(1) as engine_thread:
        decoded = in_order(pool, prepare, items, settings.batch + settings.workers)
        runs, answer = batches(decoded, settings.batch), partial(infer, process)
        # On the CPU the network takes all cores, and its threads are slower when others call it. While a GPU computes,
        # this thread reads and writes.
        on_cpu = engine.info.device == "cpu"
        answered = map(answer, runs) if on_cpu else in_order(engine_thread, answer, runs, 1)
        for item in in_order(pool, results.encode, chain.from_iterable(answered), settings.workers):
            entry = results.write(item)
            if entry is not None:
                tally.add(entry)
                yield tally.pairs


def _new_items(reader: PairReader, every: int, tally: Tally) -> Iterator[tuple[int, BagPair] | Record]:
    """Every ``every``-th pair with its index, and the messages to copy, from where an earlier run ended."""
    done, copied = tally.pairs, tally.copied
    seen = records = 0
    index = -1
    unpaired = (0, 0)
    for item in reader.read():
        if isinstance(item, Record):
            records += 1
            if records > copied:  # those before lie in the bag already
                yield item
            continue
        seen += 1
        unpaired = unpaired[0] + item.unpaired[0], unpaired[1] + item.unpaired[1]
        if (seen - 1) % every == 0:
            index += 1
            item, unpaired = replace(item, unpaired=unpaired), (0, 0)
            pair = reader.windowed(item)  # those of an earlier run too: the window remembers them
            if index >= done:
                yield index, pair


def _no_pairs(reader: PairReader, settings: BagSettings) -> str:
    rgb, thermal = reader.images
    gap = "" if reader.best_gap_s is None else f", the nearest stamps {abs(reader.best_gap_s):.3f} s apart"
    why = f": {reader.left.why}" if reader.left.why else ""
    return (
        f"no pairs: {rgb} rgb and {thermal} thermal images were read{gap}; stamps of a pair differ by less than "
        f"slop_s = {settings.node.slop_s:g} s (--slop){why}"
    )
