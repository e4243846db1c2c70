"""The YAML file of a training run: what it may say, where its paths start, and one clear text for each mistake."""

from __future__ import annotations

import os
from dataclasses import asdict, fields, replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mrfs_ros.data.dataset import DatasetConfig
from mrfs_ros.engine.encoder_side import of_file
from mrfs_ros.errors import ConfigError
from mrfs_ros.training.augment import AugmentConfig
from mrfs_ros.training.losses import PRESETS, LossPreset
from mrfs_ros.training.train_config import TrainConfig, duration_s, load_config, to_yaml
from mrfs_ros.types import FMB, MFNET

LEAST = "train: [{root: data}]\n"


def load(folder: Path, text: str = "", *overrides: str, least: str = LEAST) -> TrainConfig:
    """The settings of a file that says what it has to, and ``text``."""
    (folder / "run.yaml").write_text(least + text, encoding="utf-8")
    return load_config(folder / "run.yaml", overrides)


def error_of(folder: Path, text: str = "", *overrides: str, least: str = LEAST) -> str:
    with pytest.raises(ConfigError) as error:
        load(folder, text, *overrides, least=least)
    return str(error.value)


def test_a_file_need_only_name_its_data(tmp_path):
    config = load(tmp_path)
    assert config == TrainConfig(train=[{"root": str(tmp_path / "data")}])
    assert config.augmentation() == AugmentConfig()
    assert config.class_set() is MFNET
    assert config.loss_preset() == PRESETS["MFNet"]
    assert config.datasets("train") == [DatasetConfig(root=str(tmp_path / "data"), layout="folder", split="train")]
    assert config.datasets("val") == []


@pytest.mark.parametrize("kind", [TrainConfig, AugmentConfig, DatasetConfig])
def test_every_setting_says_what_it_is_and_has_a_valid_default(kind):
    values = asdict(kind())
    for spec in fields(kind):
        value, rules = values[spec.name], spec.metadata
        assert rules["text"].endswith("."), spec.name
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            assert rules["low"] <= value <= rules["high"], spec.name
        if rules["choices"]:
            assert value in rules["choices"], spec.name


def test_what_the_file_says(tmp_path):
    run = "variant: mit_b3\nsteps: 100\namp: bf16\nseed: 7\n"
    config = load(tmp_path, run + "classes: fmb\npreset: FMB\naugment: {mirror: 0, rgb_gain: 1}\n")
    assert (config.variant, config.steps, config.amp, config.seed) == ("mit_b3", 100, "bf16", 7)
    assert config.class_set() is FMB
    assert config.loss_preset() == PRESETS["FMB"]
    assert config.augmentation() == AugmentConfig(mirror=0.0, rgb_gain=1.0)
    assert isinstance(config.augmentation().mirror, float)


@pytest.mark.parametrize(
    "text, value",
    [("6e-5", 6e-5), ("6.0e-5", 6e-5), ("1E-4", 1e-4), ("+1e-4", 1e-4), (".5e-3", 5e-4), ("1.5e-03", 1.5e-3), ("1", 1)],
)
def test_rates_as_people_write_them(tmp_path, text, value):
    """PyYAML alone takes 6e-5 for a text."""
    assert load(tmp_path, f"rate: {text}\n").rate == value
    assert load(tmp_path, "", f"rate={text}").rate == value


@given(st.floats(0, 1))
@settings(max_examples=30, deadline=None)
def test_any_rate_that_python_prints(tmp_path_factory, rate):
    assert load(tmp_path_factory.mktemp("rate"), f"rate: {rate!r}\n").rate == rate


@pytest.mark.parametrize(
    "text, error",
    [
        ("varaint: mit_b0\n", "unknown setting varaint: expected one of variant, head_width, visual_attention"),
        ("b: 1\na: 1\n", "unknown setting a, b: expected one of variant"),
        ("rate: fast\n", "rate: expected float, got str 'fast'"),
        ('rate: "1e-4"\n', "rate: expected float, got str '1e-4'"),
        ("rate:\n", "rate: expected float, got NoneType None"),
        ("steps: 1e5\n", "steps: expected int, got float 100000.0"),
        ("seed: true\n", "seed: expected int, got bool True"),
        ("class_names: car\n", "class_names: expected list, got str 'car'"),
        ("augment: [mirror]\n", "augment: expected dict, got list ['mirror']"),
        ("rate: 2\n", "rate: expected 0 to 1, got 2.0"),
        ("rate: -1e-9\n", "rate: expected 0 to 1, got -1e-09"),
        ("steps: 0\n", "steps: expected 1 to 100000000, got 0"),
        ("crop_height: 16\n", "crop_height: expected 32 to 4096, got 16"),
        ("ema_decay: 1.0\n", "ema_decay: expected 0 to 0.999999, got 1.0"),
        ("variant: mit_b9\n", "variant: expected one of mit_b0, mit_b1, mit_b2, mit_b3, mit_b4, mit_b5, got 'mit_b9'"),
        ("preset: KITTI\n", "preset: expected one of MFNet, FMB, PST900, got 'KITTI'"),
        ("amp: int8\n", "amp: expected one of none, bf16, fp16, got 'int8'"),
        ("class_weights: mean\n", "class_weights: expected one of none, sqrt, median, got 'mean'"),
        ("classes: KITTI\n", "unknown class set 'KITTI': expected one of MFNet, MSRS, FMB, PST900"),
        ("augment: {flip: 1}\n", "unknown setting flip: expected one of mirror, scale_low"),
        ("augment: {mirror: 1.5}\n", "mirror: expected 0 to 1, got 1.5"),
        ("augment: {mirror: often}\n", "mirror: expected float, got str 'often'"),
        ("augment: {scale_low: 2, scale_high: 1}\n", "augment: expected scale_low <= scale_high, got 2.0, 1.0"),
        ("augment: {scale_low: 1.8}\n", "augment: expected scale_low <= scale_high, got 1.8, 1.75"),
        (
            "augment: {drop_rgb: 0.6, drop_thermal: 0.5}\n",
            "augment: expected drop_rgb + drop_thermal <= 1, got 0.6, 0.5",
        ),
    ],
)
def test_wrong_settings(tmp_path, text, error):
    assert error_of(tmp_path, text).startswith(error)


@pytest.mark.parametrize("part", ["train", "val"])
@pytest.mark.parametrize(
    "entries, error",
    [
        ("data\n", "PART: expected list, got str 'data'"),
        ("{root: data}\n", "PART: expected list, got dict {'root': 'data'}"),
        ("[data]\n", "FILE: PART: expected a list of datasets with root, layout, split"),
        ("[{root: data}, [root, data]]\n", "FILE: PART: expected a list of datasets with root, layout, split"),
        ("[{rot: data}]\n", "unknown setting rot: expected one of root, layout, split, rgb, thermal, label, rgb_name"),
        ("[{root: 5}]\n", "root: expected str, got int 5"),
        ("[{root: }]\n", "root: expected str, got NoneType None"),
        ("[{root: data, split: 2026}]\n", "split: expected str, got int 2026"),
        ("[{root: data, layout: kitti}]\n", "layout: expected one of folder, mfnet, mfnet_folders, msrs"),
        ("[{root: data, label_map: [1]}]\n", "label_map: expected dict, got list [1]"),
        ("[{root: data, cache: 1}]\n", "cache: expected bool, got int 1"),
    ],
)
def test_wrong_datasets(tmp_path, part, entries, error):
    text = error_of(tmp_path, f"{part}: {entries}", least=LEAST if part == "val" else "")
    assert text.startswith(error.replace("PART", part).replace("FILE", str(tmp_path / "run.yaml")))


@pytest.mark.parametrize("text", ["steps: 5\n", "train: []\n"])
def test_nothing_to_learn_from(tmp_path, text):
    assert error_of(tmp_path, text, least="") == f"{tmp_path / 'run.yaml'}: train: expected at least one dataset"


@pytest.mark.parametrize(
    "text, error",
    [
        ("", "expected 'name: value' lines, got NoneType"),
        ("# nothing but a comment\n", "expected 'name: value' lines, got NoneType"),
        ("- train\n- val\n", "expected 'name: value' lines, got list"),
        ("steps=5\n", "expected 'name: value' lines, got str"),
        ("train: [\n", "is no YAML: while parsing a flow"),
        ("steps: 5\n rate: 1\n", "is no YAML: mapping values are not allowed here"),
        ("steps:\t5\n\trate: 1\n", "is no YAML: while scanning"),
        ("variant: !!python/name:os.system\n", "is no YAML: could not determine a constructor for the tag"),
        ("variant: 2026-02-30\n", "is no YAML: day "),
    ],
    ids=lambda value: value.split("\n")[0],
)
def test_files_that_are_no_settings(tmp_path, text, error):
    message = error_of(tmp_path, text, least="")
    assert message.startswith(f"{tmp_path / 'run.yaml'}: {error}")
    assert "\n" not in message


def test_files_that_cannot_be_read(tmp_path):
    for path, reason in ((tmp_path / "no.yaml", "No such file or directory"), (tmp_path, "Is a directory")):
        with pytest.raises(ConfigError) as error:
            load_config(path)
        assert str(error.value) == f"{path}: cannot be read ({reason}): expected a YAML file"


def test_binary_files(tmp_path):
    (tmp_path / "run.yaml").write_bytes(b"\x89PNG\r\n\xff\xfe")
    with pytest.raises(ConfigError) as error:
        load_config(tmp_path / "run.yaml")
    assert str(error.value).startswith(f"{tmp_path / 'run.yaml'}: is no YAML: 'utf-8' codec can't decode byte 0x89")


def test_own_fusion_target(tmp_path):
    config = load(tmp_path, "preset: FMB\nfusion_target: {gamma: 0.9, gradient_weight: 0}\n")
    preset = PRESETS["FMB"]
    assert config.loss_preset() == LossPreset(0.9, preset.contrast, 0)
    assert preset.gamma != 0.9  # the preset itself stays as it is


@pytest.mark.parametrize(
    "target",
    [
        "{gama: 1}",
        "{gamma: high}",
        "{gamma: -1}",
        "{gamma: true}",
        "{gamma: .nan}",
        "{gradient: steep}",
        "{rule: maximum}",
    ],
)
def test_wrong_fusion_target(tmp_path, target):
    values = yaml.safe_load(target)
    text = error_of(tmp_path, f"fusion_target: {target}\n")
    expected = "numbers for gamma, contrast, gradient_weight, or gradient: signed or magnitude"
    assert text == f"fusion_target: expected {expected}: {values}"


def test_gradients_by_magnitude(tmp_path):
    preset = load(tmp_path, "preset: FMB\nfusion_target: {gradient: magnitude}\n").loss_preset()
    assert preset == replace(PRESETS["FMB"], gradient="magnitude")
    text = error_of(tmp_path, "fusion_target: {gradient: magnitude}\nfusion_rule: proportional\n")
    assert text == "fusion_target: gradient: magnitude goes with fusion_rule: maximum only"


def test_encoder_side(tmp_path):
    assert load(tmp_path, "encoder_side: 240\n").side() == of_file(240)
    assert error_of(tmp_path, "encoder_side: 20\n") == "encoder_side: expected 0 or 32 up, got 20"


def test_parts_that_learn(tmp_path):
    assert load(tmp_path, "").parts() == ("encoders", "segmentation_head", "fusion_head")
    assert load(tmp_path, "learn: [fusion_head]\n").parts() == ("fusion_head",)
    text = error_of(tmp_path, "learn: [fusion_head, eyes]\n")
    expected = "encoders, segmentation_head, fusion_head"
    assert text == f"learn: expected a list out of {expected}, got ['fusion_head', 'eyes']"


def test_own_classes(tmp_path):
    classes = load(tmp_path, "class_names: [ground, person, 'no']\nclasses: orchard\n").class_set()
    assert (classes.name, classes.names) == ("orchard", ("ground", "person", "no"))
    assert classes.colors[0] == (0, 0, 0)
    assert len(set(classes.colors)) == 3


@pytest.mark.parametrize("classes", ["", "classes: ''\n", "classes: FMB\n", "classes: msrs\n"])
def test_own_classes_do_not_go_by_the_name_of_a_public_set(tmp_path, classes):
    """MFNet is the default of ``classes``: own names beside it are not MFNet's."""
    assert load(tmp_path, f"{classes}class_names: [ground, person]\n").class_set().name == "own"


def test_wrong_class_names(tmp_path):
    assert error_of(tmp_path, "class_names: [ground, no]\n") == (
        "class_names: expected a list of texts, got ['ground', False]"
    )
    many = ", ".join(f"c{i}" for i in range(256))
    assert "expected 1 to 255 names and as many colours, got 256" in error_of(tmp_path, f"class_names: [{many}]\n")
    assert error_of(tmp_path, "classes: ''\n").startswith("unknown class set '': expected one of MFNet")


def test_own_colours(tmp_path):
    text = "class_names: [ground, person]\nclass_colors: [[0, 0, 0], [255, 10, 7]]\n"
    assert load(tmp_path, text).class_set().colors == ((0, 0, 0), (255, 10, 7))


NAMES = "class_names: [ground, person]\n"


@pytest.mark.parametrize(
    "text, error",
    [
        (NAMES + "class_colors: [[0, 0, 0]]", "class_colors: expected one for each of 2 classes: 1"),
        (NAMES + "class_colors: [[0, 0, 0], [0, 0, 0]]", "class_colors: expected a colour of its own for each class"),
        (NAMES + "class_colors: [[0, 0, 0], [1, 2]]", "class_colors: expected [red, green, blue] of 0-255 for each"),
        (NAMES + "class_colors: [[0, 0, 0], [1, 2, 256]]", "for each class, got (1, 2, 256)"),
        (NAMES + "class_colors: [[0, 0, 0], [1, 2, true]]", "for each class, got (1, 2, True)"),
        (NAMES + "class_colors: [[0, 0, 0], red]", "for each class, got 'red'"),
        ("class_colors: [[0, 0, 0], [1, 2, 3]]", "class_colors: are of own classes (class_names): MFNet has its own"),
    ],
)
def test_wrong_colours(tmp_path, text, error):
    assert error in error_of(tmp_path, text)


def test_one_calibration_for_all_datasets(tmp_path):
    text = "train: [{root: a, calibration: own.yaml}, {root: b}]\nval: [{root: c}]\n"
    config = load(tmp_path, text, least="")
    assert [d.calibration for d in config.datasets("train")] == [str(tmp_path / "own.yaml"), ""]  # beside the file
    given = config.with_calibration(tmp_path / "given.yaml")
    assert {d.calibration for part in ("train", "val") for d in given.datasets(part)} == {str(tmp_path / "given.yaml")}


def test_overrides(tmp_path):
    config = load(
        tmp_path, "steps: 5\nseed: 3\n", "steps=9", " rate = 1e-4 ", "amp=bf16", "tensorboard=false",
        "augment={mirror: 0}", "train=[{root: other, split: a=b}]", 'init=""', "seed=1", "seed=2",
    )  # fmt: skip
    assert (config.steps, config.rate, config.amp, config.tensorboard) == (9, 1e-4, "bf16", False)
    assert config.augmentation() == AugmentConfig(mirror=0.0)
    assert config.train == [{"root": str(tmp_path / "other"), "split": "a=b"}]
    assert config.init == ""
    assert config.seed == 2  # the last one counts


@pytest.mark.parametrize(
    "override, error",
    [
        ("steps", "setting 'steps': expected NAME=VALUE"),
        ("step=5", "unknown setting step: expected one of variant"),
        ("=5", "unknown setting : expected one of variant"),
        ("steps=many", "steps: expected int, got str 'many'"),
        ("steps=", "steps: expected int, got NoneType None"),
        ("steps=0", "steps: expected 1 to 100000000, got 0"),
        ("train=[", "setting 'train=[': its value cannot be read, expected a number or a text: while parsing"),
        ("init=2026-02-30", "setting 'init=2026-02-30': its value cannot be read, expected a number or a text: day "),
    ],
)
def test_wrong_overrides(tmp_path, override, error):
    assert error_of(tmp_path, "", override).startswith(error)


def test_relative_paths_start_at_the_file(tmp_path, monkeypatch):
    (tmp_path / "config").mkdir()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "config" / "run.yaml").write_text(
        "train: [{root: ../data}, {root: /absolute/set}, {root: ~/set}, {root: .}]\n"
        "val: [{root: held out}]\npretrained: ../mit_b0.pth\ninit: ~/start.safetensors\n"
        "variants: {far: {pretrained: ../mit_b1.pth, rate: 0.1}, none: 3}\n"
    )
    for path in (tmp_path / "config" / "run.yaml", Path("../config/run.yaml")):
        config = load_config(path)
        assert [entry["root"] for entry in config.train] == [
            str(tmp_path / "data"), "/absolute/set", str(tmp_path / "home" / "set"), str(tmp_path / "config"),
        ]  # fmt: skip
        assert [entry.root for entry in config.datasets("val")] == [str(tmp_path / "config" / "held out")]
        assert config.pretrained == str(tmp_path / "mit_b0.pth")
        assert config.init == str(tmp_path / "home" / "start.safetensors")
        assert config.variants == {"far": {"pretrained": str(tmp_path / "mit_b1.pth"), "rate": 0.1}, "none": 3}


def test_paths_that_are_not_given_stay_empty(tmp_path):
    """An empty path must not turn into the folder of the file."""
    config = load(tmp_path, least="train: [{split: a}]\n")
    assert (config.pretrained, config.init) == ("", "")
    assert config.datasets("train")[0].root == ""


def test_config_file_in_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "run.yaml").write_text(LEAST)
    assert load_config("~/run.yaml").train == [{"root": str(tmp_path / "data")}]


@pytest.mark.parametrize(
    "text, seconds",
    [("90s", 90), ("25m", 1500), ("1.5h", 5400), (" 2h ", 7200), ("0.5s", 0.5), ("08m", 480), ("100000s", 100000)],
)
def test_durations(text, seconds):
    assert duration_s(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "25", "m", "25 m", "25min", "1h30m", "-5m", "0s", "0.0h", "1e3s", ".5h", "1.h", "25M", "nan s", "2d"]
)
def test_what_is_no_duration(text):
    with pytest.raises(ConfigError) as error:
        duration_s(text)
    assert str(error.value) == f"duration {text!r}: expected a number with s, m or h, such as 25m"


def test_effective_settings_make_the_same_run(tmp_path):
    text = "rate: 6e-5\ninit: start.pth\nval: [{root: data, split: 'no', label_map: {7: 2}}]\naugment: {mirror: 1}\n"
    config = load(tmp_path, text)
    (tmp_path / "elsewhere").mkdir()
    text = to_yaml(config)
    (tmp_path / "elsewhere" / "config.yaml").write_text(text)
    assert load_config(tmp_path / "elsewhere" / "config.yaml") == config
    assert [line.partition(":")[0] for line in text.splitlines() if line[0].isalpha()] == [
        spec.name for spec in fields(TrainConfig)
    ]


TEXTS = st.sampled_from(("no", "null", "1e5", "-.5E3", "12", "2026-01-01", "~", "a: b", "#", "ä ß", "'", "", "0x1f"))


@given(
    st.floats(0, 1), st.lists(TEXTS, min_size=1, unique=True), TEXTS, st.dictionaries(st.integers(0, 255), st.just(0))
)
@settings(max_examples=40, deadline=None)
def test_whatever_the_settings_they_come_back(tmp_path_factory, rate, names, split, label_map):
    folder = tmp_path_factory.mktemp("run")
    entry = {"root": os.fspath(folder / "data"), "split": split, "label_map": label_map}
    config = TrainConfig(rate=rate, class_names=names, train=[entry], val=[dict(entry)])
    (folder / "config.yaml").write_text(to_yaml(config), encoding="utf-8")
    assert load_config(folder / "config.yaml") == config
