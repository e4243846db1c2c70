"""Configuration of a training run: every setting with its default, and the YAML file that overrides them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from mrfs_ros.config import SEMANTIC_ATTENTIONS, VISUAL_ATTENTIONS, NetworkConfig, check_settings, from_mapping, setting
from mrfs_ros.data.dataset import DatasetConfig
from mrfs_ros.engine.encoder_side import EncoderSide, of_file
from mrfs_ros.errors import ConfigError
from mrfs_ros.network.encoder_sizes import VARIANTS
from mrfs_ros.network.parts import PARTS
from mrfs_ros.training.augment import AugmentConfig
from mrfs_ros.training.losses import FUSION_RULES, FUSION_WEIGHT, GRADIENT_RULES, PRESETS, LossPreset, preset_named
from mrfs_ros.types import CLASS_SETS, MIN_SIDE, ClassSet, class_set_named, numbered_hues
from mrfs_ros.yaml_text import EXPONENT, parsed_yaml

_FILES = ("pretrained", "init")
_UNITS = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """A training run; ``train``, ``val``: mappings to ``DatasetConfig``, ``augment``: one to ``AugmentConfig``."""

    variant: str = setting("mit_b0", "Size of the encoders.", choices=tuple(VARIANTS))
    head_width: int = setting(512, "Channels of the segmentation head.", low=8, high=4096)
    visual_attention: str = setting(
        "igm",
        "What joins visual features; igm is the paper's, the others are its ablations.",
        choices=VISUAL_ATTENTIONS,
    )
    semantic_attention: str = setting(
        "pc",
        "What makes semantic features; pc is the paper's, the others are its ablations.",
        choices=SEMANTIC_ATTENTIONS,
    )
    classes: str = setting("MFNet", "Class set: MFNet, MSRS, FMB, PST900, or empty with class_names.")
    class_names: list = setting([], "Own class names, background first.")
    class_colors: list = setting([], "[red, green, blue] of each own class, as in its colour labels; empty = made up.")
    pretrained: str = setting("", "MiT encoder weights (.pth, .safetensors), copied into both modalities.")
    init: str = setting("", "MRFS weights file to go on from.")
    train: list = setting([], "Datasets to learn from.")
    val: list = setting([], "Datasets to choose the best weights on; empty = the last weights are the result.")
    augment: dict = setting({}, "See AugmentConfig.")
    preset: str = setting("MFNet", "Numbers of the fusion loss.", choices=tuple(PRESETS))
    fusion_target: dict = setting(
        {}, "Own gamma, contrast, gradient_weight or gradient (signed, magnitude) in place of the preset's."
    )
    fusion_rule: str = setting(
        "maximum",
        "How rgb and thermal are one target of the fused image: their maximum or, proportional, their mean.",
        choices=FUSION_RULES,
    )
    fusion_weight: float = setting(FUSION_WEIGHT, "Share of the fusion loss in the total.", low=0, high=1000)
    class_weights: str = setting(
        "none",
        "none, median (the median class frequency over each class's, in pixels) or sqrt (its square root).",
        choices=("none", "sqrt", "median"),
    )
    shift_logits: bool = setting(False, "At the end, shift each class's logit to where the mIoU on val is best.")
    label_smoothing: float = setting(0.0, "Share of the target given to all classes.", low=0, high=0.9)
    variants: dict = setting({}, "Own variants for mrfs ablate, name: {setting: value}.")
    steps: int = setting(40000, "Optimizer steps.", low=1, high=10**8)
    batch_size: int = setting(6, "Crops per step, over all processes together.", low=1, high=4096)
    crop_height: int = setting(480, "Height [pixels] of a crop.", low=32, high=4096)
    crop_width: int = setting(640, "Width [pixels] of a crop.", low=32, high=4096)
    rate: float = setting(6e-5, "Highest learning rate (AdamW).", low=0, high=1)
    learn: list = setting(
        [],
        "Parts that learn: encoders, segmentation_head, fusion_head; the others stay as they are; empty = all.",
    )
    head_rate: float = setting(1.0, "Learning rate of both heads, as a multiple of rate.", low=0, high=1000)
    weight_decay: float = setting(0.01, "On matrices and kernels, none on biases and norms.", low=0, high=1)
    warmup_steps: int = setting(1500, "Steps over which the rate rises linearly.", low=0, high=10**8)
    poly_power: float = setting(0.9, "The rate falls with (1 - progress) to this power.", low=0, high=10)
    clip_norm: float = setting(0.0, "Largest norm of all gradients together; 0 = not clipped.", low=0, high=1e6)
    amp: str = setting(
        "none",
        "Precision of the forward pass: none = float32, bf16, fp16 (CUDA only).",
        choices=("none", "bf16", "fp16"),
    )
    ema_decay: float = setting(0.999, "Decay of the averaged weights, which are the result.", low=0, high=0.999999)
    freeze_norms: float = setting(
        1.0,
        "Share of the run after which BatchNorm keeps its statistics: those of small, mixed batches flicker.",
        low=0,
        high=1,
    )
    encoder_side: int = setting(
        0,
        "Short side [pixels] at which encoders see whole frames: in validation, and by default in the weights' use; "
        "0 = the frames' own.",
        low=0,
        high=8192,
    )
    seed: int = setting(0, "Of weights, crops and dropout.", low=0, high=2**31)
    workers: int = setting(1, "Processes that read and cut frames.", low=0, high=256)
    threads: int = setting(0, "Threads of torch on the CPU; 0 = torch's own choice.", low=0, high=1024)
    tensorboard: bool = setting(True, "Write TensorBoard files beside metrics.jsonl.")
    log_every: int = setting(20, "Steps between log entries.", low=1, high=10**8)
    save_every: int = setting(200, "Steps between saved states.", low=1, high=10**8)
    eval_every: int = setting(2000, "Steps between validations.", low=1, high=10**8)

    def augmentation(self) -> AugmentConfig:
        """The settings under ``augment``, checked."""
        config = from_mapping(AugmentConfig, self.augment)
        check_settings(config)
        if config.scale_low > config.scale_high:
            raise ConfigError(f"augment: expected scale_low <= scale_high, got {config.scale_low}, {config.scale_high}")
        if config.drop_rgb + config.drop_thermal > 1:
            raise ConfigError(
                f"augment: expected drop_rgb + drop_thermal <= 1, got {config.drop_rgb}, {config.drop_thermal}"
            )
        return config

    def loss_preset(self) -> LossPreset:
        """The preset with the numbers of ``fusion_target`` in place of its own."""
        preset = preset_named(self.preset)
        numbers = [name for name, value in asdict(preset).items() if type(value) is float]
        expected = (
            f"fusion_target: expected numbers for {', '.join(numbers)}, or gradient: {' or '.join(GRADIENT_RULES)}"
        )
        for name, value in self.fusion_target.items():
            number = name in numbers and type(value) in (int, float) and value >= 0
            if not number and not (name == "gradient" and value in GRADIENT_RULES):
                raise ConfigError(f"{expected}: {self.fusion_target}")
        preset = replace(preset, rule=self.fusion_rule, **self.fusion_target)
        if preset.rule != "maximum" and preset.gradient != "signed":
            raise ConfigError(f"fusion_target: gradient: {preset.gradient} goes with fusion_rule: maximum only")
        return preset

    def class_set(self) -> ClassSet:
        """The classes by name, or the own ones."""
        if not self.class_names:
            if self.class_colors:
                raise ConfigError(f"class_colors: are of own classes (class_names): {self.classes} has its own")
            return class_set_named(self.classes)
        if not all(isinstance(name, str) for name in self.class_names):
            raise ConfigError(f"class_names: expected a list of texts, got {self.class_names!r}")
        names = tuple(self.class_names)
        public = self.classes.lower() in {"", *(name.lower() for name in CLASS_SETS)}  # MFNet is but the default
        return ClassSet("own" if public else self.classes, names, self._colors() or numbered_hues(len(names)))

    def _colors(self) -> tuple[tuple[int, int, int], ...]:
        """The own classes' colours, checked; empty if none are given."""
        colors = tuple(tuple(color) if isinstance(color, list) else color for color in self.class_colors)
        for color in colors:
            levels = isinstance(color, tuple) and [level for level in color if type(level) is int and 0 <= level <= 255]
            if not levels or not len(levels) == len(color) == 3:
                raise ConfigError(f"class_colors: expected [red, green, blue] of 0-255 for each class, got {color!r}")
        if colors and len(colors) != len(self.class_names):
            raise ConfigError(f"class_colors: expected one for each of {len(self.class_names)} classes: {len(colors)}")
        if len(set(colors)) < len(colors):
            raise ConfigError("class_colors: expected a colour of its own for each class, two are the same")
        return colors

    def network(self) -> NetworkConfig:
        """The network that these settings ask for."""
        return NetworkConfig(
            variant=self.variant,
            num_classes=len(self.class_set()),
            head_width=self.head_width,
            visual_attention=self.visual_attention,
            semantic_attention=self.semantic_attention,
        )

    def side(self) -> EncoderSide:
        """The encoder side of validation; smaller frames are seen at their own."""
        if 0 < self.encoder_side < MIN_SIDE:
            raise ConfigError(f"encoder_side: expected 0 or {MIN_SIDE} up, got {self.encoder_side}")
        return of_file(self.encoder_side)

    def parts(self) -> tuple[str, ...]:
        """The parts of the network that learn, checked."""
        if not all(name in PARTS for name in self.learn):
            raise ConfigError(f"learn: expected a list out of {', '.join(PARTS)}, got {self.learn!r}")
        return tuple(self.learn) or tuple(PARTS)

    def with_calibration(self, path: str | Path) -> TrainConfig:
        """The same with this calibration file for every dataset, in place of their own."""
        own = {"calibration": str(Path(path).expanduser().resolve())}
        return replace(self, train=[entry | own for entry in self.train], val=[entry | own for entry in self.val])

    def datasets(self, part: str) -> list[DatasetConfig]:
        """The datasets under ``part`` (train or val), checked."""
        configs = [from_mapping(DatasetConfig, entry) for entry in getattr(self, part)]
        for config in configs:
            check_settings(config)
        return configs


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> TrainConfig:
    """Read a YAML file of settings; relative paths in it start at its folder. ConfigError says which one is wrong.

    ``overrides``: settings in place of the file's, as texts NAME=VALUE.
    """
    path = Path(path).expanduser()
    values = read_yaml(path) | dict(_override(text) for text in overrides)
    config = from_mapping(TrainConfig, values)
    check_settings(config)
    parts = {}
    for part in ("train", "val"):
        entries = getattr(config, part)
        if not all(isinstance(entry, dict) for entry in entries):
            raise ConfigError(f"{path}: {part}: expected a list of datasets with root, layout, split")
        parts[part] = [_with_files_beside(path, entry, ("root", "calibration")) for entry in entries]
    if not config.train:
        raise ConfigError(f"{path}: train: expected at least one dataset")
    files = {name: _beside(path, getattr(config, name)) for name in _FILES}
    own = {name: _with_files_beside(path, settings) for name, settings in config.variants.items()}
    config = replace(config, **parts, **files, variants=own)
    (
        config.side(),
        config.augmentation(),
        config.parts(),
        config.class_set(),
        config.loss_preset(),
        config.datasets("train"),
        config.datasets("val"),
    )
    return config


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; ConfigError if there is none."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}): expected a YAML file") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is no YAML: {error}") from error
    values = _parsed(text, f"{path}: is no YAML")
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: expected 'name: value' lines, got {type(values).__name__}")
    return values


def _override(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ConfigError(f"setting {text!r}: expected NAME=VALUE")
    return name.strip(), _parsed(value, f"setting {text!r}: its value cannot be read, expected a number or a text")


def _parsed(text: str, complaint: str) -> Any:
    try:
        return parsed_yaml(text, "reading YAML", "train")
    except ConfigError as error:
        raise ConfigError(f"{complaint}: {error}") from error


def to_yaml(config: TrainConfig) -> str:
    """The effective settings as YAML, in the order of the dataclass."""
    import yaml

    class Dumper(yaml.SafeDumper):
        """Quotes texts that ``parsed_yaml`` takes for numbers."""

    Dumper.add_implicit_resolver("tag:yaml.org,2002:float", EXPONENT, list("-+.0123456789"))
    return yaml.dump(asdict(config), Dumper=Dumper, sort_keys=False)


def duration_s(text: str) -> float:
    """Seconds of a duration such as 90s, 25m or 1.5h; ConfigError otherwise."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text.strip())
    if not match or float(match.group(1)) == 0:
        raise ConfigError(f"duration {text!r}: expected a number with s, m or h, such as 25m")
    return float(match.group(1)) * _UNITS[match.group(2)]


def _beside(file: Path, path: str) -> str:
    return str((file.parent / Path(path).expanduser()).resolve()) if path else ""


def _with_files_beside(file: Path, settings: Any, names: tuple[str, ...] = _FILES) -> Any:
    """Settings, whatever else they are, with the files that they name: those of an own variant, or of a dataset."""
    if not isinstance(settings, dict):
        return settings
    named = {name: _beside(file, settings[name]) for name in names if isinstance(settings.get(name), str)}
    return settings | named
