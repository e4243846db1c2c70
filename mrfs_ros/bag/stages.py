"""Stages of a run at the same time: reading, decoding, inference, encoding and writing, everything in its order."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from mrfs_ros.bag.reading.bag_pairs import BagPair
from mrfs_ros.bag.reading.salvage import Record
from mrfs_ros.errors import ImageError
from mrfs_ros.preprocess import PairImages, Preprocessor
from mrfs_ros.process import CameraPair, Processed, prepare
from mrfs_ros.types import FusionResult

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Failed:
    """A pair that could not be answered, and why."""

    index: int
    pair: BagPair
    reason: str
    text: str


@dataclass(frozen=True)
class Decoded:
    """A pair as the arrays that an engine takes."""

    index: int
    pair: BagPair
    images: PairImages
    celsius: np.ndarray | None = None  # (H, W) float32, where it is wanted and known


@dataclass(frozen=True)
class Answered:
    """A pair and what the network made of it in ``seconds``."""

    decoded: Decoded
    result: FusionResult
    seconds: float


def in_order(pool: Executor, work: Callable[[Item], Result], items: Iterable[Item], ahead: int) -> Iterator[Result]:
    """``work(item)`` of all items, in their order, with up to ``ahead`` of them in the making at any time."""
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def decode(
    preprocessor: Preprocessor, item: tuple[int, BagPair] | Record, *, celsius: bool = False
) -> Decoded | Failed | Record:
    """The arrays of a numbered pair, or why there are none; records pass. ``celsius``: in degrees too."""
    if isinstance(item, Record):
        return item
    index, pair = item
    try:
        if isinstance(pair.grey, ImageError):
            raise pair.grey
        images = prepare(CameraPair(preprocessor, pair.rgb, pair.thermal, pair.grey))
        images.thermal  # noqa: B018 - warped here, where several threads work; the results want it too
        return Decoded(index, pair, images, preprocessor.celsius(pair.thermal, images) if celsius else None)
    except ImageError as error:
        return Failed(index, pair, error.reason, str(error))


def batches(items: Iterable[Decoded | Failed | Record], size: int) -> Iterator[list[Decoded | Failed | Record]]:
    """Runs of items with up to ``size`` pairs in each, all of one kind."""
    batch: list[Decoded | Failed | Record] = []
    kind, pairs = None, 0
    for item in items:
        if isinstance(item, Decoded):
            if pairs == size or (pairs and item.images.kind != kind):
                yield batch
                batch, pairs = [], 0
            kind, pairs = item.images.kind, pairs + 1
        batch.append(item)
    if batch:
        yield batch


Process = Callable[[list[PairImages]], list[Processed]]
"""``process_pairs`` of an engine."""


def infer(process: Process, batch: list[Decoded | Failed | Record]) -> list[Answered | Failed | Record]:
    """The answers to the pairs of a batch, everything else as it came."""
    pairs = [item for item in batch if isinstance(item, Decoded)]
    answered = iter(_answers(process, pairs))
    return [next(answered) if isinstance(item, Decoded) else item for item in batch]


def _answers(process: Process, pairs: list[Decoded]) -> list[Answered | Failed]:
    if len(pairs) > 1:
        begin = time.perf_counter()
        try:
            results = [done.result for done in process([pair.images for pair in pairs])]
        except Exception:  # too much memory for all, or one that is bad: each alone says which
            return [_answer(process, pair) for pair in pairs]
        seconds = (time.perf_counter() - begin) / len(pairs)
        return [Answered(pair, result, seconds) for pair, result in zip(pairs, results)]
    return [_answer(process, pair) for pair in pairs]


def _answer(process: Process, pair: Decoded) -> Answered | Failed:
    begin = time.perf_counter()
    try:
        [(_, result)] = process([pair.images])
    except ImageError as error:
        return Failed(pair.index, pair.pair, error.reason, str(error))
    except Exception as error:  # as in the node: the next pair may be fine
        return Failed(pair.index, pair.pair, "engine_error", f"the engine failed: {type(error).__name__}: {error}")
    return Answered(pair, result, time.perf_counter() - begin)
