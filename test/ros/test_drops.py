"""Pairs that wait for the network: the newest wins, and what it replaced is counted, in the node itself."""

from __future__ import annotations

import threading

from harness import numbered_pair, pixels_of
from stub_engine import StubEngine

S = 10**9


class HeldEngine(StubEngine):
    """Works on the pairs after the warm-up when it is ``released``."""

    def __init__(self):
        super().__init__()
        self.begun, self.released, self.warm = threading.Event(), threading.Event(), threading.Event()

    def __call__(self, rgb, thermal):
        if self.warm.is_set():
            self.begun.set()
            assert self.released.wait(20)
        return super().__call__(rgb, thermal)


def test_every_replaced_pair_is_counted_and_no_other(cameras, live_node):
    engine, world = HeldEngine(), cameras()
    node = live_node(engine=engine).node
    engine.warm.set()
    world.matched()
    world.send(S, *numbered_pair(1))
    assert engine.begun.wait(10)
    for number in range(2, 6):  # three of these four are replaced while the first is worked on
        world.send(number * S, *numbered_pair(number))
        world.spin_until(lambda n=number: node.pipeline.statistics.pairs.count == n)
    engine.released.set()
    for number in (1, 5):
        world.await_answer(number * S)
        assert (pixels_of(world.answers["fused"][number * S]) == numbered_pair(number)[0]).all()
    assert sorted(world.answers["fused"]) == [S, 5 * S]
    assert node.pipeline.statistics.drops() == {"replaced_by_newer": 3}
    world.spin_until(lambda: world.value("mrfs: inputs", "dropped replaced_by_newer") == "3")
    assert node.pipeline.statistics.outputs.count == node.pipeline.statistics.output_stamps.count == 2
