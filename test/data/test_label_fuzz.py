"""Label files of every kind, whole and damaged, made at random: the right ids come out, or an error, never other ids.

``LABEL_FUZZ_CASES=2000 python -m pytest test/data/test_label_fuzz.py -m slow`` tries more.
"""

from __future__ import annotations

import io
import os
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from made_labels import COLOUR, COLOUR_ALPHA, GREY, GREY_ALPHA, PALETTE, VOC, png, upright
from PIL import Image

from mrfs_ros.data.dataset import DatasetConfig, PairDataset
from mrfs_ros.errors import ImageError
from mrfs_ros.types import UNLABELLED, ClassSet

CASES = int(os.environ.get("LABEL_FUZZ_CASES", "200"))
CLASSES = ClassSet("own", ("a", "b", "c", "d"), ((0, 0, 0), (200, 30, 30), (30, 200, 30), (30, 30, 200)))


class Case:
    """One label file: ``content``, and ``truth``, its (H, W) ids, None if no reading of it is right.

    ``may_fail``: an error is right too.
    """

    def __init__(self, seed: int):
        self.rng = np.random.default_rng((seed, 19))
        self.size = tuple(int(side) for side in self.rng.integers(1, 40, 2))
        self.label_map: dict[int, int] = {}
        self.may_fail = False
        self.kind = str(self.rng.choice(list(KINDS)))
        self.truth, self.content = KINDS[self.kind](self)
        if self.rng.random() < 0.25:
            self.kind += ", damaged"
            self.content, self.may_fail = self.damaged(), True

    def ids(self, count: int, ignored: bool = True) -> np.ndarray:
        ids = self.rng.integers(0, count, self.size)
        if ignored:
            ids[self.rng.random(self.size) < 0.1] = UNLABELLED
        return ids

    def damaged(self) -> bytes:
        """With one bit flipped, cut off, or one byte lost."""
        at, how = int(self.rng.integers(len(self.content))), self.rng.integers(3)
        if how == 0:
            flipped = bytes([self.content[at] ^ 1 << int(self.rng.integers(8))])
            return self.content[:at] + flipped + self.content[at + 1 :]
        return self.content[:at] + (b"" if how == 1 else self.content[at + 1 :])


def grey(case: Case):
    bits = int(case.rng.choice([1, 2, 4, 8, 16]))
    stored = case.ids(min(4, 2**bits), ignored=bits >= 8)
    return stored, png(stored, bits, GREY)


def palette(case: Case):
    bits = int(case.rng.choice([1, 2, 4, 8]))
    stored = case.ids(min(4, 2**bits), ignored=bits == 8)
    transparency = bytes(case.rng.integers(0, 256, 2, np.uint8)) if case.rng.random() < 0.5 else b""
    return stored, png(stored, bits, PALETTE, palette=VOC[: 2**bits], transparency=transparency)


def class_palette(case: Case):
    """A colour image that was saved as a palette, in any order: ids or colours, where they differ only an error."""
    stored, order = case.ids(4, ignored=False), case.rng.permutation(4)
    truth = order[stored]
    entries = order[: stored.max() + 1]
    case.may_fail = True
    content = png(stored, 8, PALETTE, palette=[CLASSES.colors[i] for i in entries])
    return truth if (truth != stored).any() else stored, content


def equal_channels(case: Case):
    stored = case.ids(4)
    if case.rng.random() < 0.5:
        return stored, png(np.dstack([stored] * 3), 8, COLOUR)
    alpha = np.full(case.size, 255)
    if case.rng.random() < 0.5:
        return stored, png(np.dstack([stored, alpha]), 8, GREY_ALPHA)
    return stored, png(np.dstack([stored] * 3 + [alpha]), 8, COLOUR_ALPHA)


def colours(case: Case):
    stored = case.ids(4, ignored=False)
    return stored, png(CLASSES.palette()[stored], 8, COLOUR)


def mapped(case: Case):
    """Ids of 16 bits, some of them not in the map."""
    sources = case.rng.choice(np.arange(256, 65536), 6, replace=False)
    case.label_map = {int(source): int(case.rng.integers(0, 4)) for source in sources[:5]}
    used = sources if case.rng.random() < 0.3 else sources[:5]
    stored = case.rng.choice(used, case.size)
    known = np.isin(stored, sources[:5]).all()
    table = np.zeros(65536, int)
    table[list(case.label_map)] = list(case.label_map.values())
    return (table[stored] if known else None), png(stored, 16, GREY)


def unknown(case: Case):
    stored = case.ids(4)
    stored[0, 0] = case.rng.integers(4, 255)
    return None, png(stored, 8, GREY)


def turned(case: Case):
    stored, orientation = case.ids(4), int(case.rng.integers(1, 9))
    shown = upright(stored, orientation)
    case.size = shown.shape
    return shown, png(stored, 8, GREY, orientation=orientation)


def lossy(case: Case):
    stored = case.ids(4, ignored=False).astype(np.uint8)
    kind = str(case.rng.choice(["JPEG", "WEBP", "JPEG2000"]))
    content = io.BytesIO()
    Image.fromarray(np.dstack([stored] * 3)).save(content, kind, quality=100)
    return None, content.getvalue()


def by_a_library(case: Case):
    stored = case.ids(4).astype(np.uint8)
    kind, options = [
        ("PNG", {}), ("PNG", {"optimize": True}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"}),
        ("TIFF", {"compression": "tiff_adobe_deflate"}), ("BMP", {}),
    ][case.rng.integers(6)]  # fmt: skip
    image = Image.fromarray(stored)
    if case.rng.random() < 0.5:
        image = image.convert("P")
        image.putpalette(VOC.ravel().tolist())
    content = io.BytesIO()
    image.save(content, kind, **options)
    return stored, content.getvalue()


KINDS = {
    made.__name__: made
    for made in (
        grey, palette, class_palette, equal_channels, colours, mapped, unknown, turned, lossy, by_a_library,
    )
}  # fmt: skip
UNCHECKED = (b"BM", b"II*", b"MM\0*")
"""Beginnings of formats without checksums: nobody can tell a changed pixel from a painted one."""


@pytest.mark.slow
def test_the_right_ids_or_an_error(tmp_path):
    outcomes: Counter[str] = Counter()
    for seed in range(CASES):
        case = Case(seed)
        outcome, label = result(tmp_path, case)
        outcomes[outcome] += 1
        if outcome == "ids":
            unchecked = case.kind.endswith("damaged") and case.content.startswith(UNCHECKED)
            wrong = case.truth is None or label.shape != case.truth.shape or (label != case.truth).any()
            assert not wrong or unchecked, f"seed {seed}: {case.kind}: {label}, not {case.truth}"
            outcomes["other ids, in a damaged file without a checksum"] += wrong
        else:
            assert case.truth is None or case.may_fail, f"seed {seed}: {case.kind}: {label}"
    print(dict(outcomes))
    assert outcomes["ids"] > CASES / 3 and outcomes["error"] > CASES / 8


def result(folder: Path, case: Case) -> tuple[str, np.ndarray | str]:
    """The label that a dataset makes of the case's file, or the text of its error; anything else is a failure."""
    for name, image in (
        ("rgb", np.full((*case.size, 3), 7, np.uint8)), ("thermal", np.full(case.size, 9, np.uint8)),
    ):  # fmt: skip
        (folder / name).mkdir(exist_ok=True)
        assert cv2.imwrite(str(folder / name / "a.png"), image)
    (folder / "label").mkdir(exist_ok=True)
    (folder / "label" / "a.png").write_bytes(case.content)
    config = DatasetConfig(root=str(folder), split="all", label_map=case.label_map)
    try:
        return "ids", PairDataset(config, CLASSES)[0].label
    except ImageError as error:
        assert "\n" not in str(error)
        return "error", str(error)
