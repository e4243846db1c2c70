"""An engine over real folders of pairs: groups, baselines, reports, sliding windows."""

from __future__ import annotations

import csv
import json

import cv2
import numpy as np
import pytest

from mrfs_ros import load_engine, load_network
from mrfs_ros.data.dataset import DatasetConfig, DatasetPair, PairDataset
from mrfs_ros.engine import EngineInfo
from mrfs_ros.errors import ConfigError
from mrfs_ros.evaluation.dataset_scores import evaluate, is_night, stretched, validation_scores
from mrfs_ros.evaluation.metrics import fusion_metrics
from mrfs_ros.evaluation.score_report import as_json, markdown, table, write_report
from mrfs_ros.evaluation.sliding import SlidingWindow, sliding_engine, starts
from mrfs_ros.geometry.calibration_file import write_calibration
from mrfs_ros.geometry.camera_models import Homography
from mrfs_ros.types import MFNET, FusionResult

SIZE = (48, 64)
BASELINES = {"maximum": np.maximum, "thermal": lambda visible, thermal: thermal}


class HotIsPerson:
    """A stand-in for a network: fused = rgb, warm pixels are people (2)."""

    info = EngineInfo("stub", "cpu", "mit_b0", MFNET, "stub weights")

    def __call__(self, rgb, thermal):
        return FusionResult(rgb, np.where(thermal > 128, 2, 0).astype(np.uint8))

    def device_report(self):
        return {}


def write_pair(root, name, *, bright=200, label=None, seed=0):
    rng = np.random.default_rng(seed)
    thermal = np.zeros(SIZE, np.uint8)
    thermal[:, :16] = 255
    files = {"rgb": rng.integers(bright // 2, bright, (*SIZE, 3), np.uint8), "thermal": thermal, "label": label}
    for folder, image in files.items():
        if image is not None:
            (root / folder).mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(root / folder / f"{name}.png"), image)


def labels(hot=2, rest=0):
    label = np.full(SIZE, rest, np.uint8)
    label[:, :16] = hot
    return label


@pytest.fixture
def two_datasets(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    write_pair(one, "00001D", label=labels())
    write_pair(one, "00002N", label=labels(hot=1))  # called person, is car
    write_pair(other, "bright", label=labels(rest=255), seed=1)
    write_pair(other, "dark", bright=20, label=labels(), seed=2)
    sets = {path.name: DatasetConfig(root=str(path), split="all") for path in (one, other)}
    return {name: PairDataset(config, MFNET) for name, config in sets.items()}


def test_groups_and_their_scores(two_datasets):
    evaluation = evaluate(HotIsPerson(), two_datasets, fusion=False)
    groups = evaluation.groups()
    assert {name: [f.name for f in frames] for name, frames in groups.items()} == {
        "all": ["00001D", "00002N", "bright", "dark"],
        "day": ["00001D", "bright"],
        "night": ["00002N", "dark"],
        "one": ["00001D", "00002N"],
        "other": ["bright", "dark"],
    }
    hot, cold = 48 * 16, 48 * 48
    everything = evaluation.segmentation(groups["all"])
    assert everything.iou[2] == pytest.approx(3 * hot / (4 * hot))  # three hits, one false alarm
    assert everything.iou[1] == 0
    assert everything.iou[0] == 1
    assert np.isnan(everything.iou[3])
    assert everything.pixel_accuracy == pytest.approx((3 * hot + 3 * cold) / (4 * hot + 3 * cold))
    assert evaluation.segmentation(groups["day"]).mean_iou("defined") == 1


def test_validation_scores(two_datasets):
    scores = validation_scores(HotIsPerson(), list(two_datasets.values()))
    hit, false_alarm = 1 / 8 + 2 / 5, 1 / 8  # shares of the labelled pixels of "one" and of "other"
    person = hit / (hit + false_alarm)
    expected = {"mIoU": (1 + 0 + person) / 3, "IoU/background": 1, "IoU/car": 0, "IoU/person": person}
    assert scores == pytest.approx(expected)


def test_every_dataset_counts_alike_in_validation_scores(two_datasets):
    """One set of one frame against one of the same frame four times: as if both had one."""
    one, other = two_datasets.values()
    once = validation_scores(HotIsPerson(), [one, other])
    many = validation_scores(HotIsPerson(), [one, [*other, *other, *other, *other]])
    assert many == pytest.approx(once)
    assert validation_scores(HotIsPerson(), [one]) != pytest.approx(once)


def test_unlabelled_pairs_have_no_segmentation_scores(tmp_path):
    write_pair(tmp_path, "a")
    dataset = PairDataset(DatasetConfig(root=str(tmp_path), split="all"), MFNET)
    evaluation = evaluate(HotIsPerson(), {"a": dataset}, fusion=False)
    assert evaluation.segmentation(evaluation.frames) is None
    assert validation_scores(HotIsPerson(), [dataset]) == {}
    assert "## Segmentation" not in markdown(evaluation, {})


def test_results_are_cut_to_what_both_cameras_see(tmp_path):
    """As node and bag cut them: rgb, without a class, where the thermal camera sees nothing."""

    class Negative(HotIsPerson):
        def __call__(self, rgb, thermal):
            return FusionResult(255 - rgb, np.full(thermal.shape, 2, np.uint8))

    write_pair(tmp_path, "a", label=labels(rest=2))
    matrix = ((1.0, 0, 30.0), (0, 1.0, 0), (0, 0, 1.0))
    write_calibration(tmp_path / "calib.yaml", Homography(matrix, SIZE, SIZE))
    config = DatasetConfig(root=str(tmp_path), split="all", calibration=str(tmp_path / "calib.yaml"))
    seen = []
    evaluation = evaluate(
        Negative(),
        {"a": PairDataset(config, MFNET)},
        fusion=False,
        watch=lambda pair, result: seen.append((pair, result)),
    )
    [(pair, result)] = seen
    assert pair.valid.mean() == pytest.approx(34 / 64)
    assert (result.fused == np.where(pair.valid[..., None], 255 - pair.rgb, pair.rgb)).all()
    assert (result.labels == np.where(pair.valid, 2, 255)).all()
    assert evaluation.frames[0].confusion.sum() == pair.valid.sum()


def test_fusion_scores_are_those_of_the_grey_images(two_datasets):
    evaluation = evaluate(HotIsPerson(), two_datasets, baselines=BASELINES)
    pair = two_datasets["one"][0]
    gray = cv2.cvtColor(pair.rgb, cv2.COLOR_RGB2GRAY)
    first = evaluation.frames[0].fusion
    assert first["fused"] == fusion_metrics(gray, gray, pair.thermal)
    assert first["maximum"] == fusion_metrics(np.maximum(gray, pair.thermal), gray, pair.thermal)
    assert first["thermal"] == fusion_metrics(pair.thermal, gray, pair.thermal)
    means = evaluation.fusion(evaluation.frames)["fused"]
    assert means["EN"] == pytest.approx(np.mean([frame.fusion["fused"]["EN"] for frame in evaluation.frames]))


def test_stretched():
    image = np.array([[[50, 60, 100]]], np.uint8)
    assert stretched(image).tolist() == [[[0, 51, 255]]]
    flat = np.full((2, 2, 3), 7, np.uint8)
    assert (stretched(flat) == flat).all()


def test_stretching_is_scored_and_raises_the_spread(two_datasets):
    plain = evaluate(HotIsPerson(), two_datasets)
    wide = evaluate(HotIsPerson(), two_datasets, stretch=True)
    assert wide.fusion(wide.frames)["fused"]["SD"] > plain.fusion(plain.frames)["fused"]["SD"]


@pytest.mark.parametrize(
    "name, gray, night", [("00012N", 250, True), ("00012D", 0, False), ("FLIR_N", 250, False), ("street", 55, True)]
)
def test_night_by_name_or_by_light(name, gray, night):
    rgb, plane = np.full((2, 2, 3), gray, np.uint8), np.zeros((2, 2), np.uint8)
    assert is_night(DatasetPair(name, rgb, plane, plane)) is night


@pytest.mark.parametrize("name", ["scores.json", "scores.md", "frames.csv"])
def test_files_are_replaced_whole(two_datasets, tmp_path, replaced_whole, name):
    evaluation = evaluate(HotIsPerson(), two_datasets, baselines=BASELINES)
    with replaced_whole(tmp_path / name):
        write_report(evaluation, tmp_path, {"network": "a stub"})


def test_report_files(two_datasets, tmp_path):
    evaluation = evaluate(HotIsPerson(), two_datasets, baselines=BASELINES)
    write_report(evaluation, tmp_path, {"network": "a stub"})
    content = json.loads((tmp_path / "scores.json").read_text())
    assert content == json.loads(json.dumps(as_json(evaluation, {"network": "a stub"})))
    assert content["groups"]["all"]["segmentation"]["IoU"]["person"] == 0.75
    assert content["groups"]["all"]["segmentation"]["IoU"]["bike"] is None
    assert set(content["groups"]["all"]["fusion"]) == {"fused", "maximum", "thermal"}
    rows = list(csv.DictReader((tmp_path / "frames.csv").open()))
    assert [row["frame"] for row in rows] == ["00001D", "00002N", "bright", "dark"]
    assert (rows[1]["IoU car"], rows[1]["IoU bike"], rows[1]["night"]) == ("0", "", "1")
    assert float(rows[0]["fused EN"]) == pytest.approx(evaluation.frames[0].fusion["fused"]["EN"], rel=1e-5)
    text = (tmp_path / "scores.md").read_text()
    assert "| person | 75.0 | 100.0 | 50.0 | 50.0 | 100.0 |" in text
    assert "mIoU, defined: all classes with background" in text
    assert "all: maximum" in text
    assert "AG: average gradient" in text


@pytest.mark.parametrize(
    "length, window, expected",
    [
        (60, 64, [0]),
        (64, 64, [0]),
        (65, 64, [0, 1]),
        (128, 64, [0, 42, 64]),
        (640, 480, [0, 160]),
        (10, 1, list(range(10))),
    ],
)
def test_windows_cover_the_side(length, window, expected):
    assert starts(length, window) == expected


def test_a_window_of_the_images_size_changes_nothing(tiny_weights, small_pair):
    plain, slid = load_engine(tiny_weights, device="cpu"), load_network(tiny_weights)
    result = sliding_engine(slid, plain.info, (96, 128))(*small_pair)
    expected = plain(*small_pair)
    assert (result.labels == expected.labels).mean() > 0.9999  # softmax and log round
    assert (result.fused == expected.fused).all()


def test_windows_are_averaged_where_they_overlap(tiny_weights, small_pair):
    import torch

    network = load_network(tiny_weights)
    rgb = torch.from_numpy(small_pair[0]).permute(2, 0, 1)[None].float() / 255
    thermal = torch.from_numpy(small_pair[1])[None, None].float() / 255
    with torch.inference_mode():
        slid = SlidingWindow(network, (96, 96))(rgb, thermal)  # columns 0-95 and 32-127
        left, right = network(rgb[..., :96], thermal[..., :96]), network(rgb[..., 32:], thermal[..., 32:])
    assert torch.allclose(slid.fused[..., :32], left.fused[..., :32])
    assert torch.allclose(slid.fused[..., 32:96], (left.fused[..., 32:] + right.fused[..., :64]) / 2)
    both = left.logits[..., 32:].softmax(1) + right.logits[..., :64].softmax(1)
    assert torch.allclose(slid.logits.exp()[..., 32:96], both / 2, atol=1e-6)


def test_windows_too_small_for_the_network_are_refused(tiny_weights):
    with pytest.raises(ConfigError, match="window 16x64: expected at least 32x32 pixels"):
        SlidingWindow(load_network(tiny_weights), (16, 64))


def test_a_cell_keeps_its_bars():
    assert table(["data"], [["a|b all"]]).splitlines()[-1] == r"| a\|b all |"
