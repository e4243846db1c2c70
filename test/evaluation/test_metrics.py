"""Fusion metrics: hand-computed values, plain loops as oracle, degenerate images, and the reference numbers."""

from __future__ import annotations

import json
import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_metrics import plain_ag, plain_mi, plain_nabf, plain_pearson, plain_qabf, plain_sf, plain_ssim, plain_vif
from reference import reference_file

from mrfs_ros.errors import ImageError
from mrfs_ros.evaluation import metrics
from mrfs_ros.evaluation.metrics import CONVENTIONS, SMALLEST_SIDE, fusion_metrics

pytestmark = pytest.mark.filterwarnings("error")

KINDS = ("noise", "flat", "two levels", "ramp", "one bright pixel")


def picture(kind: str, seed: int, height: int = 43, width: int = 41) -> np.ndarray:
    """A grey image; ``seed`` draws what its kind leaves open."""
    draw = np.random.default_rng(seed)
    if kind == "noise":
        return draw.integers(0, 256, (height, width), np.uint8)
    image = np.full((height, width), draw.integers(0, 256), np.uint8)
    if kind == "two levels":
        image[draw.random(image.shape) < 0.5] = draw.integers(0, 256)
    elif kind == "ramp":
        image[:] = np.linspace(0, draw.integers(1, 256), width)
    elif kind == "one bright pixel":
        image[draw.integers(height), draw.integers(width)] = 255
    return image


pictures = st.builds(picture, st.sampled_from(KINDS), st.integers(0, 10**6))
NOISE = picture("noise", 0)
PHOTO = cv2.GaussianBlur(picture("noise", 1, 60, 70), (0, 0), 2)


def equal(value: float):
    return pytest.approx(value, rel=1e-9, abs=1e-12)


def test_keys():
    assert list(fusion_metrics(NOISE, NOISE, NOISE)) == list(CONVENTIONS)
    assert all(type(value) is float for value in fusion_metrics(NOISE, NOISE, NOISE).values())


# One image


def test_what_needs_no_sources_is_the_same_without_them():
    alone = metrics.no_reference_metrics(NOISE)
    assert tuple(alone) == metrics.NO_REFERENCE
    assert alone.items() <= fusion_metrics(NOISE, 255 - NOISE, NOISE // 2).items()


def test_entropy_by_hand():
    assert metrics.entropy(np.arange(256, dtype=np.uint8).reshape(16, 16)) == equal(8)
    assert metrics.entropy(np.array([[0, 0, 7, 9]], np.uint8)) == equal(1.5)
    assert str(metrics.entropy(np.full((3, 3), 9, np.uint8))) == "0.0"


def test_standard_deviation_by_hand():
    two_levels = np.repeat(np.array([[10], [30]], np.uint8), 21, axis=0).repeat(42, axis=1)
    assert fusion_metrics(two_levels, two_levels, two_levels)["SD"] == equal(10)


def test_spatial_frequency_by_hand():
    assert metrics.spatial_frequency(np.array([[0, 3], [4, 0]], np.uint8)) == equal(5)


def test_average_gradient_of_a_plane():
    y, x = np.mgrid[:12, :14]
    assert metrics.average_gradient((3 * x + 4 * y).astype(np.uint8)) == equal(5 / math.sqrt(2))


# A fused image and its sources


def test_three_equal_images():
    values = fusion_metrics(PHOTO, PHOTO, PHOTO)
    assert values["MI"] == values["MI_nats"] == equal(2 * values["EN"] * math.log(2))
    assert values["SSIM"] == values["SSIM_sum"] == equal(2)
    assert values["VIF"] == pytest.approx(2, rel=1e-8)
    assert (values["CC"], values["SCD"]) == (equal(1), 0)
    assert (values["MSE"], values["PSNR"], values["Nabf"]) == (0, math.inf, 0)


def test_qabf_of_three_equal_images():
    """The evaluators let an equal strength stand for its ratio, so that the strength's share saturates at 0.9994."""
    kept = metrics.edge_preservation(PHOTO, PHOTO, PHOTO)
    assert round(kept, 4) == 0.9753
    assert kept == pytest.approx(0.9994 * 0.9879 / (1 + math.exp(-22 * (1 - 0.8))), rel=1e-6)


def test_independent_images_share_no_information():
    y, x = (a.astype(np.uint8) for a in np.mgrid[:4, :8])
    assert metrics.mutual_information(y, x, x) == equal(0)


def test_correlations_by_hand():
    visible, thermal = NOISE // 4, picture("noise", 2) // 4
    assert metrics.sum_of_correlations_of_differences(visible + thermal, visible, thermal) == equal(2)
    assert metrics.correlation_coefficient(255 - NOISE, NOISE, NOISE) == equal(-1)
    assert metrics.correlation_coefficient(NOISE, NOISE, np.zeros_like(NOISE)) == equal(0.5)


def test_errors_by_hand():
    fused, visible, thermal = (np.full((2, 2), v, np.uint8) for v in (0, 255, 1))
    assert metrics.mean_squared_error(fused, visible, thermal) == equal((255**2 + 1) / 2)
    assert metrics.peak_signal_to_noise(fused, visible, visible) == 0
    assert metrics.peak_signal_to_noise(fused, thermal, thermal) == pytest.approx(48.1308, abs=1e-4)


def test_similarity_of_flat_images():
    fused, source = np.full((9, 9), 100, np.uint8), np.full((9, 9), 50, np.uint8)
    luminance = (2 * 100 * 50 + 2.55**2) / (100**2 + 50**2 + 2.55**2)
    assert metrics.structural_similarity(fused, source, source) == equal(2 * luminance)


def test_more_contrast_than_the_source_is_more_information():
    vif = metrics.visual_information_fidelity
    assert vif(PHOTO // 2 * 2, PHOTO // 2, PHOTO // 2) > 2.1
    assert vif(PHOTO // 2, PHOTO, PHOTO) < 1.9


def test_artefacts_are_edges_that_no_source_has():
    flat = np.full_like(PHOTO, 90)
    assert metrics.fusion_artefacts(flat, PHOTO, PHOTO) == 0
    assert 0 < metrics.fusion_artefacts(picture("noise", 3, *PHOTO.shape), PHOTO, PHOTO) <= 1
    assert metrics.fusion_artefacts(picture("noise", 3, *PHOTO.shape), flat, flat) == pytest.approx(1, abs=1e-2)


# Plain loops


def small_images(seed: int) -> list[np.ndarray]:
    """Three 12 x 14 images of six levels, so that equal strengths and missing gradients occur."""
    draw = np.random.default_rng(seed)
    visible, thermal = (draw.choice([0, 20, 21, 90, 200, 255], (12, 14)).astype(np.uint8) for _ in "VT")
    visible[3:9, 4:10] = 90
    fused = np.where(draw.random((12, 14)) < 0.7, np.maximum(visible, thermal), 255 - visible)
    return [fused, visible, thermal]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_against_plain_loops(seed):
    arrays = small_images(seed)
    f, v, t = (array.tolist() for array in arrays)
    flat_f, flat_v, flat_t = (array.astype(float).ravel() for array in arrays)
    assert metrics.spatial_frequency(arrays[0]) == equal(plain_sf(f))
    assert metrics.average_gradient(arrays[0]) == equal(plain_ag(f))
    assert metrics.mutual_information(*arrays) == equal(plain_mi(f, v) + plain_mi(f, t))
    cc = (plain_pearson(flat_f, flat_v) + plain_pearson(flat_f, flat_t)) / 2
    assert metrics.correlation_coefficient(*arrays) == equal(cc)
    scd = plain_pearson(flat_f - flat_t, flat_v) + plain_pearson(flat_f - flat_v, flat_t)
    assert metrics.sum_of_correlations_of_differences(*arrays) == equal(scd)
    assert metrics.edge_preservation(*arrays) == equal(plain_qabf(f, v, t))
    assert metrics.fusion_artefacts(*arrays) == equal(plain_nabf(f, v, t))
    assert metrics.structural_similarity(*arrays) == equal(plain_ssim(f, v) + plain_ssim(f, t))


def test_vif_against_plain_windows():
    visible, thermal = picture("noise", 4, 43, 45), cv2.GaussianBlur(picture("noise", 5, 43, 45), (0, 0), 2)
    fused = np.maximum(visible, thermal)
    expected = plain_vif(fused, visible) + plain_vif(fused, thermal)
    assert metrics.visual_information_fidelity(fused, visible, thermal) == pytest.approx(expected, rel=1e-8)


# Every image


@settings(max_examples=60, deadline=None)
@given(pictures, pictures, pictures)
def test_bounds_and_symmetry(fused, visible, thermal):
    values = fusion_metrics(fused, visible, thermal)
    assert fusion_metrics(fused, thermal, visible) == pytest.approx(values, rel=1e-9, abs=1e-12)
    assert not any(math.isnan(value) for value in values.values())
    assert 0 <= values["EN"] <= 8
    assert -1e-9 <= values["MI"] <= 2 * values["EN"] * math.log(2) + 1e-9
    assert max(abs(values["CC"]), abs(values["SCD"]) / 2, abs(values["SSIM"]) / 2) <= 1 + 1e-12
    assert 0 <= values["Qabf"] < 0.976
    assert 0 <= values["Nabf"] <= 1
    assert min(values[key] for key in ("SD", "SF", "AG", "VIF", "MSE")) >= 0


@pytest.mark.parametrize("level", range(0, 256, 15))
def test_flat_images(level):
    flat = np.full((SMALLEST_SIDE, SMALLEST_SIDE), level, np.uint8)
    same = fusion_metrics(flat, flat, flat)
    assert [same[key] for key in ("EN", "SD", "SF", "AG", "MI", "SCD", "CC", "Nabf", "MSE")] == [0] * 9
    assert (same["VIF"], same["SSIM"], same["PSNR"]) == (2, equal(2), math.inf)
    noise = picture("noise", level, *flat.shape)
    assert fusion_metrics(flat, noise, noise)["VIF"] == 0  # all is lost
    assert fusion_metrics(noise, flat, flat)["VIF"] == 2  # there was nothing to lose
    assert fusion_metrics(noise, flat, flat)["CC"] == fusion_metrics(flat, noise, noise)["CC"] == 0


def test_qabf_of_black_images():
    black = np.zeros((50, 50), np.uint8)
    assert fusion_metrics(black, black, black)["Qabf"] == 0


def test_memory_layout_does_not_matter():
    images = [picture("noise", seed, 50, 60) for seed in range(3)]
    for view in (np.transpose, np.flipud, lambda image: image[::1, ::-1], lambda image: np.dstack([image] * 3)[..., 1]):
        views = [view(image) for image in images]
        assert fusion_metrics(*views) == fusion_metrics(*map(np.ascontiguousarray, views))


# Errors


@pytest.mark.parametrize(
    "fused, text",
    [
        (NOISE.astype(np.float32), r"fused: expected a grey image, \(H, W\) uint8, got \(43, 41\) float32"),
        (np.dstack([NOISE] * 3), r"fused: expected a grey image, \(H, W\) uint8, got \(43, 41, 3\) uint8"),
        (NOISE[1:], "expected images of one size.*'fused': .42, 41.*'thermal': .43, 41.*resize or register"),
    ],
)
def test_wrong_images(fused, text):
    with pytest.raises(ImageError, match=text):
        fusion_metrics(fused, NOISE, NOISE)


def test_smallest_image():
    assert fusion_metrics(NOISE[:41], NOISE[:41], NOISE[:41])["VIF"] == pytest.approx(2, rel=1e-8)
    for small in (NOISE[:40], NOISE[:, :40], NOISE[:0]):
        with pytest.raises(ImageError, match="expected at least 41 x 41 pixels for VIF, got"):
            fusion_metrics(small, small, small)


# The reference numbers


@pytest.mark.parametrize("name", ["00024N", "01344N"])
@pytest.mark.parametrize("fusion", ["average", "maximum"])
def test_reference_numbers(name, fusion):
    expected = json.loads(reference_file("fusion_metrics.json").read_text())[name][fusion]
    frames = [reference_file(f"../data/msrs/{path}") for path in (f"rgb/{name}.jpg", f"thermal/{name}.png")]
    visible = cv2.cvtColor(cv2.imread(str(frames[0])), cv2.COLOR_BGR2GRAY)
    thermal = cv2.imread(str(frames[1]), cv2.IMREAD_GRAYSCALE)
    average = np.round((visible.astype(float) + thermal) / 2).astype(np.uint8)  # halves to even, as np.round has it
    fused = average if fusion == "average" else np.maximum(visible, thermal)
    values = fusion_metrics(fused, visible, thermal)
    assert {key: values[key] for key in expected} == pytest.approx(expected, rel=1e-6)
