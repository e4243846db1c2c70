"""Settings of a dataset: one split of a folder of RGB-thermal pairs, with or without labels."""

from __future__ import annotations

from dataclasses import dataclass

from mrfs_ros.config import MAX_IMAGE_PIXELS, setting
from mrfs_ros.data.layouts import LAYOUTS

LABEL_VALUES = ("auto", "ids", "colors")


@dataclass(frozen=True, kw_only=True)
class DatasetConfig:
    """One split of one dataset; the folder names override those of the layout."""

    root: str = setting("", "Folder of the dataset; relative paths start at the file that names it.")
    layout: str = setting("folder", "How the folder is arranged.", choices=tuple(LAYOUTS))
    split: str = setting("train", "Sub-folder or list (SPLIT.txt) to take; all = every pair.")
    rgb: str = setting("", "Folder of the colour images; empty = the layout's.")
    thermal: str = setting(
        "",
        "Folder of the thermal images; empty = the layout's; simulated = none, training draws thermal from the labels.",
    )
    label: str = setting("", "Folder of the labels; empty = the layout's.")
    rgb_name: str = setting("", "Names of the colour images, {} for what a pair has in common; empty = found.")
    thermal_name: str = setting("", "Names of the thermal images, such as {}_ir; empty = found.")
    label_name: str = setting("", "Names of the labels, such as {}_mask; empty = found.")
    calibration: str = setting("", "File of mrfs calibrate that brings thermal onto the colour image; empty = none.")
    label_map: dict = setting({}, "Label id in the files: id of the network (255 = ignore); others stay as they are.")
    label_values: str = setting(
        "auto",
        "What label files store: ids (grey, palette index), colors (those of the classes); auto = as each file says.",
        choices=LABEL_VALUES,
    )
    materials: dict = setting({}, "Label id in the files: material, for simulated thermal; see SceneDataset.")
    share: float = setting(
        0.0,
        "Share of the training crops, in proportion to the other datasets' shares; 0 = by number of pairs.",
        low=0,
        high=1e6,
    )
    missing_labels: bool = setting(False, "Pairs whose label file is missing are kept, for the fusion loss alone.")
    max_image_pixels: int = setting(
        MAX_IMAGE_PIXELS,
        "Pixels that an image may have; larger ones are refused by their header.",
        low=1024,
        high=2**31,
    )
    cache: bool = setting(
        True, "Keep decoded images in memory, height x width x 5 bytes a pair, up to half of what is free."
    )
