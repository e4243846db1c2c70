"""The variants that the paper compares its network with, each a few settings of a training run."""
# Supplement, sections 2 (Model I to IV), 3 (paradigms) and 4 (modules removed). It describes each in a sentence; how
# that became settings is this project's reading, in the docstrings of mrfs_ros.network and mrfs_ros.training.losses.

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from mrfs_ros.config import check_settings, from_mapping
from mrfs_ros.errors import ConfigError
from mrfs_ros.network.cost import Cost, network_cost
from mrfs_ros.training.train_config import TrainConfig

FULL = "full"
SHARED = (
    "seed", "steps", "batch_size", "crop_height", "crop_width", "train", "val", "classes", "class_names", "variants",
    "shift_logits",
)  # fmt: skip
"""What no variant has of its own: budget and data of a fair comparison, and what is no part of one."""
LONGEST_NAME = 40  # characters: it names a folder and stands above pictures
_PANELS = ("rgb", "thermal", "truth")  # names of the sheet's own columns
_PAPER = {"visual_attention": "igm", "semantic_attention": "pc", "fusion_rule": "maximum"}


@dataclass(frozen=True)
class Change:
    """What a variant has in place of the full model's: settings of ``TrainConfig``, and the same in words."""

    settings: dict[str, Any]
    text: str


PAPER_VARIANTS = {
    FULL: Change({}, "the paper's network and loss"),
    "model_1": Change({"fusion_rule": "proportional"}, "fused learns the mean of rgb and thermal, not the maximum"),
    "model_2": Change({"fusion_target": {"gamma": 1.0}}, "no weakened-information recovery: rgb as it is"),
    "model_3": Change({"visual_attention": "pooled"}, "pooling-based attention for IGM-Att"),
    "model_4": Change({"semantic_attention": "cross"}, "plain cross-attention for PC-Att"),
    "IGM2Trans": Change({"visual_attention": "transformer"}, "IGM-Att as a transformer"),
    "PC2CNN": Change({"semantic_attention": "convolution"}, "PC-Att as a CNN"),
    "rmIGM": Change({"visual_attention": "none"}, "IGM-Att removed"),
    "rmPC": Change({"semantic_attention": "none"}, "PC-Att removed"),
}


def known_variants(config: TrainConfig) -> dict[str, Change]:
    """The paper's variants and the configuration's own ones, by name.

    ConfigError for a name or change that is none, and for a configuration that is not the paper's to begin with.
    """
    for name, paper in _PAPER.items():
        if (got := getattr(config, name)) != paper:
            raise ConfigError(f"{name}: expected {paper}, which the variants change, got {got}: name it under variants")
    own = {}
    for name, settings in config.variants.items():
        taken = name in PAPER_VARIANTS or name in _PANELS
        if taken or not isinstance(name, str) or not re.fullmatch(rf"\w[\w.-]{{,{LONGEST_NAME - 1}}}", name):
            raise ConfigError(
                f"variants: {name!r}: expected an own name of letters, digits, '.', '_' and '-', "
                f"at most {LONGEST_NAME}, none of {', '.join((*PAPER_VARIANTS, *_PANELS))}"
            )
        if not isinstance(settings, dict) or not settings:
            raise ConfigError(f"variants: {name}: expected settings as name: value, got {settings!r}")
        if kept := [setting for setting in SHARED if setting in settings]:
            raise ConfigError(f"variants: {name}: {', '.join(kept)}: expected other settings, all variants share these")
        own[name] = Change(settings, ", ".join(f"{key}: {value}" for key, value in settings.items()))
    return PAPER_VARIANTS | own


def variant_config(config: TrainConfig, name: str, seed: int) -> TrainConfig:
    """The settings of one run of variant ``name``; ConfigError for an unknown name or wrong settings."""
    known = known_variants(config)
    if name not in known:
        raise ConfigError(f"unknown variant {name!r}: expected one of {', '.join(known)}")
    shared = asdict(config)
    changes = {
        key: {**shared[key], **value} if isinstance(value, dict) and isinstance(shared.get(key), dict) else value
        for key, value in known[name].settings.items()
    }
    try:
        changed = from_mapping(TrainConfig, {**shared, **changes, "seed": seed, "variants": {}})
        check_settings(changed)
        changed.loss_preset(), changed.augmentation()
    except ConfigError as error:
        raise ConfigError(f"variant {name}: {error}") from error
    return changed


def variant_costs(config: TrainConfig, names: Iterable[str], height: int = 480, width: int = 640) -> dict[str, Cost]:
    """What each variant's network costs at an image size."""
    networks = {name: variant_config(config, name, config.seed).network() for name in names}
    costs = {network: network_cost(network, height, width) for network in set(networks.values())}
    return {name: costs[network] for name, network in networks.items()}
