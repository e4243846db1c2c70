"""One step of training: its loss, its gradients, and the weights that it changes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from toy_run import CLASSES, CPU, batch_of, one_step, trainer_of

from mrfs_ros.errors import ConfigError
from mrfs_ros.network.parts import PARTS
from mrfs_ros.training.fit import class_weights
from mrfs_ros.training.label_survey import survey

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("small_encoders", "tidy")]


def test_class_pixels_count_every_label_once(settings):
    _, datasets = trainer_of(settings())
    pixels = survey(datasets).pixels[:3]
    assert pixels.sum() == 2 * 64 * 64
    assert pixels.tolist() == [sum((pair.label == c).sum() for pair in datasets[0]) for c in range(3)]
    assert survey(datasets * 2).pixels[:3].tolist() == (2 * pixels).tolist()


def test_class_weights_by_rule():
    pixels = np.array([8000, 100, 0, 400])
    assert class_weights(pixels, "none", CPU) is None
    assert class_weights(np.zeros(4, np.int64), "median", CPU) is None
    assert class_weights(pixels, "median", CPU).tolist() == pytest.approx([0.05, 4.0, 1.0, 1.0])  # median 400
    assert class_weights(pixels, "sqrt", CPU).tolist() == pytest.approx([0.05**0.5, 2.0, 1.0, 1.0])
    assert class_weights(pixels, "sqrt", CPU).dtype == torch.float32


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.3])
@pytest.mark.parametrize("rule", ["none", "median", "sqrt"])
def test_class_weights_and_label_smoothing_reach_the_loss(settings, rule, smoothing):
    """The step's loss is PyTorch's own cross-entropy of the step's logits, with these weights and this smoothing."""
    trainer, datasets = trainer_of(settings(class_weights=rule, label_smoothing=smoothing))
    seen = []
    trainer.network.register_forward_hook(lambda *arguments: seen.append(arguments[-1].logits))
    loss = one_step(trainer, datasets)["segmentation"]
    label = batch_of(datasets)["label"].long()
    weights = class_weights(survey(datasets).pixels[: len(CLASSES)], rule, CPU)
    assert (weights is None) == (rule == "none")
    expected = torch.nn.functional.cross_entropy(
        seen[0], label, weight=weights, ignore_index=255, label_smoothing=smoothing
    )
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    other = torch.nn.functional.cross_entropy(
        seen[0], label, weight=weights, ignore_index=255, label_smoothing=smoothing + 0.1
    )
    assert loss.item() != pytest.approx(other.item(), rel=1e-3)


def test_a_step_depends_on_seed_and_step_alone(settings):
    """Not on what else drew random numbers before it: that is how a run goes on unchanged."""
    results = []
    for noise in (0, 17):
        trainer, datasets = trainer_of(settings(seed=4))
        torch.manual_seed(noise)
        torch.rand(noise)
        one_step(trainer, datasets)
        results.append((one_step(trainer, datasets)["total"], trainer.network.state_dict()))
    assert results[0][0] == results[1][0]
    assert all(torch.equal(tensor, results[1][1][name]) for name, tensor in results[0][1].items())
    trainer, datasets = trainer_of(settings(seed=5))
    one_step(trainer, datasets)
    assert one_step(trainer, datasets)["total"] != results[0][0]


def test_gradients_are_clipped_to_their_common_norm(settings):
    norms = {}
    for clip_norm in (0.0, 0.05):
        trainer, datasets = trainer_of(settings(clip_norm=clip_norm))
        one_step(trainer, datasets)
        norms[clip_norm] = torch.stack([p.grad.norm() for p in trainer.network.parameters()]).norm().item()
    assert norms[0.0] > 0.06
    assert norms[0.05] == pytest.approx(0.05, rel=1e-3)


def test_norms_keep_their_statistics_late_in_the_run_and_go_on_learning(settings):
    trainer, datasets = trainer_of(settings(freeze_norms=0.5))
    norm = trainer.network.decode_head.linear_fuse[1]
    kept = []
    for progress in (0.0, 0.49, 0.5, 0.75):
        before = norm.running_mean.clone(), norm.weight.detach().clone()
        trainer.train_step(batch_of(datasets), progress)
        kept.append(torch.equal(norm.running_mean, before[0]))
        assert not torch.equal(norm.weight, before[1])
    assert kept == [False, False, True, True]


@pytest.mark.parametrize("part", PARTS)
def test_only_the_parts_that_learn_change(settings, part):
    """Weights, statistics and averages of the others stay to the bit; with the fusion head alone, so do the logits."""
    trainer, datasets = trainer_of(settings(learn=[part]))
    before = {name: tensor.clone() for name, tensor in trainer.network.state_dict().items()}
    for _ in range(2):
        one_step(trainer, datasets)
    for network in (trainer.network, trainer.average.module):
        changed = {
            name.split(".")[0] for name, now in network.state_dict().items() if not torch.equal(now, before[name])
        }
        assert changed == {PARTS[part]}


def test_parts_that_do_not_learn_drop_nothing_out(settings):
    trainer, datasets = trainer_of(settings(learn=["fusion_head"]))
    one_step(trainer, datasets)
    assert trainer.network.aux_head.training
    assert not any(module.training for module in trainer.network.backbone.modules())
    assert not any(module.training for module in trainer.network.decode_head.modules())


def test_bf16_keeps_weights_and_losses_in_float32(settings):
    trainer, datasets = trainer_of(settings(amp="bf16"))
    plain, plain_datasets = trainer_of(settings())
    rounded, exact = one_step(trainer, datasets), one_step(plain, plain_datasets)
    assert {tensor.dtype for tensor in trainer.network.parameters()} == {torch.float32}
    assert rounded["total"].dtype == torch.float32
    assert rounded["total"].item() == pytest.approx(exact["total"].item(), rel=0.05)
    assert rounded["total"] != exact["total"]


def test_fp16_needs_a_gpu(settings):
    with pytest.raises(ConfigError, match="amp: fp16 needs CUDA: expected bf16 or none on the CPU"):
        trainer_of(settings(amp="fp16"))
