"""Batches follow from seed and step alone, wherever a run stopped, whoever reads, however many processes share."""

from __future__ import annotations

import signal
import time
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mrfs_ros.data.dataset import DatasetConfig, PairDataset
from mrfs_ros.errors import ConfigError
from mrfs_ros.training.augment import AugmentConfig
from mrfs_ros.training.batches import StepExamples, batches
from mrfs_ros.types import MFNET, UNLABELLED

PAIRS = 7
SIZE = (24, 32)
PLAIN = AugmentConfig(scale_low=1.0, scale_high=1.0)
Batch = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """Seven pairs, and a list N.txt of the first N for every N; the thermal image of pair i holds i + 1 everywhere."""
    root = tmp_path_factory.mktemp("pairs")
    rng = np.random.default_rng(0)
    for folder in ("rgb", "thermal", "label"):
        (root / folder).mkdir()
    for number in range(PAIRS):
        size = (30 + number, 40 + number)
        assert cv2.imwrite(str(root / "rgb" / f"{number}.png"), rng.integers(1, 256, (*size, 3), np.uint8))
        assert cv2.imwrite(str(root / "thermal" / f"{number}.png"), np.full(size, number + 1, np.uint8))
        assert cv2.imwrite(str(root / "label" / f"{number}.png"), rng.integers(0, 9, size, np.uint8))
        (root / f"{number + 1}.txt").write_text("\n".join(map(str, range(number + 1))))
    return root


def take(
    root: Path, steps: int, *, first: int = 0, batch: int = 4, seed: int = 5, workers: int = 0, rank: int = 0,
    world: int = 1, pairs: tuple[int, ...] = (PAIRS,), size: tuple[int, int] = SIZE, config: AugmentConfig = PLAIN,
) -> list[Batch]:  # fmt: skip
    """``steps`` batches from ``first`` on, from one dataset for each number in ``pairs``."""
    datasets = [PairDataset(DatasetConfig(root=str(root), split=str(count)), MFNET) for count in pairs]
    examples = StepExamples(datasets, size, config, seed, batch)
    return list(islice(batches(examples, first=first, workers=workers, rank=rank, world=world), steps))


def equal(a: list[Batch], b: list[Batch]) -> bool:
    return len(a) == len(b) and all(
        x.keys() == y.keys() and all(torch.equal(x[name], y[name]) for name in x) for x, y in zip(a, b)
    )


def visited(taken: list[Batch]) -> list[int]:
    """Numbers of the pairs that the examples were cut from, in order."""
    return [int(thermal.max()) - 1 for batch in taken for thermal in batch["thermal"]]


def test_shapes_and_types(root):
    (batch,) = take(root, 1, batch=3)
    assert {name: (tuple(value.shape), value.dtype) for name, value in batch.items()} == {
        "rgb": ((3, 3, *SIZE), torch.uint8),
        "thermal": ((3, 1, *SIZE), torch.uint8),
        "label": ((3, *SIZE), torch.uint8),
        "valid": ((3, 1, *SIZE), torch.uint8),
    }


def test_channels_and_padding(tmp_path):
    """Red comes first; around a frame smaller than the crop valid is 0 and label 255."""
    for folder, image in (("rgb", np.full((10, 12, 3), (30, 20, 10), np.uint8)), ("thermal", np.full((10, 12), 40))):
        (tmp_path / folder).mkdir()
        assert cv2.imwrite(str(tmp_path / folder / "0.png"), image.astype(np.uint8))
    (tmp_path / "1.txt").write_text("0")
    (batch,) = take(tmp_path, 1, batch=2, pairs=(1,))
    inside = batch["valid"].bool()
    assert inside.sum(dim=(1, 2, 3)).tolist() == [120, 120]
    for channel, value in enumerate((10, 20, 30)):
        assert torch.equal(batch["rgb"][:, channel : channel + 1], inside * value)
    assert torch.equal(batch["thermal"], inside * 40)
    assert (batch["label"] == UNLABELLED).all()


def test_the_same_seed_gives_the_same_batches(root):
    assert equal(take(root, 3), take(root, 3))


def test_another_seed_gives_others(root):
    assert not equal(take(root, 3), take(root, 3, seed=6))
    assert visited(take(root, 7)) != visited(take(root, 7, seed=6))


@given(st.integers(1, 6), st.integers(1, 5), st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_going_on_is_never_having_stopped(root, stop, batch, seed):
    """From the first step or from a late one, into the next epochs."""
    whole = take(root, 8, batch=batch, seed=seed, config=AugmentConfig())
    assert equal(take(root, 8 - stop, first=stop, batch=batch, seed=seed, config=AugmentConfig()), whole[stop:])


def test_late_steps_need_not_be_run_to(root):
    late = take(root, 2, first=10**8 - 1)
    assert equal(late[1:], take(root, 1, first=10**8))
    assert not equal(late[:1], late[1:])


def test_workers_make_no_difference(root):
    config = AugmentConfig(rgb_noise=8, thermal_noise=8, rgb_blur=0.5, misalignment=3)
    alone = take(root, 5, first=2, workers=0, config=config)
    assert equal(take(root, 5, first=2, workers=2, config=config), alone)


@pytest.fixture
def half_a_minute():
    """A test that would wait forever fails instead."""

    def too_long(*_):
        raise TimeoutError("still waiting after 30 s")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(30)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def test_workers_start_after_opencv_has_used_its_threads(root, half_a_minute):
    """A forked process inherits OpenCV's thread pool without its threads; the parent keeps its own."""
    threads = cv2.getNumThreads()
    try:
        cv2.setNumThreads(3)
        cv2.resize(np.zeros((2000, 2000, 3), np.uint8), (999, 777))
        time.sleep(0.2)  # until the threads sleep
        assert len(take(root, 2, workers=2)) == 2
        assert cv2.getNumThreads() == 3
    finally:
        cv2.setNumThreads(threads)


@given(st.integers(1, 4), st.integers(1, 3), st.integers(0, 30))
@settings(max_examples=20, deadline=None)
def test_ranks_share_the_batch(root, world, each, first):
    """Interleaved, the processes' examples are those of a single one: none twice, none left out."""
    batch = world * each
    whole = take(root, 3, first=first, batch=batch)
    ranks = [take(root, 3, first=first, batch=batch, rank=rank, world=world) for rank in range(world)]
    assert [len(part[0]["label"]) for part in ranks] == [each for rank in range(world)]
    for step in range(3):
        for name, tensor in whole[step].items():
            together = torch.empty_like(tensor)
            for rank in range(world):
                together[rank::world] = ranks[rank][step][name]
            assert torch.equal(together, tensor)


@pytest.mark.parametrize("batch", [1, 3])
def test_crops_that_the_processes_cannot_share(root, batch):
    with pytest.raises(ConfigError) as error:
        take(root, 1, batch=batch, rank=1, world=2)
    assert str(error.value) == f"batch_size: expected a multiple of the 2 processes, got {batch}"


@given(st.integers(1, PAIRS), st.integers(1, 10), st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_each_epoch_visits_each_pair_once(root, count, batch, seed):
    """Whether or not the batch divides the number of pairs, or is larger."""
    steps = -(-3 * count // batch)
    order = visited(take(root, steps, batch=batch, seed=seed, pairs=(count,), size=(8, 8)))
    for epoch in range(3):
        assert sorted(order[epoch * count : (epoch + 1) * count]) == list(range(count))


def test_epochs_differ_in_order_and_crops(root):
    taken = take(root, 4 * PAIRS, batch=1, size=(12, 16))
    orders = [visited(taken[epoch * PAIRS : (epoch + 1) * PAIRS]) for epoch in range(4)]
    assert len(set(map(tuple, orders))) == 4
    crops = {batch["rgb"].numpy().tobytes() for batch in taken}
    assert len(crops) == len(taken)


def test_a_batch_larger_than_the_dataset_repeats_pairs_in_other_crops(root):
    (batch,) = take(root, 1, batch=6, pairs=(1,))
    assert visited([batch]) == 6 * [0]
    assert len({rgb.numpy().tobytes() for rgb in batch["rgb"]}) == 6


def test_datasets_are_mixed(root):
    """Two datasets make one epoch; a pair that is in both is seen twice."""
    order = visited(take(root, 10, batch=1, pairs=(PAIRS, 3)))
    assert sorted(order) == sorted([*range(PAIRS), *range(3)])
    assert order != [*range(PAIRS), *range(3)]


def test_number_of_examples_in_an_epoch(root):
    datasets = [PairDataset(DatasetConfig(root=str(root), split=split), MFNET) for split in ("7", "3")]
    assert len(StepExamples(datasets, SIZE, PLAIN, 0, 4)) == 10


def shared_examples(root: Path, shares: dict[int, float], batch: int, seed: int = 5) -> StepExamples:
    """Examples of one dataset for each number of pairs in ``shares``; pairs are told apart by their dataset."""
    datasets = [
        PairDataset(DatasetConfig(root=str(root), split=str(count), share=share), MFNET)
        for count, share in shares.items()
    ]
    return StepExamples(datasets, SIZE, PLAIN, seed, batch)


def sizes(examples: StepExamples, steps: int) -> list[list[int]]:
    """For each step how many pairs the dataset of each example has."""
    return [[len(examples._frame(step, slot)[0]) for slot in range(examples.batch)] for step in range(steps)]


@given(
    st.lists(st.floats(0.1, 10), min_size=1, max_size=PAIRS), st.integers(1, 9), st.integers(0, 1000)
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_every_batch_has_its_part_of_each_dataset_rounded_up_or_down(root, shares, batch, seed):
    examples = shared_examples(root, dict(enumerate(shares, start=1)), batch, seed)
    for drawn in sizes(examples, 12):
        for count, share in enumerate(shares, start=1):
            part = batch * share / sum(shares)
            assert np.floor(part - 1e-9) <= drawn.count(count) <= np.ceil(part + 1e-9)


def test_shares_hold_in_the_long_run_and_slots_are_mixed(root):
    examples = shared_examples(root, {7: 1, 3: 2.5, 2: 0.5}, batch=4)
    drawn = np.array(sizes(examples, 600))
    for count, share in ((7, 1), (3, 2.5), (2, 0.5)):
        assert (drawn == count).mean() == pytest.approx(share / 4, abs=0.02)
        assert ((drawn == count).mean(axis=0) > 0.5 * share / 4).all()  # in every slot: each process gets all datasets


def test_shared_frames_are_drawn_alike(root):
    examples = shared_examples(root, {7: 1}, batch=4)
    drawn = [examples._frame(step, slot)[1] for step in range(350) for slot in range(4)]
    assert np.bincount(drawn).min() > 140  # of 1400 / 7


def test_shared_batches_follow_from_seed_and_step(root):
    one, same, other = (shared_examples(root, {7: 1, 3: 2}, 4, seed) for seed in (1, 1, 2))
    assert all(torch.equal(one[9, 2][name], same[9, 2][name]) for name in one[9, 2])
    assert any(not torch.equal(one[step, 2]["rgb"], other[step, 2]["rgb"]) for step in range(3))


def test_a_share_for_some_datasets_only(root):
    with pytest.raises(ConfigError) as error:
        shared_examples(root, {7: 1, 3: 0}, 4)
    assert str(error.value) == f"share: expected for every dataset under train or for none, missing for {root}"


def test_where_an_example_comes_from(root):
    examples = shared_examples(root, {1: 1}, 4)
    assert examples.source((3, 1)) == (root.name, "0")
