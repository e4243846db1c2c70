"""Backend auto: what was measured to be fastest, of what is installed and right; and it says why."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest
import torch

from mrfs_ros import load_engine
from mrfs_ros.engine.choose import FUSED_DIFFERENCE, LABEL_AGREEMENT, ORDER, choose_engine, is_right, verified
from mrfs_ros.engine.load import build_engine, load_model
from mrfs_ros.engine.operators import Operators
from mrfs_ros.engine.speeds import Speeds, hardware, record_speeds, recorded_speeds, versions
from mrfs_ros.engine.torch_engine import RewrittenEngine
from mrfs_ros.errors import MissingPackageError, MrfsError

SPEEDS = Speeds({"eager": 31.5, "onnx": 10.0, "torch": 12.25}, "480x640", "2026-01-02")
NEVER_MEASURED = f"first of {', '.join(ORDER)}; mrfs bench measures which is fastest here"
MEASURED = "measured here on 2026-01-02 at 480x640: onnx 10 ms, torch 12.25 ms, eager 31.5 ms"

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("operators_loaded", "empty_cache")]


@pytest.fixture(scope="module")
def model(tiny_weights):
    return load_model(tiny_weights)


@pytest.fixture(scope="module")
def other_model():
    """Of the same kind, but with other weights."""
    return load_model("untrained")


def auto(weights):
    return load_engine(weights, device="cpu").info


def test_without_measurements_torch_comes_first(tiny_weights):
    assert (ORDER[0], ORDER[-1]) == ("torch", "eager")
    info = auto(tiny_weights)
    assert (info.backend, info.reason) == ("torch", NEVER_MEASURED)
    assert str(info).endswith(f", auto: {NEVER_MEASURED}")


@pytest.mark.parametrize("fastest", ["onnx", "openvino", "torch-plain", "eager"])
def test_what_was_measured_to_be_fastest_is_taken(tiny_weights, fastest):
    record_speeds("mit_b0", "cpu", Speeds({"torch": 20.0, fastest: 10.0}, "480x640", "2026-01-02"))
    info = auto(tiny_weights)
    assert info.backend == fastest
    assert info.reason == f"measured here on 2026-01-02 at 480x640: {fastest} 10 ms, torch 20 ms"


def test_a_backend_that_is_gone_again_is_passed_over(tiny_weights, monkeypatch):
    record_speeds("mit_b0", "cpu", SPEEDS)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)  # what Python does for a module that cannot be imported
    info = auto(tiny_weights)
    assert (info.backend, info.reason) == ("torch", f"onnx is not installed; {MEASURED}")


def test_a_named_backend_is_taken_whatever_was_measured(tiny_weights):
    record_speeds("mit_b0", "cpu", SPEEDS)
    info = load_engine(tiny_weights, device="cpu", backend="torch-plain").info
    assert (info.backend, info.reason) == ("torch-plain", "")


def test_what_is_recorded_is_read_again_for_the_same_variant_and_threads_only(empty_cache, set_threads):
    assert recorded_speeds("mit_b0", "cpu") is None
    record_speeds("mit_b0", "cpu", replace(SPEEDS, date="2025-12-31"))
    record_speeds("mit_b0", "cpu", SPEEDS)
    assert recorded_speeds("mit_b0", "cpu") == SPEEDS
    assert recorded_speeds("mit_b2", "cpu") is None
    assert len(list(empty_cache.iterdir())) == 1
    set_threads(torch.get_num_threads() + 1)
    assert recorded_speeds("mit_b0", "cpu") is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"milliseconds": {"onnx": 10.0',
        b"\xff\x00",
        b"[]",
        b'{"milliseconds": {"onnx": 10.0}}',
        b'{"milliseconds": [10.0], "size": "480x640", "date": "2026-01-02"}',
        b'{"milliseconds": {"onnx": "fast", "eager": 31.5}, "size": "480x640", "date": "2026-01-02"}',
        b'{"milliseconds": {"magic": 1.0}, "size": "480x640", "date": "2026-01-02"}',
    ],
    ids=["empty", "half", "bytes", "list", "too little", "no names", "no numbers", "unknown backend"],
)
def test_damaged_measurements_count_as_none(tiny_weights, empty_cache, content):
    record_speeds("mit_b0", "cpu", SPEEDS)
    (path,) = empty_cache.iterdir()
    path.write_bytes(content)
    info = auto(tiny_weights)
    assert (info.backend, info.reason) == ("torch", NEVER_MEASURED)


def test_without_a_cache_folder_auto_works_and_recording_says_what_to_do(tiny_weights, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tiny_weights))
    assert auto(tiny_weights).reason == NEVER_MEASURED
    with pytest.raises(MrfsError, match=r"cannot be made .*: set XDG_CACHE_HOME to a folder of yours"):
        record_speeds("mit_b0", "cpu", SPEEDS)


def test_an_engine_with_other_weights_is_found_out(model, other_model):
    engine = RewrittenEngine(other_model.network, other_model.info("torch-plain", "cpu"), Operators())
    assert verified(engine, other_model.network) is engine
    with pytest.raises(MrfsError) as error:
        verified(engine, model.network)
    text = str(error.value)
    assert text.startswith("backend torch-plain ")
    assert "is wrong on this machine: " in text
    share, _, rest = text.partition(" is wrong on this machine: ")[2].partition("% of the labels")
    assert float(share) < 100 * LABEL_AGREEMENT
    assert int(rest.partition("fused differs by up to ")[2].partition(" of 255")[0]) > FUSED_DIFFERENCE
    assert "use backend eager" in text


def test_where_torch_is_wrong_and_nothing_else_installed_eager_is_taken(model, other_model):
    def build(backend):
        if backend == "torch":
            wrong = RewrittenEngine(other_model.network, other_model.info("torch", "cpu"), Operators())
            return verified(wrong, model.network)
        if backend != "eager":
            raise MissingPackageError(f"backend {backend} needs what is not here")
        return build_engine(model, "cpu", backend)

    info = choose_engine(build, "cpu", "mit_b0").info
    assert info.backend == "eager"
    wrong, *missing, why = info.reason.split("; ", len(ORDER) - 1)
    assert "is wrong on this machine" in wrong
    assert missing == [f"{backend} is not installed" for backend in ORDER[1:-1]]
    assert why == NEVER_MEASURED


@pytest.mark.parametrize(
    "difference, agreement, right",
    [(0, 1.0, True), (2, 0.995, True), (3, 1.0, False), (0, 0.9949, False), (0, float("nan"), False)],
)
def test_how_far_a_right_result_may_be_off(difference, agreement, right):
    assert is_right(difference, agreement) is right


def test_measurements_are_kept_for_this_processor_and_these_versions():
    assert hardware("cpu").endswith(f"{torch.get_num_threads()} thread(s)")
    assert len(hardware("cpu").split(",")[0]) > 2
    assert versions()["torch"] == torch.__version__
    assert {"mrfs_ros", "onnxruntime", "openvino"} <= set(versions())
    assert all(versions().values())
