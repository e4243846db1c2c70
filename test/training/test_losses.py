"""The training objective against the released definition's numbers and a plain restatement of the paper's text."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import reference_file

from mrfs_ros.errors import ConfigError, ImageError
from mrfs_ros.training.losses import PRESETS, LossPreset, fusion_loss, mrfs_loss, preset_named, segmentation_loss

NUMBERS = {"MFNet": (0.5, 1.7, 0.2), "FMB": (0.8, 1.0, 1.0), "PST900": (0.5, 1.8, 0.2)}  # gamma, contrast, gradients
CLASSES = 5
SOBEL_X = ((-1, 0, 1), (-2, 0, 2), (-1, 0, 1))
SOBEL_Y = ((1, 2, 1), (0, 0, 0), (-1, -2, -1))

sides = st.integers(3, 12)
seeds = st.integers(0, 2**32)


def arrays(seed: int, height: int, width: int, batch: int = 2, thermal_channels: int = 1) -> dict[str, np.ndarray]:
    """Random float64 inputs of the loss: ignored labels, a padded border, and images that are not 0 in it."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, CLASSES + 1, (batch, height, width))
    valid = np.zeros((batch, 1, height, width))
    for mask in valid:
        top, left = rng.integers(0, height // 2 + 1), rng.integers(0, width // 2 + 1)
        mask[:, top : rng.integers(top + 1, height + 1), left : rng.integers(left + 1, width + 1)] = 1
    return {
        "logits": rng.normal(0, 3, (batch, CLASSES, height, width)),
        "fused": rng.random((batch, 3, height, width)),
        "rgb": rng.random((batch, 3, height, width)),
        "thermal": rng.random((batch, thermal_channels, height, width)),
        "label": np.where(label == CLASSES, 255, label),
        "valid": valid,
    }


def tensors(inputs: dict[str, np.ndarray], dtype: torch.dtype = torch.float32) -> dict[str, torch.Tensor]:
    own = {"label": torch.uint8, "valid": torch.uint8}
    return {name: torch.from_numpy(array).to(own.get(name, dtype)) for name, array in inputs.items()}


def correlated(image: np.ndarray, kernel) -> np.ndarray:
    """Cross-correlation of (H, W) with a 3x3 kernel, zeros around."""
    padded = np.pad(image, 1)
    height, width = image.shape
    return sum(kernel[r][c] * padded[r : r + height, c : c + width] for r in range(3) for c in range(3))


def chroma(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    red, green, blue = image
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    return 0.713 * (red - luma) + 0.5, 0.564 * (blue - luma) + 0.5


def plain_terms(fused, rgb, thermal, valid, gamma: float, contrast: float, both=np.maximum, **_) -> dict[str, float]:
    """Intensity, gradient and colour, image by image and channel by channel."""
    intensity, gradient, colour = [], [], []
    for one, visible, heat, mask in zip(fused, rgb, thermal, valid):
        masked, visible = one * mask, np.clip(visible**gamma, 0, 1)
        heat = np.broadcast_to(heat, visible.shape)
        mean = (0.2989 * heat[0] + 0.587 * heat[1] + 0.114 * heat[2]).mean()
        salient = np.clip(contrast * heat + (1 - contrast) * mean, 0, 1)
        for f, v, t in zip(masked, visible, salient):
            intensity.append(np.abs(f - both(v, t)).mean())
            for kernel in (SOBEL_X, SOBEL_Y):
                target = both(correlated(v, kernel), correlated(t, kernel))
                gradient.append(np.abs(correlated(f, kernel) - target).mean())
        colour.append(sum(np.abs(a - b).mean() for a, b in zip(chroma(masked), chroma(visible))))
    # 0.5 horizontal + 0.5 vertical is the mean over both; all images and channels have one size.
    return {"intensity": np.mean(intensity), "gradient": np.mean(gradient), "colour": np.mean(colour)}


def plain_cross_entropy(logits, label, **_) -> float:
    """Pixel by pixel, mean over those that have a class; 0 when none has."""
    costs = []
    for scores, truth in zip(logits, label):
        for row, column in np.argwhere(truth != 255):
            at = scores[:, row, column]
            costs.append(np.log(np.exp(at - at.max()).sum()) + at.max() - at[truth[row, column]])
    return float(np.mean(costs)) if costs else 0.0


def plain_loss(inputs: dict[str, np.ndarray], name: str, fusion_weight: float = 0.1) -> dict[str, float]:
    gamma, contrast, gradient_weight = NUMBERS[name]
    terms = plain_terms(**inputs, gamma=gamma, contrast=contrast)
    fusion = 0.5 * terms["intensity"] + gradient_weight * terms["gradient"] + terms["colour"]
    segmentation = plain_cross_entropy(**inputs)
    return {"total": segmentation + fusion_weight * fusion, "segmentation": segmentation, "fusion": fusion, **terms}


def assert_equal(losses: dict[str, torch.Tensor], expected: dict[str, float], rel: float = 1e-5) -> None:
    assert losses.keys() == expected.keys()
    for name, value in losses.items():
        assert value.shape == ()
        assert value.dtype == torch.float32, name
        assert value.item() == pytest.approx(expected[name], rel=rel, abs=1e-6), name


def test_the_released_definitions_numbers():
    with np.load(reference_file("parity_mit_b0.npz")) as file:
        names = ("logits", "fused", "rgb", "thermal", "label", "valid")
        losses = mrfs_loss(*(torch.from_numpy(file[name]) for name in names), "MFNet")
    expected = json.loads(reference_file("loss_mit_b0.json").read_text())["MFNet"]
    for name, value in expected.items():
        assert losses[name].item() == pytest.approx(value, rel=1e-6), name
    printed = {name: f"{losses[name].item():.6f}" for name in ("intensity", "gradient", "colour")}
    assert printed == {"intensity": "0.237170", "gradient": "0.432923", "colour": "0.137699"}


@settings(deadline=None, max_examples=25)
@given(seeds, sides, sides, st.sampled_from(sorted(PRESETS)), st.sampled_from([1, 3]))
def test_equals_the_plain_restatement(seed, height, width, name, channels):
    inputs = arrays(seed, height, width, thermal_channels=channels)
    assert_equal(mrfs_loss(**tensors(inputs), preset=name), plain_loss(inputs, name))


def test_the_restatement_tells_the_presets_apart():
    inputs = arrays(1, 9, 11)
    assert len({round(plain_loss(inputs, name)["fusion"], 4) for name in NUMBERS}) == 3


@pytest.mark.parametrize("name", NUMBERS)
def test_preset_numbers(name):
    assert preset_named(name) == LossPreset(*NUMBERS[name])
    assert len(PRESETS) == len(NUMBERS)


def test_own_numbers_and_own_share():
    inputs = arrays(3, 8, 10)
    own = mrfs_loss(**tensors(inputs), preset=LossPreset(*NUMBERS["FMB"]), fusion_weight=2.5)
    assert_equal(own, plain_loss(inputs, "FMB", fusion_weight=2.5))


def test_the_proportional_rule_asks_for_the_mean():
    inputs = arrays(8, 9, 10)
    losses = mrfs_loss(**tensors(inputs), preset=LossPreset(*NUMBERS["MFNet"], rule="proportional"))
    gamma, contrast, _ = NUMBERS["MFNet"]
    expected = plain_terms(**inputs, gamma=gamma, contrast=contrast, both=lambda v, t: v / 2 + t / 2)
    for name, value in expected.items():
        assert losses[name].item() == pytest.approx(value, rel=1e-5)
    assert expected["intensity"] < plain_terms(**inputs, gamma=gamma, contrast=contrast)["intensity"]


def test_dark_and_saturated_images():
    """Powers of 0 and contrasts beyond the range are where clamps matter."""
    inputs = arrays(4, 8, 8)
    inputs["rgb"] = np.round(inputs["rgb"])
    inputs["thermal"] = np.round(inputs["thermal"])
    assert_equal(mrfs_loss(**tensors(inputs), preset="PST900"), plain_loss(inputs, "PST900"))


def test_the_mask_multiplies_the_fused_image_only():
    inputs = tensors(arrays(5, 10, 10))
    inputs["valid"][:] = 1
    whole = mrfs_loss(**inputs)
    inputs["valid"][:, :, :5] = 0
    masked = mrfs_loss(**inputs)
    blackened = mrfs_loss(**{**inputs, "valid": torch.ones_like(inputs["valid"])}
                          | {"fused": inputs["fused"] * inputs["valid"]})  # fmt: skip
    assert masked["segmentation"] == whole["segmentation"]
    assert masked["fusion"] != whole["fusion"]
    assert masked["fusion"] == blackened["fusion"]


def test_one_thermal_channel_equals_three():
    inputs = tensors(arrays(6, 9, 7))
    three = {**inputs, "thermal": inputs["thermal"].repeat(1, 3, 1, 1)}
    assert mrfs_loss(**inputs) == mrfs_loss(**three)


@pytest.mark.parametrize("weights", [None, [0.5, 2.0, 1.0, 0.0, 7.0]], ids=["plain", "weighted"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_weights_and_smoothing_as_torchs_own_mean(weights, smoothing):
    inputs = tensors(arrays(7, 12, 10))
    weights = None if weights is None else torch.tensor(weights)
    expected = torch.nn.functional.cross_entropy(
        inputs["logits"], inputs["label"].long(), weight=weights, ignore_index=255, label_smoothing=smoothing
    )
    loss = mrfs_loss(**inputs, class_weights=weights, label_smoothing=smoothing)["segmentation"]
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)


def test_class_weights_count_by_the_true_class():
    inputs = arrays(8, 6, 6)
    weights = np.array([0.5, 2.0, 1.0, 3.0, 7.0])
    costs, shares = 0.0, 0.0
    for truth in range(CLASSES):
        only = np.where(inputs["label"] == truth, truth, 255)
        count = (only != 255).sum()
        costs += weights[truth] * count * plain_cross_entropy(inputs["logits"], only)
        shares += weights[truth] * count
    given = tensors(inputs)
    loss = segmentation_loss(given["logits"], given["label"], torch.tensor(weights, dtype=torch.float32))
    assert loss.item() == pytest.approx(costs / shares, rel=1e-5)


@pytest.mark.parametrize("weights", [None, torch.full((CLASSES,), 2.0)], ids=["plain", "weighted"])
def test_without_labels_the_fusion_loss_is_left(weights):
    inputs = tensors(arrays(9, 8, 8))
    inputs["label"][:] = 255
    for name in ("logits", "fused"):
        inputs[name].requires_grad_()
    losses = mrfs_loss(**inputs, class_weights=weights, label_smoothing=0.1)
    losses["total"].backward()
    assert losses["segmentation"].item() == 0
    assert losses["total"].item() == pytest.approx(0.1 * losses["fusion"].item())
    assert torch.count_nonzero(inputs["logits"].grad) == 0
    assert torch.isfinite(inputs["logits"].grad).all()
    assert torch.count_nonzero(inputs["fused"].grad) > 0


def test_logits_get_the_gradient_of_the_cross_entropy():
    """(softmax - one-hot) / counted pixels at labelled pixels, nothing at the others."""
    arrays_ = arrays(10, 7, 9)
    inputs = tensors(arrays_)
    inputs["logits"].requires_grad_()
    mrfs_loss(**inputs)["total"].backward()
    powers = np.exp(arrays_["logits"])
    counted = (arrays_["label"] != 255)[:, None]
    one_hot = np.arange(CLASSES)[None, :, None, None] == arrays_["label"][:, None]
    expected = (powers / powers.sum(axis=1, keepdims=True) - one_hot) * counted / counted.sum()
    np.testing.assert_allclose(inputs["logits"].grad.numpy(), expected, atol=1e-6)


def test_the_fused_image_gets_gradients_inside_the_mask():
    inputs = tensors(arrays(11, 8, 8))
    inputs["fused"].requires_grad_()
    mrfs_loss(**inputs)["total"].backward()
    inside = inputs["valid"].bool().expand_as(inputs["fused"])
    assert (inputs["fused"].grad[inside] != 0).float().mean() > 0.5
    assert torch.count_nonzero(inputs["fused"].grad[~inside]) == 0


def test_gradients_of_the_fusion_loss_by_differences():
    inputs = tensors(arrays(12, 4, 5, batch=1), torch.float64)
    inputs["fused"].requires_grad_()

    def loss(fused: torch.Tensor) -> torch.Tensor:
        valid = inputs["valid"].double()
        return fusion_loss(fused, inputs["rgb"], inputs["thermal"], valid, PRESETS["MFNet"])["fusion"]

    assert torch.autograd.gradcheck(loss, (inputs["fused"],), eps=1e-7, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_outputs_are_judged_in_float32(dtype):
    inputs = tensors(arrays(13, 9, 9))
    for name in ("logits", "fused"):
        inputs[name] = inputs[name].to(dtype)
    rounded = {name: tensor.double().numpy() for name, tensor in inputs.items()}
    rounded["label"] = inputs["label"].numpy()
    assert_equal(mrfs_loss(**inputs), plain_loss(rounded, "MFNet"))


@pytest.mark.parametrize(
    "name, shape, expected",
    [
        ("rgb", (2, 4, 8, 6), r"\(B, 3, H, W\)"),
        ("rgb", (3, 8, 6), r"\(B, 3, H, W\)"),
        ("fused", (2, 1, 8, 6), r"\(2, 3, 8, 6\)"),
        ("fused", (2, 3, 8, 7), r"\(2, 3, 8, 6\)"),
        ("thermal", (2, 2, 8, 6), r"\(2, 1, 8, 6\) or \(2, 3, 8, 6\)"),
        ("thermal", (1, 1, 8, 6), r"\(2, 1, 8, 6\) or \(2, 3, 8, 6\)"),
        ("label", (2, 1, 8, 6), r"\(2, 8, 6\)"),
        ("label", (2, 6, 8), r"\(2, 8, 6\)"),
        ("valid", (2, 8, 6), r"\(2, 1, 8, 6\)"),
        ("valid", (2, 3, 8, 6), r"\(2, 1, 8, 6\)"),
        ("logits", (2, 5, 2, 2), r"\(2, 5, 8, 6\)"),
        ("logits", (5, 8, 6), r"\(2, classes, 8, 6\)"),
    ],
)
def test_shapes_that_do_not_belong_together(name, shape, expected):
    inputs = tensors(arrays(14, 8, 6))
    inputs[name] = torch.zeros(shape, dtype=inputs[name].dtype)
    with pytest.raises(ImageError, match=f"^{name}: .*{expected}") as error:
        mrfs_loss(**inputs)
    assert str(shape) in str(error.value)


def test_an_unknown_preset():
    with pytest.raises(ConfigError, match="unknown loss preset 'mfnet': expected one of MFNet, FMB, PST900"):
        mrfs_loss(**tensors(arrays(15, 6, 6)), preset="mfnet")


def larger_magnitude(visible: np.ndarray, salient: np.ndarray) -> np.ndarray:
    return np.where(np.abs(visible) >= np.abs(salient), visible, salient)


def test_gradients_by_magnitude_keep_their_sign():
    """Against a plain restatement; only the gradient's target is another one."""
    inputs = arrays(9, 9, 10)
    gamma, contrast, weight = NUMBERS["MFNet"]
    signed = mrfs_loss(**tensors(inputs), preset=LossPreset(gamma, contrast, weight))
    steep = mrfs_loss(**tensors(inputs), preset=LossPreset(gamma, contrast, weight, gradient="magnitude"))
    expected = plain_terms(**inputs, gamma=gamma, contrast=contrast)
    by_magnitude = magnitude_gradient(**inputs, gamma=gamma, contrast=contrast)
    assert steep["gradient"].item() == pytest.approx(by_magnitude, rel=1e-5)
    assert signed["gradient"].item() == pytest.approx(expected["gradient"], rel=1e-5)
    assert abs(by_magnitude - expected["gradient"]) > 0.01
    for name in ("intensity", "colour", "segmentation"):
        assert steep[name] == signed[name]
    assert steep["fusion"].item() == pytest.approx(
        signed["fusion"].item() + weight * (by_magnitude - expected["gradient"]), rel=1e-5
    )


def magnitude_gradient(fused, rgb, thermal, valid, gamma: float, contrast: float, **_) -> float:
    costs = []
    for one, visible, heat, mask in zip(fused, rgb, thermal, valid):
        heat = np.broadcast_to(heat, visible.shape)
        mean = (0.2989 * heat[0] + 0.587 * heat[1] + 0.114 * heat[2]).mean()
        salient = np.clip(contrast * heat + (1 - contrast) * mean, 0, 1)
        for f, v, t in zip(one * mask, visible**gamma, salient):
            for kernel in (SOBEL_X, SOBEL_Y):
                target = larger_magnitude(correlated(v, kernel), correlated(t, kernel))
                costs.append(np.abs(correlated(f, kernel) - target).mean())
    return float(np.mean(costs))


def test_a_falling_edge_is_wanted_by_magnitude_alone():
    """Thermal falls by 1 from left to right where rgb is flat: signed, the flat image is the target."""
    rgb = torch.full((1, 3, 8, 8), 0.5)
    thermal = torch.ones(1, 1, 8, 8)
    thermal[..., 4:] = 0
    flat, sharp = rgb, thermal.expand(1, 3, 8, 8)
    valid = torch.ones(1, 1, 8, 8)

    def cost(fused: torch.Tensor, rule: str) -> float:
        return fusion_loss(fused, rgb, thermal, valid, LossPreset(1.0, 1.0, 1.0, gradient=rule))["gradient"].item()

    assert cost(flat, "signed") < cost(sharp, "signed")
    assert cost(sharp, "magnitude") < cost(flat, "magnitude")
