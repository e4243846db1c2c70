"""Layouts of public datasets, and of any folder of pairs: the files of a split."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mrfs_ros.data.names import NamePattern, camera_patterns, partners
from mrfs_ros.errors import ConfigError, ImageError, some

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
_TEXTS = (".txt", ".json", ".yaml", ".yml", ".csv", ".xml", ".md", ".ini", ".db")  # beside images; .db: Windows' thumbs


@dataclass(frozen=True)
class Layout:
    """Folder names of a dataset; ``thermal`` None = the fourth channel of the rgb files, ``label`` None = no labels.

    ``holes``: thermal pixels of 0 are holes that the sensor left, to be filled.
    """

    rgb: str
    thermal: str | None
    label: str | None
    holes: bool = False


LAYOUTS = {
    "folder": Layout("rgb", "thermal", "label"),
    "mfnet": Layout("images", None, "labels"),
    "mfnet_folders": Layout("visible", "infrared", "label"),
    "msrs": Layout("vi", "ir", "Segmentation_labels"),
    "fmb": Layout("Visible", "Infrared", "Label"),
    "pst900": Layout("rgb", "thermal", "labels", holes=True),
    "llvip": Layout("visible", "infrared", None),
    "roadscene": Layout("crop_LR_visible", "cropinfrared", None),
}
"""MFNet (Ha et al., 2017; 4-channel files, or folders as the released MRFS code wants them), MSRS (Tang et al., 2022),
FMB (Liu et al., 2023), PST900 (Shivakumar et al., 2020), LLVIP (Jia et al., 2021), RoadScene (Xu et al., 2020), and
``folder``: rgb/, thermal/, label/ and lists."""


_LABEL_FOLDERS = re.compile(r"(label|mask|annotation|segmentation)(_label)?s?|gt|ground_truth", re.IGNORECASE)
"""Usual names of a folder of labels."""


@dataclass(frozen=True)
class PairFiles:
    """Files of one pair; ``thermal`` equals ``rgb`` for 4-channel files, ``label`` None = unlabelled."""

    name: str
    rgb: Path
    thermal: Path
    label: Path | None


@dataclass(frozen=True)
class Names:
    """Patterns of file names, {} for what the files of a pair have in common; "" = to be found."""

    rgb: str = ""
    thermal: str = ""
    label: str = ""


def find_pairs(
    root: Path,
    layout: Layout,
    split: str,
    missing_labels: bool = False,
    *,
    names: Names = Names(),
    say: Callable[[str], object] = lambda line: None,
) -> list[PairFiles]:
    """The pairs of ``split``, sorted by name or in the order of its list.

    A split is a folder (``root/SPLIT/FOLDER`` or ``root/FOLDER/SPLIT``) or a list ``root/SPLIT.txt`` of names over
    ``root/FOLDER``; split ``all`` takes every file of ``root/FOLDER``. Files of one name, or of names that have enough
    in common (``partners``), are a pair, which has the rgb file's name; lists may say what is common. ImageError when
    folders, lists and files do not fit together; labels may only be missing one by one with ``missing_labels``, or all
    together. ``say``: is told how names were matched, and of labels under another name.
    """
    if Path(split).is_absolute() or ".." in Path(split).parts:
        raise ConfigError(f"split {split!r}: expected a folder or a list inside {root}")
    rgb_folder, is_split = _folder(root, layout.rgb, split)
    thermal_folder = rgb_folder if layout.thermal is None else _folder(root, layout.thermal, split)[0]
    shared = layout.thermal is not None and thermal_folder == rgb_folder
    if shared and not (names.rgb or names.thermal) and (patterns := camera_patterns(images_in(rgb_folder))):
        names = Names(*patterns, names.label)
    for folder in dict.fromkeys((rgb_folder, thermal_folder)):
        if unread := unread_in(folder):
            say(unread)
    rgbs = images_in(rgb_folder, names.rgb if shared else "")
    matched = _Matched(rgbs, say)
    thermals = rgbs
    if layout.thermal is not None:
        thermals = matched.by_rgb_name(images_in(thermal_folder, names.thermal if shared else ""), names, "thermal")
    labels = matched.by_rgb_name(_labels(root, layout, split), names, "label")
    if not labels and layout.label:
        for folder in _other_labels(root, split):
            expected = f"labels are expected in {layout.label}/"
            say(f"{folder} is not read: {expected}; rename it, or set the dataset's label: {folder.name}")
    chosen = [matched.common.get(name, name) for name in _names(root, split, rgbs, is_split)]
    if not chosen:
        raise ImageError(f"{rgb_folder}: expected images ({', '.join(SUFFIXES)}) of split {split!r}, found none")
    _check_complete(rgb_folder, chosen, rgbs, "rgb")
    partner_in = rgbs if is_split or split == "all" else None
    _check_complete(rgb_folder, chosen, thermals, "thermal", partner_in, naming="rgb_name, thermal_name")
    if labels and not (missing_labels and labels.keys() & rgbs.keys()):
        hint = "" if missing_labels else "; missing_labels: true takes them as unlabelled"
        _check_complete(rgb_folder, chosen, labels, "label", hint=hint, naming="rgb_name, label_name")
    return [PairFiles(name, rgbs[name], thermals[name], labels.get(name)) for name in chosen]


class _Matched:
    """Files of the other folders under the names of their rgb files; ``common``: what is common -> rgb file's name."""

    def __init__(self, rgbs: dict[str, Path], say: Callable[[str], object]):
        self._rgbs, self._say = rgbs, say
        self.common: dict[str, str] = {}

    def by_rgb_name(self, files: dict[str, Path], names: Names, kind: str) -> dict[str, Path]:
        """``files`` by rgb name; those without a partner by their own names, with suffix where names were matched."""
        own = getattr(names, kind)
        # A pattern of rgb names was given for both others: where labels have rgb's names it would only be in the way.
        pattern = "" if kind == "label" and not own and self._rgbs.keys() & files.keys() else names.rgb
        found = partners(self._rgbs, files, pattern, own, options=f"rgb_name, {kind}_name")
        if not found.rule:
            return files
        if found.of:
            self._say(f"rgb and {kind} files are paired by their names: {found.rule}")
        self.common |= {common: name for name, (common, _) in found.of.items() if common not in self._rgbs}
        taken = {other: name for name, (_, other) in found.of.items()}
        return {taken.get(name, path.name): path for name, path in files.items()}


def _folder(root: Path, folder: str, split: str) -> tuple[Path, bool]:
    """The folder of a split, and whether it holds this split alone."""
    candidates = (root / split / folder, root / folder / split, root / folder)
    for path in candidates:
        if path.is_dir():
            return path, path != candidates[-1]
    raise ImageError(
        f"{root}: expected a folder {' or '.join(str(p.relative_to(root)) for p in candidates)}: none found"
    )


def _labels(root: Path, layout: Layout, split: str) -> dict[str, Path]:
    if layout.label is None:
        return {}
    try:
        folder, _ = _folder(root, layout.label, split)
    except ImageError:  # no label folder at all: pairs for fusion alone
        return {}
    return images_in(folder)


def _other_labels(root: Path, split: str) -> list[Path]:
    """Folders of images under another usual name of labels."""
    folders = [path for place in (root, root / split) if place.is_dir() for path in place.iterdir() if path.is_dir()]
    named = [folder for folder in folders if _LABEL_FOLDERS.fullmatch(folder.name)]
    return [folder for folder in named if any(path.suffix.lower() in SUFFIXES for path in folder.rglob("*"))]


def images_in(folder: Path, pattern: str = "") -> dict[str, Path]:
    """Name (without suffix) -> image file of a folder, sorted by name.

    ``pattern``: takes those alone whose names are of it, such as ``{}_rgb``. ImageError when two have one name, and for
    a folder that holds other things but no image that is read; an empty one has none.
    """
    content = [path for path in folder.iterdir() if not path.name.startswith(".")]  # ._NAME.png: left by macOS
    files = [path for path in content if path.suffix.lower() in SUFFIXES]
    if content and not files:
        raise ImageError(f"{folder}: expected images ({', '.join(SUFFIXES)}), {_held(content)}")
    images: dict[str, Path] = {}
    for path in sorted(files):
        if path.stem in images:
            raise ImageError(f"{path}: {images[path.stem].name} has the same name: expected one image a name")
        images[path.stem] = path
    if not pattern:
        return images
    wanted = NamePattern.parsed(pattern, "file names")
    return {name: path for name, path in images.items() if wanted.common(name) is not None}


def unread_in(folder: Path) -> str:
    """Files beside the images of a folder that are not read as such, for people; "" if none, texts left out."""
    content = [path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")]
    unread = sorted(path for path in content if path.suffix.lower() not in (*SUFFIXES, *_TEXTS))
    if not unread:
        return ""
    kinds = some(sorted({path.suffix.lower() or "without a suffix" for path in unread}))
    return (
        f"{folder}: files that are not read: {len(unread)} ({kinds}; such as {unread[0].name}): convert images to PNG"
    )


def _held(content: list[Path]) -> str:
    """What a folder holds in place of images, and what to do."""
    if folders := sorted(path.name for path in content if path.is_dir()):
        return f"found none but the folders {some(folders)}: name one of these, or put all images into one folder"
    kinds = Counter(path.suffix.lower() or "without a suffix" for path in content)
    found = ", ".join(f"{count} files {kind}" for kind, count in kinds.most_common(3))
    return f"found none but {found} (such as {min(content).name}): convert them to PNG"


def _names(root: Path, split: str, rgbs: dict[str, Path], is_split: bool) -> list[str]:
    if is_split or split == "all":
        return sorted(rgbs)
    if Path(split).name != split:
        raise ConfigError(f"split {split!r}: expected the bare name of a list in {root}, no path")
    path = root / f"{split}.txt"
    if not path.is_file():
        raise ImageError(f"{path}: no such list: expected one name a line, or split: all for every pair")
    try:
        text = path.read_text(encoding="utf-8-sig")  # Windows editors put a mark before the first name
    except UnicodeDecodeError as error:
        raise ImageError(f"{path}: expected UTF-8 text, one name a line") from error
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise ImageError(f"{path}: expected one name a line, got an empty list")
    for line in lines:
        if Path(line).name != line:
            raise ImageError(f"{path}: {line!r}: expected a bare file name, no path")
    names = [Path(line).stem if Path(line).suffix.lower() in SUFFIXES else line for line in lines]
    for name, count in Counter(names).items():
        if count > 1:
            raise ImageError(f"{path}: {name!r} is listed more than once")
    return names


def _check_complete(
    folder: Path,
    names: list[str],
    files: dict[str, Path],
    kind: str,
    others: dict | None = None,
    *,
    hint: str = "",
    naming: str = "",
) -> None:
    """ImageError unless every name has its file, and with ``others`` every file its partner there.

    ``hint``: what to do. ``naming``: settings that say how names differ, for when no name has a file.
    """
    missing = [name for name in names if name not in files]
    if missing:
        if naming and len(missing) == len(names) and files:
            hint = f", not {some(sorted(files))}; if names differ, say how by {naming}, such as {{}}_{kind}"
        raise ImageError(
            f"{folder}: {len(names)} pairs, but {len(names) - len(missing)} {kind} images of their names: "
            f"missing {some(missing)}{hint}"
        )
    if others is not None and (extra := sorted(files.keys() - others.keys())):
        raise ImageError(
            f"{folder}: {len(others)} rgb images, but {len(files)} {kind} images: without partner {some(extra)}"
        )
