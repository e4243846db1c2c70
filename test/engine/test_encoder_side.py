"""Encoder side: the size that an image gets, every backend against eager at it, and what cannot be asked."""

from __future__ import annotations

import numpy as np
import pytest
import recorded_graphs
import torch
from hypothesis import given
from hypothesis import strategies as st
from reference import reference_network
from small_encoders import SMALL

from mrfs_ros import load_engine
from mrfs_ros.checkpoint import save_checkpoint, write_encoder_side
from mrfs_ros.config import BACKENDS, NetworkConfig
from mrfs_ros.engine.encoder_side import OWN, EncoderSide, asked_side
from mrfs_ros.engine.load import load_model
from mrfs_ros.engine.onnx_file import check_export, read_onnx
from mrfs_ros.engine.operators import Operators
from mrfs_ros.engine.torch_engine import CudaEngine, RewrittenEngine
from mrfs_ros.errors import ConfigError, ImageError, MrfsError
from mrfs_ros.network.area_average import area_average
from mrfs_ros.network.encoder_sizes import VARIANTS
from mrfs_ros.types import MFNET

SLOW = {"onnx", "openvino"}  # to export and compile takes seconds
CASES = [(48, (96, 128)), (32, (96, 128)), (71, (96, 128)), (64, (97, 131)), (48, (131, 97)), (32, (33, 60))]
EXPORTED = 4  # of the cases: an odd portrait, and a side that divides nothing
backends = [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in BACKENDS[2:]]


@pytest.fixture(scope="module")
def sided_weights(tiny_weights, tmp_path_factory):
    """The small network in a file that says encoder side 48."""
    path = tmp_path_factory.mktemp("sided") / "tiny48.safetensors"
    save_checkpoint(path, load_model(tiny_weights).network, MFNET, {}, encoder_side=48)
    return path


@pytest.fixture(scope="module")
def engines(tiny_weights):
    """Backend and side to engine, each made once."""
    made = {}

    def engine(backend: str, side: int):
        if (backend, side) not in made:
            made[backend, side] = load_engine(tiny_weights, "cpu", backend, encoder_side=side)
        return made[backend, side]

    return engine


def cut(sample_pair, height: int, width: int):
    """The middle of the sample, or noise where the small network would see one class alone: in portrait images."""
    if height > width:
        draw = np.random.default_rng(0)
        return tuple(draw.integers(0, 256, size, np.uint8) for size in ((height, width, 3), (height, width)))
    rgb, thermal = sample_pair
    top, left = (rgb.shape[0] - height) // 2, (rgb.shape[1] - width) // 2
    return tuple(np.ascontiguousarray(x[top : top + height, left : left + width]) for x in (rgb, thermal))


@pytest.mark.parametrize(
    "side, size, expected",
    [
        (240, (480, 640), (240, 320)),
        (168, (480, 640), (168, 224)),
        (360, (720, 1280), (360, 640)),
        (240, (479, 641), (240, 321)),
        (240, (641, 479), (321, 240)),  # portrait
        (33, (64, 65), (33, 34)),  # 33.515...
        (32, (64, 65), (32, 33)),  # 32.5: halves up
        (100, (200, 200), (100, 100)),
        (0, (480, 640), None),
        (480, (480, 640), None),
    ],
)
def test_the_long_side_is_scaled_alike_and_rounded(side, size, expected):
    assert EncoderSide(side).size(size) == expected


@given(st.integers(32, 2000), st.integers(32, 2000), st.integers(32, 2000))
def test_every_size_keeps_its_shape_to_half_a_pixel(height, width, side):
    short, long = sorted((height, width))
    if side >= short:
        return
    size = EncoderSide(side).size((height, width))
    assert min(size) == side and (size[0] <= size[1]) == (height <= width)
    assert abs(max(size) - long * side / short) <= 0.5
    assert size[0] <= height and size[1] <= width


def test_a_side_that_the_file_says_leaves_smaller_images_at_their_own_size():
    assert EncoderSide(240, "as the weights file says").size((200, 300)) is None
    with pytest.raises(ImageError, match=r"expected 0 .* or 32 to 200; 32 is the smallest that works") as error:
        EncoderSide(240).size((200, 300))
    assert error.value.reason == "too_small"
    assert "encoder_side 240 is larger than the short side of an image of 200x300 (HxW)" in str(error.value)


@pytest.mark.parametrize("asked", ["20", 31, 1, "-1", -240, "240.5", 2.5, "half", "", "24O", True, "²", "9" * 12])
def test_no_sides(asked):
    with pytest.raises(ConfigError, match="whole pixels from 32 up, the smallest that works, got") as error:
        asked_side(asked, 0)
    assert str(error.value).count("\n") == 0


def test_what_can_be_asked():
    assert asked_side("weights", 240).pixels == 240
    assert asked_side("weights", 0) == OWN
    assert asked_side("0", 240) == asked_side(0, 240) == OWN
    assert asked_side("168", 240) == asked_side(168, 0) == EncoderSide(168)
    with pytest.raises(ConfigError, match="auto is measured by the live node alone"):
        asked_side("auto", 240)


@pytest.mark.parametrize(
    "side, size, backend",
    [
        pytest.param(side, size, name, marks=pytest.mark.slow if name in SLOW else ())
        for number, (side, size) in enumerate(CASES)
        for name in BACKENDS[2:]
        if name not in SLOW or number == EXPORTED
    ],
)
def test_every_backend_gives_eagers_result(engines, sample_pair, backend, side, size):
    pair = cut(sample_pair, *size)
    result, expected = engines(backend, side)(*pair), engines("eager", side)(*pair)
    assert len(np.unique(expected.labels)) > 1
    assert np.abs(result.fused.astype(int) - expected.fused).max() <= 1
    assert (result.labels == expected.labels).mean() >= 0.999
    if side < min(size) - 1:
        own = engines("eager", 0)(*pair)
        assert (own.fused != expected.fused).any()
        assert (own.labels != expected.labels).any()


@pytest.mark.slow
@pytest.mark.parametrize("backend", backends)
def test_the_model_that_comes_along_at_an_odd_size(sample_pair, backend):
    pair = cut(sample_pair, 239, 319)
    result, expected = (load_engine("", "cpu", name, encoder_side=120)(*pair) for name in (backend, "eager"))
    assert np.abs(result.fused.astype(int) - expected.fused).max() <= 1
    assert (result.labels == expected.labels).mean() >= 0.9999


def test_a_batch_is_its_pairs_one_by_one(engines, sample_pair):
    pairs = [cut(sample_pair, 61, 75), tuple(x[::-1].copy() for x in cut(sample_pair, 61, 75))]
    for backend in ("eager", "torch", "torch-plain"):
        engine = engines(backend, 40)
        fused, labels = engine.batch(*(np.stack(images) for images in zip(*pairs)))
        for i, pair in enumerate(pairs):
            one = engine(*pair)
            assert np.abs(fused[i].astype(int) - one.fused).max() <= 1
            assert (labels[i] == one.labels).mean() >= 0.999


def test_the_encoders_see_the_averaged_pair_and_the_heads_the_whole_one():
    network = reference_network(NetworkConfig(head_width=16))
    rgb, thermal = torch.rand(1, 3, 64, 80), torch.rand(1, 3, 64, 80)
    small = area_average(rgb, (40, 50)), area_average(thermal, (40, 50))
    with torch.no_grad():
        output = network(rgb, thermal, (40, 50))
        features = network.backbone(*small)
        logits = network.decode_head(features.semantic, (64, 80))
        fused = network.aux_head(features.visual_rgb, features.visual_thermal, rgb, thermal)
    assert torch.equal(output.logits, logits)
    assert torch.equal(output.fused, fused)


@pytest.mark.parametrize("size", [(31, 40), (65, 80), (40, 81)])
def test_the_network_refuses_other_encoder_sizes(size):
    network = reference_network(NetworkConfig(head_width=16))
    with pytest.raises(ImageError, match=r"encoder_size: expected \(h, w\) from 32 up to \(64, 80\), got"):
        network(torch.rand(1, 3, 64, 80), torch.rand(1, 3, 64, 80), size)


def test_what_compiles_for_cuda_compiles_whole(monkeypatch):
    """By dynamo, for one input and encoder size, as the CUDA engine does; no kernels are made."""
    monkeypatch.setitem(VARIANTS, "mit_b0", SMALL["mit_b0"])
    model = load_model("untrained")
    engine = RewrittenEngine(model.network, model.info("torch-plain", "cpu"), Operators())
    compiled = torch.compile(engine._pipeline, backend="eager", fullgraph=True, dynamic=False)
    images = torch.randint(0, 256, (1, 48, 64, 3), dtype=torch.uint8), torch.randint(0, 256, (1, 48, 64)).byte()
    with torch.inference_mode():
        results = compiled(*images, (33, 44)), engine._pipeline(*images, (33, 44))
    for result, expected in zip(*results):
        assert torch.equal(result, expected)


def test_each_encoder_size_has_a_cuda_graph_of_its_own(tiny_weights, monkeypatch, sample_pair):
    recorded_graphs.use(monkeypatch)
    model, pair = load_model(tiny_weights), cut(sample_pair, 64, 96)
    cuda = CudaEngine(model.network, model.info("torch", "cpu"), "fp32")
    plain = RewrittenEngine(model.network, model.info("torch-plain", "cpu"), Operators())
    for side in (0, 48, 32, 48):
        for engine in (cuda, plain):
            engine.use_encoder_side(EncoderSide(side))
        result, expected = cuda(*pair), plain(*pair)
        assert (result.fused == expected.fused).all() and (result.labels == expected.labels).all()
    assert len(cuda._graphs) == 3


@pytest.mark.parametrize("backend", ["eager", "torch", "torch-plain"])
def test_the_side_of_the_weights_file_is_the_default(sided_weights, engines, sample_pair, backend):
    engine, pair = load_engine(sided_weights, "cpu", backend), cut(sample_pair, 96, 128)
    assert (engine(*pair).fused == engines(backend, 48)(*pair).fused).all()
    assert "encoder side 48 pixels (as the weights file says)" in str(engine.info)
    own = load_engine(sided_weights, "cpu", backend, encoder_side=0)
    assert (own(*pair).fused == engines(backend, 0)(*pair).fused).all()
    assert "encoder side" not in str(own.info)
    small = cut(sample_pair, 40, 60)
    assert (engine(*small).fused == engines(backend, 0)(*small).fused).all()


@pytest.mark.parametrize("backend", ["eager", "torch", "torch-plain"])
def test_an_image_smaller_than_the_side_asked_for_is_one_clear_error(engines, sample_pair, backend):
    engine = engines(backend, 71)
    with pytest.raises(ImageError, match="encoder_side 71 is larger than the short side of an image of 64x96"):
        engine(*cut(sample_pair, 64, 96))
    engine(*cut(sample_pair, 96, 128))


def test_a_side_is_checked_before_the_file_is_read(tmp_path):
    with pytest.raises(ConfigError, match="encoder_side: expected weights"):
        load_engine(tmp_path / "nowhere.safetensors", encoder_side=20)


def test_a_side_can_be_written_into_a_file(sided_weights, tmp_path):
    path = tmp_path / "again.safetensors"
    path.write_bytes(sided_weights.read_bytes())
    before = load_model(path)
    write_encoder_side(path, 64, "best on val")
    after = load_model(path)
    assert (before.encoder_side.pixels, after.encoder_side.pixels) == (48, 64)
    for name, tensor in before.network.state_dict().items():
        assert torch.equal(tensor, after.network.state_dict()[name])


@pytest.fixture(scope="module")
def exported(exported_file):
    """An ONNX file for 64x96 with encoder side 48."""
    return exported_file(side=48)


@pytest.mark.slow
class TestOnnxFile:
    def test_it_says_its_side_and_gives_its_result(self, exported, engines, sample_pair):
        pair = cut(sample_pair, 64, 96)
        assert read_onnx(exported).encoder_side.pixels == 48
        for requested in ("weights", 48, "48"):
            engine = load_engine(exported, "cpu", encoder_side=requested)
            assert np.abs(engine(*pair).fused.astype(int) - engines("eager", 48)(*pair).fused).max() <= 1
        assert "encoder side 48 pixels (as exported)" in str(engine.info)

    @pytest.mark.parametrize(
        "asked, text",
        [
            (32, "was exported with encoder side 48, asked for is 32 pixels"),
            (0, "was exported with encoder side 48, asked for is the image's own size"),
            (64, "was exported with encoder side 48, asked for is 64 pixels"),
            (65, "encoder_side 65 is larger than the short side of an image of 64x96"),
        ],
    )
    def test_another_side_is_refused_with_both(self, exported, asked, text):
        with pytest.raises(MrfsError) as error:
            load_engine(exported, "cpu", encoder_side=asked)
        assert text in str(error.value)

    def test_a_running_engine_is_not_moved_to_another_side(self, exported, sample_pair):
        engine = load_engine(exported, "cpu")
        engine.use_encoder_side(EncoderSide(32))
        with pytest.raises(ConfigError, match="was exported with encoder side 48, asked for is 32x48"):
            engine(*cut(sample_pair, 64, 96))

    def test_the_check_notices_another_side(self, exported, tiny_weights):
        network = load_model(tiny_weights).network
        assert check_export(exported, network, (1, 64, 96), EncoderSide(48))[0] <= 1
        assert check_export(exported, network, (1, 64, 96), EncoderSide(32))[0] > 2

    def test_the_own_size_may_be_named_by_its_number(self, exported_file):
        path = exported_file()
        assert load_engine(path, "cpu", encoder_side=64).info.encoder_side == OWN
        with pytest.raises(ConfigError, match="encoder side the image's own size, asked for is 32 pixels"):
            load_engine(path, "cpu", encoder_side=32)
