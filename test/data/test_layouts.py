"""Every dataset as its authors arrange it, and one clear text for each way in which files do not make pairs."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrfs_ros.data.layouts import LAYOUTS, SUFFIXES, PairFiles, find_pairs
from mrfs_ros.errors import ConfigError, ImageError

FOLDER = LAYOUTS["folder"]
PIXELS = np.zeros((2, 3), np.uint8)


def put(root: Path, *files: str) -> None:
    """Write a small image as each of ``files``."""
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(root / file), PIXELS)


def put_pairs(root: Path, *names: str, folders: tuple[str, ...] = ("rgb", "thermal", "label")) -> None:
    put(root, *(f"{folder}/{name}.png" for folder in folders for name in names))


def put_list(root: Path, text: str, split: str = "train") -> Path:
    path = root / f"{split}.txt"
    path.write_bytes(text.encode())
    return path


def names(pairs: list[PairFiles]) -> list[str]:
    return [pair.name for pair in pairs]


ARRANGED = [  # layout, split, files of the pair NAME (None: no such file), order: a list's or the names'
    ("mfnet", "train", "images/NAME.png", None, "labels/NAME.png", True),
    ("mfnet_folders", "train", "visible/NAME.png", "infrared/NAME.png", "label/NAME.png", True),
    ("msrs", "train", "train/vi/NAME.png", "train/ir/NAME.png", "train/Segmentation_labels/NAME.png", False),
    ("msrs", "test", "test/vi/NAME.png", "test/ir/NAME.png", "test/Segmentation_labels/NAME.png", False),
    ("fmb", "train", "train/Visible/NAME.png", "train/Infrared/NAME.png", "train/Label/NAME.png", False),
    ("pst900", "test", "test/rgb/NAME.png", "test/thermal/NAME.png", "test/labels/NAME.png", False),
    ("llvip", "train", "visible/train/NAME.jpg", "infrared/train/NAME.jpg", None, False),
    ("roadscene", "all", "crop_LR_visible/NAME.jpg", "cropinfrared/NAME.jpg", None, False),
    ("folder", "val", "rgb/NAME.jpg", "thermal/NAME.png", "label/NAME.png", True),
    ("folder", "val", "val/rgb/NAME.jpg", "val/thermal/NAME.png", "val/label/NAME.png", False),
    ("folder", "all", "rgb/NAME.tif", "thermal/NAME.bmp", "label/NAME.png", False),
    ("folder", "all", "rgb/NAME.jpeg", "thermal/NAME.webp", None, False),
]


@pytest.mark.parametrize("layout, split, rgb, thermal, label, listed", ARRANGED)
def test_found_as_the_authors_arrange_it(tmp_path, layout, split, rgb, thermal, label, listed):
    wanted = ["00010N", "00002D", "00001D"] if listed else ["00001D", "00002D", "00010N"]
    for name in ("00002D", "00010N", "00001D"):
        put(tmp_path, *(file.replace("NAME", name) for file in (rgb, thermal, label) if file))
    if listed:
        put_list(tmp_path, "\n".join(wanted), split)
    assert find_pairs(tmp_path, LAYOUTS[layout], split) == [
        PairFiles(
            name,
            tmp_path / rgb.replace("NAME", name),
            tmp_path / (thermal or rgb).replace("NAME", name),
            tmp_path / label.replace("NAME", name) if label else None,
        )
        for name in wanted
    ]


def test_the_split_that_was_asked_for(tmp_path):
    """FMB's train and test folders, and a list over all files: no pair of the other split comes along."""
    put_pairs(tmp_path / "train", "a", "b", folders=("Visible", "Infrared", "Label", "color"))
    put_pairs(tmp_path / "test", "c", folders=("Visible", "Infrared", "Label", "color"))
    assert names(find_pairs(tmp_path, LAYOUTS["fmb"], "test")) == ["c"]
    put_pairs(tmp_path, "d", "e", "f")
    put_list(tmp_path, "e\n", "val")
    assert names(find_pairs(tmp_path, FOLDER, "val")) == ["e"]
    assert names(find_pairs(tmp_path, FOLDER, "all")) == ["d", "e", "f"]


def test_holes_are_pst900s():
    assert [name for name, layout in LAYOUTS.items() if layout.holes] == ["pst900"]


@pytest.mark.parametrize(
    "text",
    [
        "b\na\nc d",
        "b.png\na.jpg\nc d.PNG\n",
        "\n\nb\n  \n a \nc d\n\n",
        "b\r\na\r\n\r\nc d\r\n",
        "\ufeffb\na\nc d\n",
    ],
    ids=["bare", "suffixes", "blank lines", "CRLF", "byte order mark"],
)
def test_what_a_list_may_look_like(tmp_path, text):
    put_pairs(tmp_path, "a", "b", "c d", "left out")
    put_list(tmp_path, text)
    assert names(find_pairs(tmp_path, FOLDER, "train")) == ["b", "a", "c d"]


NAMES = st.text(st.sampled_from("abAB01 _-.äß"), min_size=1, max_size=8).filter(
    lambda text: text == text.strip(" .") and not text.lower().endswith(SUFFIXES)
)


@given(st.lists(NAMES, min_size=1, max_size=5, unique_by=str.lower), st.randoms())
@settings(max_examples=25, deadline=None)
def test_any_names_come_back_in_the_order_of_the_list(tmp_path_factory, listed, random):
    """Dots, spaces and letters beyond ASCII, each line with or without a suffix."""
    root = tmp_path_factory.mktemp("names")
    put_pairs(root, *listed)
    put_list(root, "\n".join(name + random.choice(("", ".png", ".JPG")) for name in listed))
    pairs = find_pairs(root, FOLDER, "train")
    assert names(pairs) == listed
    assert [pair.label for pair in pairs] == [root / "label" / f"{name}.png" for name in listed]


def test_files_that_are_no_images_are_passed_over(tmp_path):
    put_pairs(tmp_path, "a")
    for file in ("rgb/._a.png", "rgb/.DS_Store", "rgb/Thumbs.db", "rgb/notes.txt", "label/._a.png"):
        (tmp_path / file).write_bytes(b"no image")
    assert find_pairs(tmp_path, FOLDER, "all") == [
        PairFiles("a", tmp_path / "rgb/a.png", tmp_path / "thermal/a.png", tmp_path / "label/a.png")
    ]


def error_of(kind: type[Exception], root: Path, split: str = "train", layout: str = "folder", **more) -> str:
    with pytest.raises(kind) as error:
        find_pairs(root, LAYOUTS[layout], split, **more)
    return str(error.value)


def test_missing_folders_name_the_places_looked_at(tmp_path):
    assert error_of(ImageError, tmp_path) == (
        f"{tmp_path}: expected a folder train/rgb or rgb/train or rgb: none found"
    )
    put(tmp_path, "train/vi/a.png")
    text = error_of(ImageError, tmp_path, layout="msrs")
    assert "expected a folder train/ir or ir/train or ir: none found" in text


def test_missing_list(tmp_path):
    put_pairs(tmp_path, "a")
    text = error_of(ImageError, tmp_path, "trian")
    assert text == f"{tmp_path / 'trian.txt'}: no such list: expected one name a line, or split: all for every pair"


@pytest.mark.parametrize("text", ["", "\n \r\n\n"])
def test_empty_list(tmp_path, text):
    put_pairs(tmp_path, "a")
    path = put_list(tmp_path, text)
    assert error_of(ImageError, tmp_path) == f"{path}: expected one name a line, got an empty list"


def test_list_in_another_encoding(tmp_path):
    put_pairs(tmp_path, "a")
    (tmp_path / "train.txt").write_bytes("Straße".encode("latin-1"))
    assert error_of(ImageError, tmp_path) == f"{tmp_path / 'train.txt'}: expected UTF-8 text, one name a line"


@pytest.mark.parametrize("line", ["../../etc/passwd", "/etc/passwd", "rgb/a", "./a", "a/", "../secret.png"])
def test_lists_hold_names_not_paths(tmp_path, line):
    root = tmp_path / "set"
    put_pairs(root, "a")
    put(tmp_path, "secret.png")
    path = put_list(root, f"a\n{line}\n")
    assert error_of(ImageError, root) == f"{path}: {line!r}: expected a bare file name, no path"


@pytest.mark.parametrize("split", ["../other", "..", "train/../../other"])
def test_splits_stay_inside_the_root(tmp_path, split):
    root = tmp_path / "set"
    put_pairs(root, "a")
    put_pairs(tmp_path / "other", "stranger")
    text = error_of(ConfigError, root, split)
    assert text == f"split {split!r}: expected a folder or a list inside {root}"


def test_absolute_split(tmp_path):
    put_pairs(tmp_path, "a")
    text = error_of(ConfigError, tmp_path, str(tmp_path / "train"))
    assert text == f"split '{tmp_path}/train': expected a folder or a list inside {tmp_path}"


def test_a_list_lies_in_the_root(tmp_path):
    put_pairs(tmp_path, "a")
    (tmp_path / "lists").mkdir()
    put_list(tmp_path / "lists", "a\n")
    text = error_of(ConfigError, tmp_path, "lists/train")
    assert text == f"split 'lists/train': expected the bare name of a list in {tmp_path}, no path"


@pytest.mark.parametrize("text", ["a\nb\na\n", "a\nb\na.png\n"])
def test_a_name_listed_twice(tmp_path, text):
    put_pairs(tmp_path, "a", "b")
    path = put_list(tmp_path, text)
    assert error_of(ImageError, tmp_path) == f"{path}: 'a' is listed more than once"


@pytest.mark.parametrize("folder", ["rgb", "thermal", "label"])
def test_two_files_of_one_name(tmp_path, folder):
    put_pairs(tmp_path, "a", "b")
    put(tmp_path, f"{folder}/a.jpg")
    text = error_of(ImageError, tmp_path, "all")
    assert text == f"{tmp_path / folder / 'a.png'}: a.jpg has the same name: expected one image a name"


def test_a_folder_without_images(tmp_path):
    """LLVIP has visible/train and visible/test: ``all`` finds no image there, and says so instead of taking none."""
    put(tmp_path, "visible/train/a.jpg", "infrared/train/a.jpg")
    text = error_of(ImageError, tmp_path, "all", layout="llvip")
    assert text.startswith(f"{tmp_path / 'visible'}: expected images (.png, .jpg")
    assert text.endswith("found none but the folders train: name one of these, or put all images into one folder")


@pytest.mark.parametrize("split, root", [("all", "."), ("train", "train")])
def test_thermal_images_are_missing(tmp_path, split, root):
    put_pairs(tmp_path / root, *"abcdef", folders=("rgb",))
    put_pairs(tmp_path / root, "a", folders=("thermal",))
    text = error_of(ImageError, tmp_path, split)
    assert text == (
        f"{tmp_path / root / 'rgb'}: 6 pairs, but 1 thermal images of their names: missing b, c, d and 2 more"
    )


@pytest.mark.parametrize("split, root", [("all", "."), ("train", "train")])
def test_rgb_images_are_missing(tmp_path, split, root):
    put_pairs(tmp_path / root, "b", folders=("rgb",))
    put_pairs(tmp_path / root, *"abcde", folders=("thermal",))
    text = error_of(ImageError, tmp_path, split)
    assert text == (
        f"{tmp_path / root / 'rgb'}: 1 rgb images, but 5 thermal images: without partner a, c, d and 1 more"
    )


def test_a_list_names_what_is_not_there(tmp_path):
    put_pairs(tmp_path, "a", "b", folders=("rgb",))
    put_pairs(tmp_path, "a", "b", "c", "d", folders=("thermal",))
    put_list(tmp_path, "a\nd\nc\n")
    assert error_of(ImageError, tmp_path) == (
        f"{tmp_path / 'rgb'}: 3 pairs, but 1 rgb images of their names: missing d, c"
    )


def test_a_list_may_leave_files_out(tmp_path):
    put_pairs(tmp_path, "a", "b", folders=("rgb", "label"))
    put_pairs(tmp_path, "a", "c", folders=("thermal",))
    put_list(tmp_path, "a\n")
    assert names(find_pairs(tmp_path, FOLDER, "train")) == ["a"]


@pytest.mark.parametrize("split, root", [("all", "."), ("train", "."), ("val", "val")], ids=["all", "list", "folder"])
def test_missing_labels(tmp_path, split, root):
    put_pairs(tmp_path / root, "a", "b", "c", folders=("rgb", "thermal"))
    put_pairs(tmp_path / root, "b", folders=("label",))
    put_list(tmp_path, "a\nb\nc\n")
    text = error_of(ImageError, tmp_path, split)
    assert text == (
        f"{tmp_path / root / 'rgb'}: 3 pairs, but 1 label images of their names: missing a, c"
        "; missing_labels: true takes them as unlabelled"
    )
    pairs = find_pairs(tmp_path, FOLDER, split, missing_labels=True)
    assert [pair.label for pair in pairs] == [None, tmp_path / root / "label" / "b.png", None]


def test_no_label_folder_at_all_is_unlabelled(tmp_path):
    put_pairs(tmp_path, "a", "b", folders=("rgb", "thermal"))
    pairs = find_pairs(tmp_path, FOLDER, "all")
    assert [pair.label for pair in pairs] == [None, None]


@pytest.mark.parametrize("folder", ["labels", "Masks/train", "val/gt"])
def test_labels_under_another_usual_name_are_told(tmp_path, folder):
    place = "val/" if folder.startswith("val") else ""
    put_pairs(tmp_path, "1", folders=(f"{place}rgb", f"{place}thermal"))
    (tmp_path / folder).mkdir(parents=True)
    (tmp_path / folder / "1.txt").write_text("0 0.5 0.5 0.1 0.1")  # boxes of a detector are no labels
    split, said = "val" if folder.startswith("val") else "all", []
    find_pairs(tmp_path, FOLDER, split, say=said.append)
    assert said == []
    put(tmp_path, f"{folder}/1.png")
    assert find_pairs(tmp_path, FOLDER, split, say=said.append)[0].label is None
    assert (
        len(said) == 1
        and "is not read: labels are expected in label/; rename it, or set the dataset's label: " in said[0]
    )


def test_labels_without_an_image_do_no_harm(tmp_path):
    put_pairs(tmp_path, "a")
    put(tmp_path, "label/z.png")
    assert names(find_pairs(tmp_path, FOLDER, "all")) == ["a"]


@pytest.mark.parametrize("folder", ["rgb", "thermal", "label"])
def test_a_folder_of_other_files_is_told(tmp_path, folder):
    """Labels above all: without this, pairs would be taken as unlabelled in silence."""
    put_pairs(tmp_path, "1", "2", folders=tuple({"rgb", "thermal"} - {folder}))
    (tmp_path / folder).mkdir()
    for file in ("1.npy", "2.npy", "notes.txt", ".hidden.png"):
        (tmp_path / folder / file).touch()
    with pytest.raises(ImageError) as error:
        find_pairs(tmp_path, FOLDER, "all")
    assert str(error.value) == (
        f"{tmp_path / folder}: expected images ({', '.join(SUFFIXES)}), found none but 2 files .npy, 1 files .txt "
        "(such as 1.npy): convert them to PNG"
    )


def test_images_in_folders_below_are_told(tmp_path):
    put(tmp_path, "rgb/monday/1.png", "rgb/tuesday/1.png", "thermal/1.png")
    with pytest.raises(ImageError, match="found none but the folders monday, tuesday: name one of these"):
        find_pairs(tmp_path, FOLDER, "all")
