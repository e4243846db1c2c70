"""Work in several threads whose results keep their order."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count, islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrfs_ros.bag.reading.bag_pairs import BagPair
from mrfs_ros.bag.reading.salvage import Channel, Record
from mrfs_ros.bag.stages import Decoded, Failed, batches, in_order
from mrfs_ros.preprocess import PairImages

PAIR = BagPair(None, None, 0)
RECORD = Record(Channel("/tf", "tf2_msgs/msg/TFMessage"), 0, b"")


def pair(index: int, height: int = 32) -> Decoded:
    return Decoded(index, PAIR, PairImages(np.zeros((height, 40, 3), np.uint8), np.zeros((height, 40), np.uint8)))


@settings(max_examples=20, deadline=None)
@given(items=st.lists(st.integers(0, 100)), workers=st.integers(1, 4), ahead=st.integers(0, 5))
def test_results_come_in_order(items, workers, ahead):
    def work(item: int) -> int:
        time.sleep((item % 5) / 2000)
        return item * 2

    with ThreadPoolExecutor(workers) as pool:
        assert list(in_order(pool, work, items, ahead)) == [item * 2 for item in items]


def test_no_more_is_taken_than_asked_for():
    """An endless source is read ``ahead`` items ahead, not further: memory stays flat."""
    taken = []

    def source():
        for item in count():
            taken.append(item)
            yield item

    with ThreadPoolExecutor(2) as pool:
        results = in_order(pool, str, source(), 3)
        assert list(islice(results, 5)) == ["0", "1", "2", "3", "4"]
        results.close()
    assert len(taken) == 8


def test_items_are_worked_on_at_the_same_time():
    both = threading.Barrier(2, timeout=10)
    with ThreadPoolExecutor(2) as pool:
        assert len(list(in_order(pool, lambda _: both.wait(), range(4), 1))) == 4


def test_an_error_comes_out_where_its_result_would():
    def work(item: int) -> float:
        return 1 / (item - 2)

    with ThreadPoolExecutor(2) as pool:
        results = in_order(pool, work, range(5), 2)
        assert [next(results), next(results)] == [-0.5, -1.0]
        with pytest.raises(ZeroDivisionError):
            next(results)


def test_batches_are_full_of_one_size_and_keep_the_order():
    failed = Failed(9, PAIR, "bad", "bad")
    items = [pair(0), RECORD, pair(1), pair(2), failed, pair(3, 48), pair(4, 48), RECORD]
    made = list(batches(items, 2))
    assert [item for batch in made for item in batch] == items
    shapes = [[item.images.thermal.shape[0] for item in batch if isinstance(item, Decoded)] for batch in made]
    assert shapes == [[32, 32], [32], [48, 48]]
    assert list(batches([], 3)) == []
    assert list(batches([RECORD], 3)) == [[RECORD]]
