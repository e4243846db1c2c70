"""The one-slot mailbox: newest wins, nobody waits for the reader, closing wakes it."""

from __future__ import annotations

import threading

from mrfs_ros.ros.mailbox import Mailbox


def test_newest_wins_and_the_pushed_out_one_is_told():
    box = Mailbox()
    assert [box.put("old"), box.put("newer"), box.put("newest")] == [False, True, True]
    assert box.take() == "newest"
    assert box.put("next") is False


def test_take_waits_for_put_and_for_close():
    box, taken = Mailbox(), []

    def read():
        while (item := box.take()) is not None:
            taken.append(item)
            seen.set()

    seen = threading.Event()
    reader = threading.Thread(target=read)
    reader.start()
    box.put(1)
    assert seen.wait(5)
    box.close()
    reader.join(5)
    assert not reader.is_alive()
    assert taken == [1]


def test_nothing_is_taken_after_close():
    box = Mailbox()
    box.put(1)
    box.close()
    assert box.take() is None


def test_many_puts_from_many_threads_lose_only_what_they_say():
    box = Mailbox()
    replaced, taken = [], []
    reader = threading.Thread(target=lambda: taken.extend(iter(box.take, None)))
    reader.start()

    def write(start: int) -> None:
        for number in range(start, start + 500):
            replaced.append(box.put(number))

    writers = [threading.Thread(target=write, args=(1 + 1000 * i,)) for i in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    replaced.append(box.put(10_000))
    patience = threading.Event()
    for _ in range(500):
        if taken and taken[-1] == 10_000:
            break
        patience.wait(0.01)
    box.close()
    reader.join(5)
    assert len(taken) + sum(replaced) == 2001
    assert len(set(taken)) == len(taken)
