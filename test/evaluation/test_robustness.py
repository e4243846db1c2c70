"""Disturbed pairs, and scores on them, by an engine whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest
from stub_engine import StubEngine

from mrfs_ros.camera.gray import to_gray
from mrfs_ros.data.dataset import DatasetPair
from mrfs_ros.errors import ConfigError
from mrfs_ros.evaluation.disturbances import disturbances, noisy, shifted
from mrfs_ros.evaluation.metrics import fusion_metrics
from mrfs_ros.evaluation.robustness import robustness
from mrfs_ros.types import UNLABELLED


def pair(i: int) -> DatasetPair:
    """Blocks of classes 0 to 7 in thermal, which the stub engine reads off: thermal // 32."""
    rng = np.random.default_rng(i)
    blocks = np.kron(rng.integers(0, 8, (6, 8)), np.ones((16, 16))).astype(np.uint8)
    rgb = rng.integers(0, 256, (96, 128, 3), np.uint8)
    return DatasetPair(f"{i}", rgb, blocks * 32 + 16, blocks)


def test_shifts_are_as_long_as_said_and_in_all_directions():
    ramp = np.add.outer(2 * np.arange(96.0), 0.5 * np.arange(128.0)).round().astype(np.uint8)
    found = []
    for index in range(12):
        moved = shifted(ramp, 10, index)
        centre = (slice(30, 60), slice(30, 90))
        found.append(float((moved[centre].astype(float) - ramp[centre]).mean()))
    assert shifted(ramp, 0, 3).tolist() == ramp.tolist()
    # by (dx, dy) a ramp of (0.5, 2) a pixel falls by 0.5 dx + 2 dy: at most 10 times its steepness
    assert max(map(abs, found)) == pytest.approx(10 * np.hypot(0.5, 2), rel=0.1)
    assert min(found) < -10 and max(found) > 10


def test_noise_has_its_deviation_and_repeats():
    grey = np.full((200, 200), 128, np.uint8)
    assert noisy(grey, 20, 1).std() == pytest.approx(20, rel=0.05)
    assert (noisy(grey, 20, 1) == noisy(grey, 20, 1)).all() and (noisy(grey, 20, 1) != noisy(grey, 20, 2)).any()


def test_scores_fall_with_the_shift_and_know_what_is_lost():
    found = robustness(StubEngine(), [[pair(i) for i in range(4)]], disturbances(shifts=(2, 8), noises=(40,)))
    scores = {(entry.disturbance.name, entry.disturbance.level): entry for entry in found}
    good = scores["none", 0]
    assert good.miou == 1.0 and good.iou["car"] == 1.0 and np.isnan(good.iou["bump"])
    assert 1 > scores["shift", 2].miou > scores["shift", 8].miou > scores["thermal frozen", 1].miou
    assert scores["noise", 40].miou < 0.7
    black = scores["thermal missing", 1]
    assert black.iou["car"] == 0.0 and 0 < black.iou["background"] < 0.3
    assert scores["rgb missing", 1].miou == 1.0  # the stub's labels need no rgb; its fused image is black
    dark = scores["rgb missing", 1].metrics
    assert (dark["EN"], dark["SD"], dark["Qabf"]) == (0.0, 0.0, pytest.approx(0, abs=1e-3))
    fused = [fusion_metrics(to_gray(pair(i).rgb), to_gray(pair(i).rgb), pair(i).thermal) for i in range(4)]
    assert good.metrics == {name: pytest.approx(np.mean([found[name] for found in fused])) for name in fused[0]}


def test_ignored_pixels_and_every_nth():
    labelled = pair(0)
    labelled.label[:48] = UNLABELLED
    found = robustness(StubEngine(), [[labelled, pair(1), labelled, pair(1)]], disturbances()[:1], every=2)
    assert found[0].miou == 1.0


def test_no_pairs_are_told():
    with pytest.raises(ConfigError, match="no pairs to disturb"):
        robustness(StubEngine(), [[]], disturbances()[:1])
