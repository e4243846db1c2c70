"""Weights files: released forms load unchanged, own files keep everything, wrong ones say what is wrong."""

from __future__ import annotations

import os
import pickle
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from mrfs_ros import load_network
from mrfs_ros.checkpoint import metadata_of, read_checkpoint, save_checkpoint, write_encoder_side
from mrfs_ros.config import NetworkConfig
from mrfs_ros.errors import CheckpointError, ConfigError
from mrfs_ros.network import build_network
from mrfs_ros.types import FMB, MFNET, class_set_for_count

CONFIG = NetworkConfig(head_width=32)


@pytest.fixture(scope="module")
def network():
    return build_network(CONFIG).eval()


@pytest.fixture(scope="module")
def probe(network):
    torch.manual_seed(0)
    pair = torch.rand(1, 3, 48, 64), torch.rand(1, 1, 48, 64)
    with torch.no_grad():
        return *pair, network(*pair)


def assert_same(loaded, probe):
    rgb, thermal, expected = probe
    assert not loaded.training
    with torch.no_grad():
        got = loaded(rgb, thermal)
    assert torch.equal(got.logits, expected.logits)
    assert torch.equal(got.fused, expected.fused)


@pytest.mark.parametrize("wrapper", ["", "model", "state_dict", "module"])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_released_forms_load(tmp_path, network, probe, wrapper, prefix):
    state = {prefix + name: value for name, value in network.state_dict().items()}
    optimizer = torch.optim.AdamW(network.parameters()).state_dict()
    torch.save({wrapper: state, "optimizer": optimizer, "epoch": 3} if wrapper else state, tmp_path / "w.pth")
    assert_same(load_network(tmp_path / "w.pth"), probe)


def test_own_file_keeps_weights_config_classes_and_provenance(tmp_path, network, probe):
    path = tmp_path / "own.safetensors"
    save_checkpoint(path, network, MFNET, {"command": "train", "scores": {"mIoU": 0.5}})
    checkpoint = read_checkpoint(path)
    assert_same(checkpoint.network(), probe)
    assert (checkpoint.config, checkpoint.classes) == (CONFIG, MFNET)
    assert checkpoint.provenance == {"command": "train", "scores": {"mIoU": 0.5}}
    assert len(checkpoint.sha256) == 64


def test_class_0_of_older_files_is_background(tmp_path, network):
    path = tmp_path / "own.safetensors"
    save_checkpoint(path, network, MFNET, {})
    metadata = metadata_of(CONFIG, MFNET, {}, 0)
    metadata["classes"] = metadata["classes"].replace("background", "unlabeled")
    save_file(load_file(path), path, metadata)
    assert b"unlabeled" in path.read_bytes()
    assert read_checkpoint(path).classes == MFNET


def test_a_weights_file_is_replaced_whole(tmp_path, network, replaced_whole):
    with replaced_whole(tmp_path / "best.safetensors"):
        save_checkpoint(tmp_path / "best.safetensors", network, MFNET, {})
    assert read_checkpoint(tmp_path / "best.safetensors").config == CONFIG


def test_the_encoder_side_is_kept_and_none_is_the_own_size(tmp_path, network):
    save_checkpoint(tmp_path / "own.safetensors", network, MFNET, {}, encoder_side=240)
    save_checkpoint(tmp_path / "none.safetensors", network, MFNET, {})
    torch.save(network.state_dict(), tmp_path / "released.pth")
    sides = [read_checkpoint(tmp_path / name).encoder_side for name in ("own.safetensors", "none.safetensors")]
    assert [*sides, read_checkpoint(tmp_path / "released.pth").encoder_side] == [240, 0, 0]


def test_files_made_before_there_were_encoder_sides(tmp_path, network):
    metadata = metadata_of(network.config, MFNET, {}, 240)
    del metadata["encoder_side"]
    save_file(network.state_dict(), tmp_path / "old.safetensors", metadata)
    assert read_checkpoint(tmp_path / "old.safetensors").encoder_side == 0


@pytest.mark.parametrize("side", ["20", "-1", "many", "2.5", ""])
def test_an_encoder_side_that_cannot_be_is_an_error(tmp_path, network, side):
    save_file(
        network.state_dict(),
        tmp_path / "w.safetensors",
        {**metadata_of(network.config, MFNET, {}, 0), "encoder_side": side},
    )
    with pytest.raises(CheckpointError, match="its metadata cannot be read"):
        read_checkpoint(tmp_path / "w.safetensors")


def test_writing_the_encoder_side_leaves_all_else(tmp_path, network):
    path = tmp_path / "half.safetensors"
    save_checkpoint(path, network, MFNET, {"command": "train"}, dtype=torch.float16)
    before = load_file(path)
    write_encoder_side(path, 240, "best on val")
    checkpoint, after = read_checkpoint(path), load_file(path)
    assert (checkpoint.encoder_side, checkpoint.classes, checkpoint.config) == (240, MFNET, CONFIG)
    assert checkpoint.provenance == {"command": "train", "encoder side chosen": "best on val"}
    assert all(
        torch.equal(tensor, after[name]) and tensor.dtype == after[name].dtype for name, tensor in before.items()
    )
    assert list(tmp_path.iterdir()) == [path]


def test_a_released_file_has_no_place_for_an_encoder_side(tmp_path, network):
    torch.save(network.state_dict(), tmp_path / "released.pth")
    with pytest.raises(CheckpointError, match="has no metadata to write to: expected a file of mrfs train"):
        write_encoder_side(tmp_path / "released.pth", 240, "")


def test_weights_are_on_the_disk_before_they_have_their_name(tmp_path, network, monkeypatch):
    """safetensors renames by itself since 0.8, but a power cut could still leave an empty file."""
    path, synced = tmp_path / "best.safetensors", []
    on_disk = Path("/proc/self/fd")
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(((on_disk / str(file)).readlink(), path.exists())))
    save_checkpoint(path, network, MFNET, {})
    assert synced[0] == (tmp_path / "best.safetensors.unfinished", False)


def test_half_precision_leaves_a_tensor_that_it_cannot_hold(tmp_path, network):
    """Variances of a BatchNorm can be larger than 65504."""
    large = deepcopy(network)
    large.get_buffer("decode_head.linear_fuse.1.running_var")[3] = 80106.5
    save_checkpoint(tmp_path / "half.safetensors", large, MFNET, {}, dtype=torch.float16)
    types = {tensor.dtype for tensor in load_file(tmp_path / "half.safetensors").values() if tensor.is_floating_point()}
    assert types == {torch.float16, torch.float32}
    read = load_network(tmp_path / "half.safetensors").get_buffer("decode_head.linear_fuse.1.running_var")
    assert (read == large.get_buffer("decode_head.linear_fuse.1.running_var")).all()


def test_half_precision_files_come_back_as_float32(tmp_path, network):
    save_checkpoint(tmp_path / "half.safetensors", network, MFNET, {}, dtype=torch.float16)
    save_checkpoint(tmp_path / "full.safetensors", network, MFNET, {})
    half, full = (load_network(tmp_path / f"{name}.safetensors") for name in ("half", "full"))
    assert (tmp_path / "half.safetensors").stat().st_size < 0.6 * (tmp_path / "full.safetensors").stat().st_size
    expected = full.state_dict()
    for name, tensor in half.state_dict().items():
        torch.testing.assert_close(tensor, expected[name], rtol=1e-3, atol=1e-6)  # dtypes too


@pytest.mark.parametrize("variant, classes", [("mit_b1", 5), ("mit_b1", 15), ("mit_b2", 3)])
def test_config_and_classes_are_read_off_the_shapes(tmp_path, variant, classes):
    config = NetworkConfig(variant=variant, num_classes=classes, head_width=64)
    torch.save({"model": build_network(config).state_dict()}, tmp_path / "w.pth")
    checkpoint = read_checkpoint(tmp_path / "w.pth")
    assert checkpoint.config == config
    assert checkpoint.classes == class_set_for_count(classes)
    assert {5: "PST900", 15: "FMB", 3: "3 classes"}[classes] == checkpoint.classes.name


def test_batch_norm_eps_survives(tmp_path):
    network = build_network(NetworkConfig(head_width=32, batch_norm_eps=0.01))
    save_checkpoint(tmp_path / "w.safetensors", network, MFNET, {})
    assert load_network(tmp_path / "w.safetensors").decode_head.linear_fuse[1].eps == 0.01


def test_class_set_by_name(tmp_path, network):
    torch.save(network.state_dict(), tmp_path / "w.pth")
    assert read_checkpoint(tmp_path / "w.pth", "MSRS").classes == MFNET
    with pytest.raises(CheckpointError, match="has 9 classes, but class set FMB has 15"):
        read_checkpoint(tmp_path / "w.pth", "FMB")
    with pytest.raises(ConfigError, match="unknown class set 'CITY': expected one of MFNet, MSRS, FMB, PST900"):
        read_checkpoint(tmp_path / "w.pth", "CITY")


class WantsCode:
    """A pickle of this would run a command when it is loaded without care."""

    def __reduce__(self):
        return os.mkdir, ("ran_code",)


def truncated(content: bytes) -> bytes:
    return content[: len(content) // 2]


def test_files_that_are_no_weights(tmp_path, monkeypatch, network):
    monkeypatch.chdir(tmp_path)
    torch.save(network.state_dict(), "good.pth")
    save_checkpoint("good.safetensors", network, MFNET, {})
    torch.save({"model": WantsCode()}, "code.pth")
    (tmp_path / "bare_code.pth").write_bytes(pickle.dumps(WantsCode(), protocol=2))
    files = {
        "text.pth": (b"not weights", "is no PyTorch file (it begins with b'not weights')"),
        "empty.pth": (b"", "is no PyTorch file"),
        "half.pth": (truncated((tmp_path / "good.pth").read_bytes()), "is truncated or damaged"),
        "text.safetensors": (b"not weights", "not a whole safetensors file"),
        "half.safetensors": (truncated((tmp_path / "good.safetensors").read_bytes()), "not a whole safetensors file"),
        "code.pth": (None, "asks to run code (posix.mkdir)"),
        "bare_code.pth": (None, "asks to run code (posix.mkdir)"),
    }
    for name, (content, text) in files.items():
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(CheckpointError) as error:
            load_network(name)
        assert text in str(error.value), name
        assert "\n" not in str(error.value), name
    assert not (tmp_path / "ran_code").exists()


@pytest.mark.parametrize("path", ["nowhere.pth", "."])
def test_missing_file_says_where_it_was_looked_for(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match=f"no weights file at {tmp_path}"):
        load_network(path)


def without(state, name):
    return {key: value for key, value in state.items() if key != name}


@pytest.mark.parametrize(
    "change, text",
    [
        (lambda s: without(s, "backbone.norm2.bias"), "1 missing: backbone.norm2.bias"),
        (lambda s: {**s, "extra": torch.zeros(1)}, "1 unexpected: extra"),
        (lambda s: {**s, "backbone.norm1.bias": torch.zeros(7)}, "backbone.norm1.bias (7,) instead of (32,)"),
        (lambda s: {**s, "backbone.norm1.bias": torch.full((32,), torch.nan)}, "1 tensors hold NaN or infinity"),
        (lambda s: without(s, "decode_head.linear_pred.weight"), "'decode_head.linear_pred.weight' is missing"),
        (lambda s: {k: v for k, v in s.items() if ".block2." not in k}, "depths (2, 0, 2, 2) are no known encoder"),
        (lambda s: {"resnet.conv1": torch.zeros(3)}, "holds no MRFS network"),
        (lambda s: {"a": 1, "b": 2}, "expected a state dict of tensors"),
        (lambda s: [1, 2], "got list"),
    ],
)
def test_wrong_contents_are_named(tmp_path, network, change, text):
    torch.save(change(network.state_dict()), tmp_path / "w.pth")
    with pytest.raises(CheckpointError) as error:
        load_network(tmp_path / "w.pth")
    assert text in str(error.value)


def test_metadata_that_contradicts_the_tensors(tmp_path, network):
    from dataclasses import replace

    network.config, kept = replace(CONFIG, num_classes=15), network.config
    try:
        save_checkpoint(tmp_path / "w.safetensors", network, FMB, {})
    finally:
        network.config = kept
    with pytest.raises(CheckpointError, match=r"its metadata says .*num_classes=15.* its tensors say .*num_classes=9"):
        load_network(tmp_path / "w.safetensors")


def test_metadata_of_a_later_format(tmp_path, network):
    from safetensors.torch import save_file

    save_file(network.state_dict(), tmp_path / "w.safetensors", {"format": "mrfs_ros/9", "config": "{}"})
    with pytest.raises(CheckpointError, match="expected metadata format mrfs_ros/1, got 'mrfs_ros/9'"):
        load_network(tmp_path / "w.safetensors")
