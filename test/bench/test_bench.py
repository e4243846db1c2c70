"""The bench: it measures what it says, reports what does not run, and its tables hold every number."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
import torch

from mrfs_ros.bench.alone import Alone, run_alone
from mrfs_ros.bench.bench_report import Report
from mrfs_ros.bench.measure import Case, Timing, _timing, measure, scene
from mrfs_ros.engine.load import build_engine, load_model

pytestmark = pytest.mark.slow  # seconds together: not for the core suite

ROUNDS = 3


@pytest.fixture(scope="module")
def model(tiny_weights):
    return load_model(tiny_weights)


@pytest.fixture(scope="session")
def case(tiny_weights) -> Case:
    return Case(str(tiny_weights), "mit_b0", (64, 96), 2)


@pytest.fixture(scope="module")
def measured(case, model) -> tuple[list[Timing], int]:
    """Timings where ONNX Runtime is not installed, and how many frames were noted."""
    notes = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "onnxruntime", None)  # what Python does for a module that cannot be imported
        backends = ["onnx", "torch", "torch-plain", "torch"]
        timings = measure(case, model, "cpu", backends, ROUNDS, note=lambda: notes.append(1))
    return timings, len(notes)


@pytest.fixture(scope="session")
def alone(case) -> Alone:
    return run_alone(case, "cpu", "torch")


def test_eager_comes_first_and_is_the_measure(measured):
    timings, notes = measured
    assert [t.backend for t in timings] == ["eager", "torch", "torch-plain", "onnx"]
    assert (timings[0].ratio, timings[0].fused_error, timings[0].label_agreement) == (1, 0, 1)
    assert notes == 3 * ROUNDS
    for timing in timings[:3]:
        assert 0 < timing.median_ms <= timing.p95_ms
        assert timing.ratio > 0
        assert timing.problem == ""


def test_errors_are_those_of_the_engines(measured, case, model):
    fused, labels = build_engine(model, "cpu", "eager").batch(*scene(case.shape))
    for timing in measured[0][1:3]:
        engine = build_engine(model, "cpu", timing.backend)
        own_fused, own_labels = engine.batch(*scene(case.shape))
        assert timing.fused_error == np.abs(own_fused.astype(int) - fused).max()
        assert timing.label_agreement == (own_labels == labels).mean()
        assert timing.detail == engine.info.detail


def test_numbers_of_a_wrong_and_unsteady_engine(model):
    engine = build_engine(model, "cpu", "eager")
    times = {"eager": np.array([20.0, 30.0, 80.0]), "torch": np.array([5.0, 10.0, 40.0])}
    right = np.full((1, 32, 32, 3), 255, np.uint8), np.zeros((1, 32, 32), np.uint8)
    wrong = right[0].copy(), right[1].copy()
    wrong[0][0, 0, 0] = 0, 1, 2  # in bytes 255 is next to 0
    wrong[1][0, :8] = 1
    timing = _timing("torch", engine, times, {"eager": right, "torch": wrong})
    assert (timing.median_ms, timing.p95_ms, timing.ratio) == (10, 37, 3)  # the ratios are 4, 3, 2
    assert (timing.fused_error, timing.label_agreement) == (255, 0.75)


def test_what_does_not_run_is_named_and_stops_nobody(measured):
    missing = measured[0][-1]
    assert missing.problem == "backend onnx needs ONNX Runtime: pip install 'mrfs_ros[onnx]'"
    assert (missing.median_ms, missing.ratio) == (0, 0)


def test_the_scene_is_a_batch_of_different_pictures_and_always_the_same():
    rgb, thermal = scene((2, 64, 96))
    assert (rgb.shape, rgb.dtype) == ((2, 64, 96, 3), np.uint8)
    assert (thermal.shape, thermal.dtype) == ((2, 64, 96), np.uint8)
    for images in (rgb, thermal):
        assert images.flags.c_contiguous
        assert np.ptp(images) > 100
        assert len(np.unique(images)) > 100
        assert not (images[0] == images[1]).all()
    assert not (rgb[..., 0] == rgb[..., 1]).all()
    assert all((a == b).all() for a, b in zip(scene((2, 64, 96)), (rgb, thermal)))


def test_a_case_says_what_it_is():
    assert str(Case("", "mit_b0", (480, 640), 1)) == "mit_b0 480x640"
    assert str(Case("", "mit_b2", (480, 640), 4)) == "mit_b2 480x640 x4"


def test_alone_an_engine_has_a_process_of_its_own(alone):
    assert (alone.backend, alone.keeps_memory) == ("torch", True)
    assert alone.first_ms > 0
    assert alone.median_ms > 0
    assert 100 < alone.peak_mb < 10_000
    assert alone.page_faults >= 0


def tables(markdown: str) -> list[list[dict[str, str]]]:
    """The rows of each table, by column."""
    blocks = [block.splitlines() for block in markdown.split("\n\n") if block.startswith("| ")]
    cells = [[[cell.strip() for cell in line.strip("|").split("|")] for line in block] for block in blocks]
    for head, rule, *rows in cells:
        assert set(rule) == {"---"}
        assert {len(row) for row in rows} == {len(head)}
    return [[dict(zip(head, row)) for row in rows] for head, _, *rows in cells]


def close(text: str, number: float) -> bool:
    """Whether the table's text is the number to the digits shown."""
    return float(text) == pytest.approx(number, rel=0.01, abs=0.01)


def test_every_number_is_in_the_tables(measured, case, alone, tmp_path):
    timings = measured[0]
    other = Case("untrained", "mit_b2", (480, 640), 1)
    slow = Timing("eager", median_ms=1234.5, p95_ms=2345.6, ratio=1.0, label_agreement=1.0)
    report = Report("cpu", ROUNDS, [(case, timings), (other, [slow])], [(case, [alone])])
    report.write(tmp_path)
    text = (tmp_path / "bench.md").read_text()
    side_by_side, separate = tables(text)
    for row, timing in zip(side_by_side, [*timings[:3], slow], strict=True):
        assert row["backend"] == f"{timing.backend} ({timing.detail})" if timing.detail else timing.backend
        assert close(row["median ms"], timing.median_ms)
        assert close(row["p95 ms"], timing.p95_ms)
        assert close(row["x eager"], timing.ratio)
        assert row["fused differs, of 255"] == str(timing.fused_error)
        assert close(row["labels equal %"], 100 * timing.label_agreement)
    assert [(row["network"], row["HxW"], row["batch"]) for row in side_by_side] == [
        *[("mit_b0", "64x96", "2")] * 3,
        ("mit_b2", "480x640", "1"),
    ]
    assert close(side_by_side[0]["pairs/s"], 2 * 1000 / timings[0].median_ms)
    assert separate[0]["backend"] == "torch"
    assert close(separate[0]["first frame ms"], alone.first_ms)
    assert close(separate[0]["peak MiB"], round(alone.peak_mb))
    assert f"Did not run:\n\n- {case}, onnx: {timings[-1].problem}\n" in text
    assert f"torch {torch.__version__}" in text


def test_without_problems_there_is_no_list_of_them(measured, case):
    text = Report("cpu", ROUNDS, [(case, measured[0][:3])]).markdown()
    assert "Did not run" not in text
    assert len(tables(text)) == 1


def test_programs_read_the_same_numbers_as_json(measured, case, alone, tmp_path):
    report = Report("cpu", ROUNDS, [(case, measured[0])], [(case, [alone])])
    report.write(tmp_path)
    facts = json.loads((tmp_path / "bench.json").read_text())
    assert (facts["device"], facts["rounds"]) == ("cpu", ROUNDS)
    assert facts["versions"]["torch"] == torch.__version__
    assert facts["hardware"]
    (entry,) = facts["side by side"]
    assert (entry["variant"], entry["size"], entry["batch"]) == ("mit_b0", [64, 96], 2)
    assert [Timing(**row) for row in entry["backends"]] == measured[0]
    assert [Alone(**row) for row in facts["alone"][0]["backends"]] == [alone]
