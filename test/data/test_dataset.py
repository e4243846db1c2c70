"""Pairs as arrays: what stands in the files comes out unchanged, and what cannot be right names its file."""

from __future__ import annotations

import warnings
from array import array
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from dataset_files import LABEL, RGB, SIZE, THERMAL, check_pair, dataset, error_of, write, write_pair

from mrfs_ros.camera.gray import to_gray
from mrfs_ros.camera.notices import ImageWarning
from mrfs_ros.config import NodeConfig
from mrfs_ros.data.dataset import DatasetConfig, PairDataset, by_name
from mrfs_ros.errors import ConfigError, ImageError
from mrfs_ros.geometry.calibration_file import write_calibration
from mrfs_ros.geometry.camera_models import Homography
from mrfs_ros.preprocess import PairImages, Preprocessor
from mrfs_ros.training.train_config import load_config
from mrfs_ros.types import MFNET, PST900, UNLABELLED


def test_arrays_are_what_stands_in_the_files(tmp_path):
    write_pair(tmp_path)
    (pair,) = dataset(tmp_path)
    assert pair.name == "a"
    assert pair.labelled
    check_pair(pair)


def test_red_is_the_first_channel(tmp_path):
    red = np.full((*SIZE, 3), (255, 0, 0), np.uint8)
    write_pair(tmp_path, rgb=red)
    assert cv2.imread(str(tmp_path / "rgb" / "a.png"))[0, 0].tolist() == [0, 0, 255]  # OpenCV's own order
    assert dataset(tmp_path)[0].rgb[0, 0].tolist() == [255, 0, 0]


def test_four_channel_files(tmp_path):
    """MFNet: red, green, blue and thermal in one PNG."""
    write(tmp_path / "images" / "00001D.png", np.dstack((RGB, THERMAL)))
    write(tmp_path / "labels" / "00001D.png", LABEL)
    (tmp_path / "train.txt").write_text("00001D\n")
    check_pair(dataset(tmp_path, layout="mfnet", split="train")[0])


def test_length_order_and_index(tmp_path):
    for number, name in enumerate("cab"):
        write_pair(tmp_path, name, thermal=np.full(SIZE, number, np.uint8))
    pairs = dataset(tmp_path)
    assert len(pairs) == 3
    assert [(pair.name, pair.thermal[0, 0]) for pair in pairs] == [("a", 1), ("b", 2), ("c", 0)]
    assert pairs[2].name == "c"
    with pytest.raises(IndexError):
        pairs[3]


def test_thermal_of_another_aspect(tmp_path):
    write_pair(tmp_path, thermal=THERMAL[:, :-1])
    files = f"{tmp_path / 'rgb' / 'a.png'} and {tmp_path / 'thermal' / 'a.png'}"
    text = error_of(ImageError, tmp_path)
    assert text.startswith(
        f"{files}: rgb is 24x32 (HxW) but thermal is 24x31: without a calibration, expected one size"
    )


def by_node(config: NodeConfig, thermal: np.ndarray) -> PairImages:
    """What node and bag make of ``RGB`` and ``thermal``."""
    preprocessor, sent = Preprocessor(config, print), message(thermal, "mono8")
    return preprocessor.register(message(RGB, "rgb8"), sent, preprocessor.grey(sent))


def test_thermal_of_another_size_is_scaled_as_node_and_bag_scale_it(tmp_path):
    small = THERMAL[::2, ::2]
    write_pair(tmp_path, thermal=small)
    expected = by_node(NodeConfig(), small).thermal
    check_pair(dataset(tmp_path)[0], thermal=expected)
    assert (expected != cv2.resize(small, SIZE[::-1], interpolation=cv2.INTER_NEAREST)).any()


def test_calibration_brings_thermal_onto_rgb_as_in_node_and_bag(tmp_path):
    thermal = THERMAL[:18, :20]  # another aspect: without a calibration an error
    write_pair(tmp_path, thermal=thermal)
    matrix = ((1.2, 0.1, 4.0), (0.0, 1.1, 2.0), (0.0, 0.0, 1.0))
    write_calibration(tmp_path / "calib.yaml", Homography(matrix, (18, 20), SIZE))
    expected = by_node(NodeConfig(calibration=str(tmp_path / "calib.yaml")), thermal)
    pair = dataset(tmp_path, calibration=str(tmp_path / "calib.yaml"))[0]
    assert 0.2 < expected.valid.mean() < 0.9
    assert (pair.valid == expected.valid).all()
    check_pair(pair, thermal=expected.thermal, label=np.where(expected.valid, LABEL, UNLABELLED))
    assert "expected one size or at least one aspect" in error_of(ImageError, tmp_path)
    assert "nowhere.yaml: cannot be read" in error_of(ConfigError, tmp_path, calibration="nowhere.yaml")


def message(image: np.ndarray, encoding: str) -> SimpleNamespace:
    """An uncompressed image message, as far as the node reads it."""
    height, width = image.shape[:2]
    data, stamp = array("B", np.ascontiguousarray(image).tobytes()), SimpleNamespace(sec=1, nanosec=0)
    return SimpleNamespace(
        header=SimpleNamespace(stamp=stamp), height=height, width=width, encoding=encoding, is_bigendian=0,
        step=width * (3 if image.ndim == 3 else 1), data=data,
    )  # fmt: skip


def test_names_that_differ_by_what_is_said(tmp_path):
    """Cameras and labels each with their own suffix; lists may say the files' names or what they have in common."""
    for name in ("1", "2"):
        for folder, end, image in (("rgb", "_rgb", RGB), ("thermal", "_ir", THERMAL), ("label", "_mask", LABEL)):
            write(tmp_path / folder / f"{name}{end}.png", image)
    (tmp_path / "some.txt").write_text("2\n1_rgb\n")
    pairs = dataset(tmp_path)
    assert [pair.name for pair in pairs] == ["1_rgb", "2_rgb"]
    check_pair(pairs[0])
    assert pairs.notes == [
        "rgb and thermal files are paired by their names: {}_rgb and {}_ir",
        "rgb and label files are paired by their names: {}_rgb and {}_mask",
    ]
    assert [pair.name for pair in dataset(tmp_path, split="some")] == ["2_rgb", "1_rgb"]


def test_names_that_are_stamps(tmp_path):
    """Thermal lags by 4 ms; labels have the names of rgb; where one thermal image is lost, it is named."""
    for i in range(3):
        write(tmp_path / "rgb" / f"1610001234.{100 + 33 * i}000.png", RGB)
        write(tmp_path / "label" / f"1610001234.{100 + 33 * i}000.png", LABEL)
        write(tmp_path / "thermal" / f"1610001234.{104 + 33 * i}000.png", THERMAL)
    pairs = dataset(tmp_path)
    assert [pair.name for pair in pairs] == ["1610001234.100000", "1610001234.133000", "1610001234.166000"]
    check_pair(pairs[1])
    assert pairs.notes == [
        "rgb and thermal files are paired by their names: stamps, less than 0.017 s apart "
        "(median 0.004 s, largest 0.004 s)"
    ]
    (tmp_path / "thermal" / "1610001234.137000.png").unlink()
    with pytest.raises(ImageError, match=r"1610001234\.133000"):
        dataset(tmp_path)


def test_files_of_other_kinds_are_told(tmp_path):
    write(tmp_path / "rgb" / "a.png", RGB)
    write(tmp_path / "thermal" / "a.png", THERMAL)
    for name in ("b.seq", "c.seq", "notes.txt", "._a.png"):
        (tmp_path / "thermal" / name).write_bytes(b"")
    assert dataset(tmp_path).notes == [
        f"{tmp_path / 'thermal'}: files that are not read: 2 (.seq; such as b.seq): convert images to PNG"
    ]


def test_names_of_one_folder_by_their_patterns(tmp_path):
    for end, image in (("rgb", RGB), ("ir", THERMAL), ("mask", LABEL)):
        write(tmp_path / "all" / f"A_{end}.png", image)
    folders = {"rgb": "all", "thermal": "all", "label": "all"}
    pair = dataset(tmp_path, **folders, rgb_name="{}_rgb", thermal_name="{}_ir", label_name="{}_mask")[0]
    check_pair(pair)
    check_pair(dataset(tmp_path, **folders, label_name="{}_mask")[0])  # rgb and ir are words for cameras
    named = {"rgb_name": "{}_ir", "thermal_name": "{}_mask", "label_name": "{}_mask"}  # as told, not as guessed
    with pytest.warns(ImageWarning, match="rgb images are grey"):
        pair = dataset(tmp_path, **folders, **named)[0]
    assert (pair.rgb == THERMAL[:, :, None]).all() and (pair.thermal == LABEL).all()


def test_names_that_have_nothing_in_common(tmp_path):
    for folder, name in (("rgb", "cam0_1"), ("thermal", "cam1_1")):
        write(tmp_path / folder / f"{name}.png", RGB if folder == "rgb" else THERMAL)
    assert error_of(ImageError, tmp_path).endswith(
        "missing cam0_1, not cam1_1; if names differ, say how by rgb_name, thermal_name, such as {}_thermal"
    )
    assert dataset(tmp_path, rgb_name="cam0_{}", thermal_name="cam1_{}")[0].name == "cam0_1"
    assert "rgb_name, thermal_name: expected a file name with {}" in error_of(ConfigError, tmp_path, rgb_name="cam0")


def test_one_picture_as_both_cameras(tmp_path):
    write_pair(tmp_path)
    write(tmp_path / "thermal" / "a.png", RGB)
    assert error_of(ImageError, tmp_path).endswith(
        "expected 4 channels, RGB and thermal, got shape (24, 32, 3); it is given as rgb and as thermal: "
        "give each camera's own file"
    )
    four = np.dstack([RGB, THERMAL])
    for folder in ("rgb", "thermal"):
        write(tmp_path / folder / "a.png", four)
    check_pair(dataset(tmp_path)[0])
    for folder in ("rgb", "thermal"):
        write(tmp_path / folder / "a.png", np.dstack([RGB, np.full(SIZE, 255, np.uint8)]))
    assert "but its fourth channel is 255 everywhere, transparency and no thermal image" in error_of(
        ImageError, tmp_path
    )


@pytest.mark.parametrize("folder", ["rgb", "thermal", "label"])
def test_damaged_files(tmp_path, folder):
    write_pair(tmp_path)
    path = tmp_path / folder / "a.png"
    path.write_bytes(path.read_bytes()[:40])
    pairs = dataset(tmp_path)  # found: damage shows when the file is read
    with pytest.raises(ImageError) as error:
        pairs[0]
    wanted = "label image (PNG, TIFF, BMP, WebP), or is damaged" if folder == "label" else "image that OpenCV reads"
    assert str(error.value).startswith(f"{path}: is no {wanted}")


def test_16_bit_thermal_is_refused(tmp_path):
    write_pair(tmp_path, thermal=THERMAL.astype(np.uint16) * 100)
    text = error_of(ImageError, tmp_path)
    assert text.startswith(f"{tmp_path / 'thermal' / 'a.png'}: expected 8 bits per channel, got uint16")


def test_sensors_that_are_swapped(tmp_path):
    write_pair(tmp_path, rgb=THERMAL, thermal=RGB)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("default")
        pair = dataset(tmp_path)[0]
    assert (pair.rgb == THERMAL[:, :, None]).all() and (pair.thermal == to_gray(RGB)).all()
    assert ["rgb and thermal are swapped" in str(warning.message) for warning in told] == [True, True]


def test_three_channels_where_mfnet_has_four(tmp_path):
    write(tmp_path / "images" / "a.png", RGB)
    text = error_of(ImageError, tmp_path, layout="mfnet")
    assert text.startswith(
        f"{tmp_path / 'images' / 'a.png'}: expected 4 channels, RGB and thermal, got shape (24, 32, 3)"
    )


def test_thermal_holes_of_pst900_are_filled(tmp_path):
    thermal = np.full(SIZE, 120, np.uint8)
    thermal[:, 16:] = 180
    whole = thermal.copy()
    thermal[4:7, 4:7] = 0
    thermal[10:12, 24:27] = 0
    for folder, image in (("rgb", RGB), ("thermal", thermal), ("labels", LABEL % 5)):
        write(tmp_path / "train" / folder / "a.png", image)
    pair = dataset(tmp_path, PST900, layout="pst900", split="train")[0]
    assert np.abs(pair.thermal.astype(int) - whole).max() <= 5  # of 120 and 180: from what is around each hole
    assert (pair.thermal == whole)[thermal > 0].all()  # only holes change
    black = dataset(tmp_path / "train", PST900, label="labels")[0]  # in other layouts 0 is a temperature
    assert (black.thermal == thermal).all()


def test_cache(tmp_path):
    write_pair(tmp_path)
    kept, fresh = dataset(tmp_path), dataset(tmp_path, cache=False)
    first, old = kept[0], fresh[0]
    write(tmp_path / "thermal" / "a.png", 255 - THERMAL)
    assert kept[0] is first
    assert next(iter(kept)) is first
    assert (old.thermal == THERMAL).all()
    assert (fresh[0].thermal == 255 - THERMAL).all()


def test_own_folder_names(tmp_path):
    for folder, image in (("cameras/left", RGB), ("lepton", THERMAL), ("masks", LABEL)):
        write(tmp_path / folder / "a.png", image)
    check_pair(dataset(tmp_path, rgb="cameras/left", thermal="lepton", label="masks")[0])


def test_own_folders_replace_those_of_any_layout(tmp_path):
    """A thermal folder makes MFNet's layout read 3-channel images; LLVIP's may get labels."""
    for folder, image in (("images", RGB), ("ir", THERMAL), ("infrared", THERMAL), ("visible", RGB), ("own", LABEL)):
        write(tmp_path / folder / "a.png", image)
    check_pair(dataset(tmp_path, layout="mfnet", thermal="ir", label="own")[0])
    check_pair(dataset(tmp_path, layout="llvip", label="own")[0])


@pytest.mark.parametrize("kind", ["rgb", "thermal", "label"])
@pytest.mark.parametrize("folder", ["../other", "/tmp", "a/../../b"])
def test_folders_outside_the_root_are_refused(tmp_path, kind, folder):
    write_pair(tmp_path)
    text = error_of(ConfigError, tmp_path, **{kind: folder})
    assert text == f"folder {folder!r}: expected one inside the dataset's root"


@pytest.mark.parametrize("root", ["", "nowhere/at/all", "a file"])
def test_missing_root(tmp_path, monkeypatch, root):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a file").write_text("")
    with pytest.raises(ConfigError) as error:
        PairDataset(DatasetConfig(root=root), MFNET)
    assert str(error.value) == f"dataset root {root!r}: expected a folder, there is none at {tmp_path / root}"


def test_root_in_the_home_folder(tmp_path, monkeypatch):
    write_pair(tmp_path / "set")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert len(PairDataset(DatasetConfig(root="~/set", split="all"), MFNET)) == 1


def test_unknown_layout(tmp_path):
    text = error_of(ConfigError, tmp_path, layout="kitti")
    assert text == (
        "unknown layout 'kitti': expected one of folder, mfnet, mfnet_folders, msrs, fmb, pst900, llvip, roadscene"
    )


def test_errors_of_the_files_come_through(tmp_path):
    (tmp_path / "rgb").mkdir()
    assert "expected a folder all/thermal or thermal/all or thermal" in error_of(ImageError, tmp_path)


TRAINING = """\
classes: ""
class_names: [ground, person, vehicle]
train:
  - root: recordings/field
    split: monday
    thermal: lepton
    label_map: {7: 2, 255: 0}
  - root: recordings/msrs
    layout: msrs
val:
  - {root: recordings/field, split: tuesday, thermal: lepton}
"""


def test_from_ten_lines_of_yaml_to_arrays(tmp_path, monkeypatch):
    """As a user does it: a file beside the recordings, started from another folder."""
    field, msrs = tmp_path / "recordings" / "field", tmp_path / "recordings" / "msrs" / "train"
    label = np.where(LABEL == UNLABELLED, UNLABELLED, LABEL % 2).astype(np.uint8)
    label[3] = 7
    for name in ("left out", "drive 1", "drive 2"):
        write(field / "rgb" / f"{name}.png", RGB)
        write(field / "lepton" / f"{name}.png", THERMAL)
    write(field / "label" / "drive 1.png", label)
    write(field / "label" / "drive 2.png", LABEL % 3)
    (field / "monday.txt").write_text("drive 1\n")
    (field / "tuesday.txt").write_text("drive 2.png\n")
    for folder, image in (("vi", RGB), ("ir", THERMAL), ("Segmentation_labels", LABEL % 3)):
        write(msrs / folder / "00001D.png", image)
    (tmp_path / "train.yaml").write_text(TRAINING)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")

    config = load_config("../train.yaml")
    train, val = ([PairDataset(c, config.class_set()) for c in config.datasets(part)] for part in ("train", "val"))

    assert [[pair.name for pair in part] for part in (*train, *val)] == [["drive 1"], ["00001D"], ["drive 2"]]
    mapped = np.where(label == 7, 2, np.where(label == UNLABELLED, 0, label))
    check_pair(train[0][0], label=mapped)
    check_pair(train[1][0], label=LABEL % 3)
    check_pair(val[0][0], label=LABEL % 3)
    assert config.class_set().names == ("ground", "person", "vehicle")


def test_datasets_of_one_name_are_numbered_and_none_is_lost(tmp_path):
    for folder in ("day/cam", "night/cam", "other"):
        write_pair(tmp_path / folder)
    day, night, other = (dataset(tmp_path / folder) for folder in ("day/cam", "night/cam", "other"))
    assert by_name([day, other]) == {"cam all": day, "other all": other}
    assert by_name([day, other, night]) == {"1: cam all": day, "2: other all": other, "3: cam all": night}
    assert list(by_name([day, day])) == ["1: cam all", "2: cam all"]
