"""The C++ operators against the plain ones in float64, and the plain ones against what they stand for."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator

import pytest
import torch
from emulated_arm import EmulatedOperators, emulated_operators
from hypothesis import given, settings
from hypothesis import strategies as st
from operands import Numbers, every_operator, scales_of
from torch import Tensor, nn
from torch.nn import functional

from mrfs_ros.config import NetworkConfig
from mrfs_ros.engine.operators.native import NativeOperators
from mrfs_ros.engine.operators.plain import PlainOperators, _sum_of_taps
from mrfs_ros.errors import ConfigError, MissingPackageError

PLAIN = PlainOperators()  # on float64 tensors: the oracle
ROUNDING = 4e-6  # of float32 sums of some hundred numbers around 1, against float64

examples = settings(max_examples=20, deadline=None, derandomize=True)
few_examples = settings(examples, max_examples=8)
EMULATED_SHARE = 4  # one in so many examples runs on the emulated processor too, which is slow


def rule(how: settings, *strategies: st.SearchStrategy) -> Callable:
    """A test of ``native`` by examples of these strategies, by a share of them where that is emulated."""

    def decorate(check: Callable) -> Callable:
        fewer = settings(how, max_examples=max(2, how.max_examples // EMULATED_SHARE))
        here, emulated = (own(given(*strategies)(check)) for own in (how, fewer))

        def test(native, **parameters) -> None:
            (emulated if isinstance(native, EmulatedOperators) else here)(native, **parameters)

        test.__signature__ = inspect.signature(here)
        test.__name__ = check.__name__
        return test

    return decorate


def side(smallest: int = 1, largest: int = 19) -> st.SearchStrategy[int]:
    return st.integers(smallest, largest)


def near(result: Tensor, expected: Tensor, tolerance: float = ROUNDING) -> None:
    assert result.shape == expected.shape
    assert result.dtype == torch.float32
    difference = (result.double() - expected).abs().max().item()
    assert difference <= tolerance * max(1, expected.abs().max().item())


def upsampled(x: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, h, w, C) to (B, C, H, W)."""
    return functional.interpolate(x.permute(0, 3, 1, 2), size=size, mode="bilinear", align_corners=False)


numbers = st.integers(0, 2**31).map(Numbers)
batches = st.integers(1, 2)
channels = st.sampled_from([16, 32, 48, 160])
columns = st.sampled_from([1, 3, 9, 16, 31, 32, 48, 144])


@pytest.fixture(scope="module", params=["here", pytest.param("arm", marks=pytest.mark.slow)])
def native(request) -> Iterator[NativeOperators]:
    """The C++ operators on this processor, and on an emulated ARM processor."""
    if request.param == "arm":
        with emulated_operators(request.getfixturevalue("emulated_caller")) as operators:
            yield operators
        return
    try:
        yield NativeOperators(NetworkConfig())
    except MissingPackageError as error:
        pytest.skip(str(error))


@rule(examples,
    numbers, batches, side(), side(1, 70), channels, columns, st.sampled_from([None, 1e-6, 1e-5]), st.booleans(),
    st.sampled_from([None, "relu", "sigmoid"]),
)  # fmt: skip
def test_linear(native, numbers, batch, height, width, inputs, outputs, eps, with_residual, activation):
    x, folded = numbers(batch, height, width, inputs) + 1, numbers.dense(outputs, inputs)
    residual = numbers(batch, height, width, outputs) if with_residual else None
    exact = residual.double() if with_residual else None
    expected = PLAIN.linear(
        x.double(), PLAIN.dense(folded).double(), eps=eps, residual=exact, activation=activation
    )  # first: the C++ operator writes over the residual
    near(native.linear(x, native.dense(folded), eps=eps, residual=residual, activation=activation), expected)


@pytest.mark.parametrize("inputs", [1, 12, 35])
def test_linear_takes_any_number_of_inputs(native, inputs):
    x, folded = Numbers(0)(1, 5, 7, inputs), Numbers(1).dense(20, inputs)
    near(native.linear(x, native.dense(folded)), PLAIN.linear(x.double(), PLAIN.dense(folded).double()))


@pytest.mark.parametrize("kernel, stride, padding, inputs", [(7, 4, 3, 3), (7, 4, 3, 1), (3, 2, 1, 32)])
@rule(few_examples, numbers, batches, side(1, 33), side(1, 33), columns)
def test_patches_of_an_embedding(native, kernel, stride, padding, inputs, numbers, batch, height, width, outputs):
    x, folded = numbers(batch, height, width, inputs), numbers.dense(outputs, kernel * kernel * inputs)
    weight = folded[0].double().unflatten(1, (kernel, kernel, inputs)).permute(0, 3, 1, 2)
    expected = functional.conv2d(x.double().permute(0, 3, 1, 2), weight, folded[1].double(), stride, padding)
    arguments = kernel, stride, padding
    near(PLAIN.patches(x, PLAIN.dense(folded), *arguments), expected.permute(0, 2, 3, 1))
    near(native.patches(x, native.dense(folded), *arguments), expected.permute(0, 2, 3, 1))


@pytest.mark.parametrize("ratio, inputs", [(2, 160), (4, 64), (8, 32)])
@rule(few_examples, numbers, batches, side(0), side(0), columns, st.sampled_from([None, 1e-6]))
def test_patches_of_a_reduction(native, ratio, inputs, numbers, batch, height, width, outputs, eps):
    x = numbers(batch, ratio + height, ratio + width, inputs) + 1  # not always whole patches: the rest is left out
    folded = numbers.dense(outputs, ratio * ratio * inputs)
    pixels = x.double() if eps is None else functional.layer_norm(x.double(), (inputs,), eps=eps)
    weight = folded[0].double().unflatten(1, (ratio, ratio, inputs)).permute(0, 3, 1, 2)
    expected = functional.conv2d(pixels.permute(0, 3, 1, 2), weight, folded[1].double(), stride=ratio)
    arguments = ratio, ratio, 0, eps
    near(PLAIN.patches(x, PLAIN.dense(folded), *arguments), expected.permute(0, 2, 3, 1))
    near(native.patches(x, native.dense(folded), *arguments), expected.permute(0, 2, 3, 1))


@rule(examples, numbers, batches, side(), side(), channels, st.sampled_from([1e-6, 1e-5]))
def test_layer_norm(native, numbers, batch, height, width, channels, eps):
    trained = numbers.module(nn.LayerNorm(channels, eps=eps))
    x = 3 * numbers(batch, height, width, channels) + 10
    expected = PLAIN.layer_norm(x.double(), PLAIN.norm(trained).double())
    near(native.layer_norm(x, native.norm(trained)), expected)


@rule(examples, numbers, batches, side(), side(), channels, columns)
def test_depthwise_gelu_linear(native, numbers, batch, height, width, inputs, outputs):
    x, residual = numbers(batch, height, width, inputs), numbers(batch, height, width, outputs)
    trained = numbers.module(nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs))
    folded = numbers.dense(outputs, inputs)
    hidden = functional.conv2d(
        x.double().permute(0, 3, 1, 2), trained.weight.double(), trained.bias.double(), padding=1, groups=inputs
    )
    exact = functional.linear(functional.gelu(hidden.permute(0, 2, 3, 1)), *(t.double() for t in folded))
    expected = exact + residual.double()
    near(PLAIN.depthwise_gelu_linear(x, PLAIN.depthwise(trained), PLAIN.dense(folded), residual), expected)
    near(native.depthwise_gelu_linear(x, native.depthwise(trained), native.dense(folded), residual), expected)


@rule(examples,
    numbers, batches, side(), side(), side(1, 13), side(1, 13), st.sampled_from([1, 2, 5, 8]),
    st.sampled_from([32, 64]), st.sampled_from([0.1, 1, 8, 30, 500]), st.booleans(),
)  # fmt: skip
def test_attention(native, numbers, batch, height, width, rows, columns, heads, depth, spread, with_residual):
    query = numbers(batch, height, width, heads * depth) * spread / depth**0.5  # scores as far as ``spread`` from 0
    key_value = numbers(batch, rows, columns, 2 * heads * depth)
    residual = numbers(*query.shape) if with_residual else None
    exact = residual.double() if with_residual else None
    expected = PLAIN.attention(query.double(), key_value.double(), heads, exact)
    near(native.attention(query, key_value, heads, residual), expected, ROUNDING * max(1, spread / 10))


@pytest.mark.parametrize("score", [-1e4, -500, -61, -59, 0, 59, 61, 88, 89, 500, 1e4])
@pytest.mark.parametrize("keys", [1, 5, 16, 33, 700])
def test_equal_scores_of_any_size_average_the_values(native, score, keys):
    values = Numbers(0)(1, 1, keys, 32)
    query, key = torch.full((1, 1, 3, 32), 0.25), torch.full((1, 1, keys, 32), score / 8)
    result = native.attention(query, torch.cat((key, values), 3), heads=1)
    near(result, values.double().mean(2, keepdim=True).expand(1, 1, 3, 32))


@pytest.mark.parametrize("ahead", [20, 500, 1e4])
@pytest.mark.parametrize("others", [-1e4, -500, 0, 500])
def test_one_key_ahead_of_all_others_takes_all(native, others, ahead):
    values, key = Numbers(0)(1, 1, 100, 32), torch.full((1, 1, 100, 32), others / 32)
    key[0, 0, 37] += ahead / 32
    result = native.attention(torch.ones(1, 1, 1, 32), torch.cat((key, values), 3), heads=1)
    near(result, values[:, :, 37:38].double())


@rule(examples, numbers, batches, side(), side(), channels)
def test_pool(native, numbers, batch, height, width, channels):
    x = numbers(batch, height, width, channels)
    mean, maximum = native.pool(x)
    near(mean, x.double().mean((1, 2)))
    assert torch.equal(maximum, x.amax((1, 2)))


def test_mean_of_a_large_plain_map(native):
    x = torch.full((1, 270, 480, 16), 0.1)  # 1080x1920 in the first stage: adding one by one rounds one way each time
    near(native.pool(x)[0], x[:, 0, 0].double(), 2e-5)


@rule(examples, numbers, batches, side(), side(), channels)
def test_exchange(native, numbers, batch, height, width, channels):
    x1, x2, gate = (numbers(batch, height, width, channels) for _ in range(3))
    weights = numbers(batch, 2 * channels).sigmoid()
    mlp = numbers.module(nn.Sequential(nn.Conv2d(4, 16, 1), nn.ReLU(), nn.Conv2d(16, 2, 1)))
    inputs = x1.double(), x2.double(), gate.sigmoid().double(), weights.double()
    expected = PLAIN.exchange(*inputs, PLAIN.spatial_gate(mlp).double())
    for result, exact in zip(native.exchange(x1, x2, gate.sigmoid(), weights, native.spatial_gate(mlp)), expected):
        near(result, exact)


def test_exchange_with_far_spatial_weights(native):
    mlp = Numbers(0).module(nn.Sequential(nn.Conv2d(4, 16, 1), nn.ReLU(), nn.Conv2d(16, 2, 1)))
    mlp[2].bias.data = torch.tensor([1e3, -1e3])  # sigmoids of 1 and 0
    x1, x2 = Numbers(1)(2, 1, 3, 5, 16)
    gate, weights = torch.full((1, 3, 5, 16), 0.25), torch.ones(1, 32)
    expected1, expected2 = x1.double(), (x2 + 0.25 * x1).double()
    result1, result2 = native.exchange(x1, x2, gate, weights, native.spatial_gate(mlp))
    near(result1, expected1)
    near(result2, expected2)


@rule(
    examples, numbers, batches, side(), side(), channels, st.sampled_from([16, 48, 64]), st.sampled_from([1, 2, 9, 15])
)
def test_decode(native, numbers, batch, height, width, inputs, mixed, classes):
    x, coarse = numbers(batch, height, width, inputs), scales_of(numbers, batch, (height, width), (2, 4, 8), mixed)
    scale, last = numbers.dense(mixed, inputs), numbers.dense(classes, mixed)
    total = functional.linear(x.double(), *(t.double() for t in scale)).permute(0, 3, 1, 2)
    total = total + sum(upsampled(c.double(), (height, width)) for c in coarse)
    expected = functional.linear(total.relu().permute(0, 2, 3, 1), *(t.double() for t in last))
    near(PLAIN.decode(x, PLAIN.dense(scale), coarse, PLAIN.dense(last)), expected)
    near(native.decode(x, native.dense(scale), coarse, native.dense(last)), expected)


@rule(examples, numbers, batches, side(1, 61), side(1, 61), st.sampled_from([1, 2, 9, 15]))
def test_labels(native, numbers, batch, height, width, classes):
    (logits,) = scales_of(numbers, batch, (height, width), [4], classes)
    scores = upsampled(logits.double(), (height, width))
    highest = scores.amax(1)
    for labels in (PLAIN.labels(logits, (height, width)), native.labels(logits, (height, width))):
        assert labels.dtype == torch.uint8
        chosen = scores.gather(1, labels[:, None].long())[:, 0]
        assert (highest - chosen).max() <= 4e-6  # which of two equal scores it is may differ, not more


@rule(examples, numbers, batches, side(1, 61), side(1, 61), st.sampled_from([1, 2, 9, 15]), st.sampled_from([1, 30]))
def test_confident_labels(native, numbers, batch, height, width, classes, spread):
    (logits,) = scales_of(numbers, batch, (height, width), [4], classes)
    logits = logits * spread
    probability = upsampled(logits.double(), (height, width)).softmax(1).amax(1)
    for operators in (PLAIN, native):
        labels, confidence = operators.confident_labels(logits, (height, width))
        assert torch.equal(labels, operators.labels(logits, (height, width)))
        assert confidence.dtype == torch.uint8
        assert (confidence / 255 - probability).abs().max() <= 0.5 / 255 + 1e-5


@rule(examples, numbers, batches, side(1, 41), side(1, 41), side(1, 41), side(1, 41), side(1, 4))
def test_area_average(native, numbers, batch, height, width, small_height, small_width, channels):
    size = min(height, small_height), min(width, small_width)
    image = numbers(batch, height, width, channels)
    near(native.area_average(image, size), PLAIN.area_average(image.double(), size))


@rule(examples, numbers, batches, side(1, 41), side(1, 41))
def test_fuse(native, numbers, batch, height, width):
    size = height, width
    features = scales_of(numbers, batch, size, (4, 8, 16, 32), 32)
    rgb, thermal = numbers(batch, *size, 3).sigmoid(), numbers(batch, *size, 1).sigmoid()
    kernel, bias = numbers(16, 134, 3, 3) / 20, numbers(16)
    last = numbers.dense(3, 16)

    # The paper's graph: everything stacked at full size, thermal as three equal channels.
    stacked = torch.cat([upsampled(x.double(), size) for x in (*features, rgb, thermal, thermal, thermal)], 1)
    hidden = functional.conv2d(stacked, kernel.double(), bias.double(), padding=1).relu()
    expected = functional.linear(hidden.permute(0, 2, 3, 1), *(t.double() for t in last)).sigmoid()

    taps = kernel.permute(2, 3, 0, 1).reshape(9, 16, 134)
    mixed = [
        functional.linear(x, taps[:, :, 32 * i : 32 * (i + 1)].flatten(0, 1)) for i, x in enumerate(features)
    ]  # (B, h, w, 9 * 16)
    images = torch.cat((taps[:, :, 128:131], taps[:, :, 131:].sum(2, keepdim=True)), 2)
    for operators in (PLAIN, native):
        near(operators.fuse(mixed, rgb, thermal, operators.fusion(images, bias, last)), expected)


@pytest.mark.parametrize("axis", [1, 2])
@few_examples
@given(numbers, side(1, 6), side(1, 6))
def test_sum_of_taps(axis, numbers, height, width):
    x = numbers(2, height, width, 6)
    result = _sum_of_taps(x, axis)
    for at in range(x.shape[axis]):
        expected = torch.zeros_like(result.select(axis, at))
        for tap in range(3):
            if 0 <= at + tap - 1 < x.shape[axis]:
                expected += x.select(axis, at + tap - 1)[..., 2 * tap : 2 * tap + 2]
        torch.testing.assert_close(result.select(axis, at), expected)


# torch's own gelu is up to 9.3e-7 off, the C++ one up to 4.0e-7.
@pytest.mark.parametrize("name, gelu_tolerance", [("native", 5e-7), ("plain", 1.2e-6)])
def test_gelu_and_sigmoid_over_their_whole_range(native, name, gelu_tolerance):
    operators = native if name == "native" else PLAIN
    x = torch.linspace(-30, 30, 16 * 5001).view(1, 3, 1667, 16)
    untouched = operators.dense((torch.eye(16), torch.zeros(16)))
    middle = nn.Conv2d(16, 16, 3, padding=1, groups=16)
    nn.init.zeros_(middle.bias)
    nn.init.dirac_(middle.weight, groups=16)
    gelu = operators.depthwise_gelu_linear(x, operators.depthwise(middle), untouched, torch.zeros_like(x))
    assert (gelu - functional.gelu(x.double())).abs().max() <= gelu_tolerance
    sigmoid = operators.linear(x, untouched, activation="sigmoid")
    assert (sigmoid - x.double().sigmoid()).abs().max() <= 2e-7


def test_sigmoid_far_out(native):
    x = torch.tensor([-torch.inf, -1e30, -1e3, -89, 89, 1e3, 1e30, torch.inf]).view(1, 1, 8, 1)
    result = native.linear(x, native.dense((torch.ones(1, 1), torch.zeros(1))), activation="sigmoid")
    near(result.flatten(), torch.tensor([0, 0, 0, 0, 1, 1, 1, 1]), 1e-30)


def test_number_of_threads_changes_no_bit(set_threads):
    results = []
    for count in (1, 2, 3):
        set_threads(count)
        results.append(every_operator(NativeOperators(NetworkConfig())))
    for name, expected in results[0].items():
        for result in results[1:]:
            assert torch.equal(result[name], expected), name


def test_a_head_that_does_not_fill_registers_is_refused():
    with pytest.raises(ConfigError, match="head_width: the C\\+\\+ operators take multiples of 16, got 40"):
        NativeOperators(NetworkConfig(head_width=40))
