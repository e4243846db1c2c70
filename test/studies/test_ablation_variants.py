"""The paper's variants as settings: each a whole network that learns, is kept, comes back and is exported."""

from __future__ import annotations

import pytest
import torch
from toy_run import trainer_of, write_pairs, write_settings

from mrfs_ros.checkpoint import read_checkpoint, save_checkpoint
from mrfs_ros.engine import load_engine
from mrfs_ros.engine.choose import is_right
from mrfs_ros.engine.onnx_file import check_export, export_onnx
from mrfs_ros.errors import CheckpointError, ConfigError
from mrfs_ros.studies.ablation_variants import FULL, PAPER_VARIANTS, known_variants, variant_config, variant_costs
from mrfs_ros.training.batches import StepExamples
from mrfs_ros.training.train_config import TrainConfig

SHAPE = (1, 32, 64)
# Every module that can stand in for IGM-Att or PC-Att, in three networks.
PAIRS = [("pooled", "cross"), ("transformer", "convolution"), ("none", "none")]


@pytest.mark.slow
@pytest.mark.parametrize("visual, semantic", PAIRS)
def test_every_module_learns_is_saved_comes_back_and_is_exported(visual, semantic, tmp_path, small_pair, set_threads):
    root = write_pairs(tmp_path / "data", small_pair, (64, 96))
    kinds = [f"visual_attention={visual}", f"semantic_attention={semantic}"]
    trainer, datasets = trainer_of(write_settings(tmp_path / "settings.yaml", root), kinds)
    before = {name: p.detach().clone() for name, p in trainer.network.backbone.named_parameters()}
    examples = StepExamples(datasets, (64, 64), trainer.config.augmentation(), 0, 2)
    batch = {key: torch.stack([examples[0, slot][key] for slot in (0, 1)]) for key in examples[0, 0]}
    assert torch.isfinite(trainer.train_step(batch, 0.0)["total"])
    own = {name: p for name, p in trainer.network.backbone.named_parameters() if "CASC" in name or "IGM" in name}
    still = [name for name, p in own.items() if p.ndim > 1 and torch.equal(p, before[name])]
    assert still == []
    path = tmp_path / "variant.safetensors"
    save_checkpoint(path, trainer.averaged_network(), trainer.classes, {})
    again = read_checkpoint(path)
    assert again.config == trainer.config.network()
    assert again.config.title == f"mit_b0 with visual_attention {visual} and semantic_attention {semantic}"
    rgb, thermal = (image[:32, :64] for image in small_pair)
    results = [load_engine(path, "cpu", backend)(rgb, thermal) for backend in ("eager", "torch-plain")]
    assert abs(results[0].fused.astype(int) - results[1].fused).max() <= 1
    assert (results[0].labels == results[1].labels).mean() > 0.999
    export_onnx(tmp_path / "variant.onnx", again.network(), again.classes, SHAPE, {})
    assert is_right(*check_export(tmp_path / "variant.onnx", again.network(), SHAPE))
    assert load_engine(tmp_path / "variant.onnx", "cpu", "onnx").info.variant == again.config.title


def test_the_paper_s_variants_differ_from_the_full_model_in_one_thing_each():
    config = TrainConfig()
    full = variant_config(config, FULL, 0)
    assert full == config
    for name in PAPER_VARIANTS:
        changed = variant_config(config, name, 0)
        different = {key for key in vars(full) if getattr(full, key) != getattr(changed, key)}
        assert len(different) == (name != FULL), name
    assert variant_config(config, "model_2", 0).loss_preset().gamma == 1.0
    assert variant_config(config, "model_1", 0).loss_preset().rule == "proportional"


def test_changes_of_a_mapping_keep_its_other_entries_and_every_seed_is_its_own():
    config = TrainConfig(fusion_target={"contrast": 1.2}, variants={"soft": {"augment": {"mirror": 0.0}}})
    assert variant_config(config, "model_2", 0).fusion_target == {"contrast": 1.2, "gamma": 1.0}
    own = variant_config(config, "soft", 7)
    assert (own.seed, own.augment, own.variants) == (7, {"mirror": 0.0}, {})
    assert known_variants(config)["soft"].text == "augment: {'mirror': 0.0}"


def test_costs_are_those_of_the_published_size():
    """Parameters by the state dict of a released-style mit_b0 network; its multiply-adds by the design: 39 G."""
    costs = variant_costs(TrainConfig(), ["full", "IGM2Trans", "rmIGM", "rmPC"])
    assert costs["full"].parameters == 10_909_140
    assert round(costs["full"].multiply_adds / 1e9) == 39
    assert costs["rmPC"].parameters < costs["rmIGM"].parameters < costs["full"].parameters
    assert costs["rmIGM"].multiply_adds < costs["full"].multiply_adds < costs["IGM2Trans"].multiply_adds


@pytest.mark.parametrize(
    "variants, text",
    [
        ({"full": {"rate": 1.0}}, "'full': expected an own name"),
        ({"../out": {"rate": 1.0}}, "'../out': expected an own name"),
        ({3: {"rate": 1.0}}, "3: expected an own name"),
        ({"fast": {}}, "fast: expected settings as name: value"),
        ({"fast": ["rate"]}, "fast: expected settings as name: value"),
        ({"long": {"steps": 9, "seed": 1}}, "long: seed, steps: expected other settings"),
        ({"big": {"batch_size": 9, "crop_height": 64}}, "big: batch_size, crop_height: expected other settings"),
        ({"few": {"class_names": ["a", "b"]}}, "few: class_names: expected other settings"),
        ({"thermal": {"rate": 0.1}}, "'thermal': expected an own name of .* none of full, .*thermal, truth"),
        ({"a" * 41: {"rate": 0.1}}, "at most 40"),
    ],
)
def test_own_variants_that_are_none(variants, text):
    with pytest.raises(ConfigError, match=text):
        known_variants(TrainConfig(variants=variants))


@pytest.mark.parametrize(
    "settings, text",
    [
        ({"rte": 1.0}, "unknown setting rte"),
        ({"rate": "fast"}, "rate: expected float"),
        ({"rate": 7.0}, "rate: expected 0 to 1"),
        ({"visual_attention": "se"}, "visual_attention: expected one of igm"),
        ({"fusion_target": {"gama": 1.0}}, "fusion_target: expected numbers for gamma, contrast, gradient_weight"),
        ({"augment": {"miror": 1.0}}, "unknown setting miror"),
    ],
)
def test_changes_that_are_none(settings, text):
    with pytest.raises(ConfigError, match=text):
        variant_config(TrainConfig(variants={"mine": settings}), "mine", 0)


@pytest.mark.parametrize("name, kind", [("visual_attention", "none"), ("fusion_rule", "proportional")])
def test_a_configuration_that_is_a_variant_itself_is_refused(name, kind):
    """Its "full" would not be the paper's network."""
    with pytest.raises(ConfigError, match=rf"{name}: expected \w+, which the variants change, got {kind}"):
        variant_config(TrainConfig(**{name: kind}), FULL, 0)


def test_the_error_of_a_setting_names_its_variant():
    with pytest.raises(ConfigError, match="variant mine: unknown setting rte"):
        variant_config(TrainConfig(variants={"mine": {"rte": 1.0}}), "mine", 0)


def test_unknown_names_are_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match=r"unknown variant 'rmigm': expected one of full, model_1, .*rmPC, mine"):
        variant_config(TrainConfig(variants={"mine": {"rate": 0.1}}), "rmigm", 0)


def test_a_file_of_one_variant_is_no_other(tmp_path, tiny_weights):
    """Names without the metadata of an own file are read as the paper's network: what is missing is said."""
    from safetensors.torch import save_file

    checkpoint = read_checkpoint(tiny_weights)
    weights = {name: t for name, t in checkpoint.weights.items() if "IGMAVCs" not in name}
    save_file(weights, str(tmp_path / "bare.safetensors"))
    with pytest.raises(CheckpointError, match=r"missing: backbone\.IGMAVCs\.0"):
        read_checkpoint(tmp_path / "bare.safetensors")
