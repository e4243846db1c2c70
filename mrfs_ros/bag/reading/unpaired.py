"""Images of a bag that are in no pair: how many of each camera, whether that is a loss, and what keeps them apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mrfs_ros.bag.reading.image_index import ImageIndex
from mrfs_ros.bag.reading.matching import Matches, match_recorded
from mrfs_ros.bag.reading.pair_gaps import usual_period
from mrfs_ros.bag.settings import HEADER
from mrfs_ros.config import NodeConfig
from mrfs_ros.pairing.stamp_advice import stamp_remedy
from mrfs_ros.types import CAMERAS, RGB, THERMAL

_HOLE = 1.5  # periods of the slower camera without a pair: an image of it is missing


@dataclass(frozen=True)
class Unpaired:
    """``counts``: images of rgb and of thermal that can be read and are in no pair, ``of`` so many.

    ``why``: what keeps them apart, if there should have been more pairs; empty for the surplus of a faster camera, and
    for an image at the beginning or the end whose partner was not recorded any more.
    """

    counts: tuple[int, int] = (0, 0)
    of: tuple[int, int] = (0, 0)
    why: str = ""

    def __str__(self) -> str:
        """How many, of how many; empty if there are none."""
        if not any(self.counts):
            return ""
        (rgb, thermal), (all_rgb, all_thermal) = self.counts, self.of
        return f"images without a partner: {rgb} of {all_rgb} rgb, {thermal} of {all_thermal} thermal"

    @property
    def loss(self) -> str:
        """The same and why; empty if it is no loss."""
        return f"{self}; {self.why}" if self.why else ""


def unpaired(index: ImageIndex, matches: Matches, config: NodeConfig, stamp: str) -> Unpaired:
    """Judge what ``matches`` leaves; ``stamp``: which time paired, HEADER or RECORDED."""
    usable = [camera.mask() for camera in index.cameras]
    free = [mask & ~matches.used(camera, len(mask)) for camera, mask in enumerate(usable)]
    counts = int(free[RGB].sum()), int(free[THERMAL].sum())
    of = int(usable[RGB].sum()), int(usable[THERMAL].sum())
    if not any(counts) or not _is_loss(index, free, config):
        return Unpaired(counts, of)
    why = _why(index, free, matches, config), _other_clock(index, matches, config, stamp)
    return Unpaired(counts, of, "; ".join(filter(None, why)))


def _is_loss(index: ImageIndex, free: list[np.ndarray], config: NodeConfig) -> bool:
    """Whether there is a time without a pair in which the slower camera should have had an image."""
    epochs = [camera.epochs() for camera in index.cameras]
    if len(epochs[RGB]) != len(epochs[THERMAL]):
        return True
    offsets = 0, round(config.thermal_time_offset_s * 1e9)
    for parts in zip(*epochs):
        times = [index.cameras[c].stamps()[part] + offsets[c] for c, part in enumerate(parts)]
        paired = [time[~free[c][part]] for c, (time, part) in enumerate(zip(times, parts))]
        periods = [usual_period(time) for time in times]
        slower = RGB if periods[RGB] > periods[THERMAL] else THERMAL
        if not len(paired[slower]):
            return True
        begin, end = min(time[0] for time in times), max(time[-1] for time in times)
        holes = np.diff(np.concatenate([[begin], paired[slower], [end]]))
        inside = (
            free[slower][parts[slower]] & (times[slower] > paired[slower][0]) & (times[slower] < paired[slower][-1])
        )
        if inside.any() or (holes > _HOLE * periods[slower]).any():
            return True
    return False


def _why(index: ImageIndex, free: list[np.ndarray], matches: Matches, config: NodeConfig) -> str:
    for camera, own in enumerate(index.cameras):
        if not any(own.usable):
            return f"there is no {CAMERAS[camera]} image that can be read"
    falls = [camera.fall_s() for camera in index.cameras]
    epochs = [len(camera.epochs()) for camera in index.cameras]
    if epochs[RGB] != epochs[THERMAL]:
        camera = THERMAL if falls[THERMAL] else RGB
        return (
            f"the {CAMERAS[camera]} stamps fall back by {falls[camera]:.2f} s in the bag and those of the other camera "
            "do not: that clock was set while it recorded"
        )
    gap_s = nearest_s(index, config, free)
    if not len(matches) and gap_s is not None:
        return stamp_remedy(gap_s)  # who says that there are no pairs names the gap
    texts = [_longest_run(index, free, camera) for camera in (RGB, THERMAL) if free[camera].any()]
    if gap_s is not None and abs(gap_s) >= config.slop_s:
        texts.append(f"the nearest stamps of these are {abs(gap_s):.4f} s apart, slop_s is {config.slop_s:g}")
    return "; ".join(texts)


def _longest_run(index: ImageIndex, free: list[np.ndarray], camera: int) -> str:
    """Where most images of a camera in a row have no partner."""
    numbers = np.concatenate(index.cameras[camera].epochs())
    edges = np.flatnonzero(np.diff(np.concatenate([[False], free[camera][numbers], [False]]).astype(np.int8)))
    begins, ends = edges[::2], edges[1::2]
    longest = int(np.argmax(ends - begins))
    first, last = (int(numbers[place]) for place in (begins[longest], ends[longest] - 1))
    stamps = index.cameras[camera].stamp_ns
    from_s, to_s = ((stamps[number] - stamps[int(numbers[0])]) / 1e9 for number in (first, last))
    name, times = CAMERAS[camera], f"{from_s:.2f} to {to_s:.2f} s"
    which = f"{name} image {from_s:.2f} s" if first == last else f"{name} images {times}"
    return f"no {CAMERAS[1 - camera]} image is left for the {which} after the first {name} image"


def nearest_s(index: ImageIndex, config: NodeConfig, free: list[np.ndarray] | None = None) -> float | None:
    """The smallest difference of stamps, thermal minus rgb [s]; of the images ``free`` only, (n,) bool a camera."""
    masks = free or [camera.mask() for camera in index.cameras]
    rgb, thermal = (np.sort(camera.stamps()[mask]) for camera, mask in zip(index.cameras, masks))
    if not len(rgb) or not len(thermal):
        return None
    thermal = thermal + round(config.thermal_time_offset_s * 1e9)
    places = np.searchsorted(thermal, rgb)
    before, after = thermal[np.maximum(places - 1, 0)] - rgb, thermal[np.minimum(places, len(thermal) - 1)] - rgb
    gaps = np.concatenate([before, after])
    return float(gaps[np.argmin(np.abs(gaps))]) / 1e9


def unpaired_before(index: ImageIndex, matches: Matches) -> list[np.ndarray]:
    """For each camera and pair, how many images in no pair came since the pair before; the last has those after it."""
    counts = []
    for camera, own in enumerate(index.cameras):
        free = own.mask() & ~matches.used(camera, len(own))
        places = np.minimum(np.frombuffer(matches.waited[camera], np.int64)[free], len(matches) - 1)
        counts.append(np.bincount(np.maximum(places, 0), minlength=len(matches)))
    return counts


def _other_clock(index: ImageIndex, matches: Matches, config: NodeConfig, stamp: str) -> str:
    """The way out, if the time of recording is one."""
    if stamp != HEADER:
        return ""
    by_log = match_recorded(index, config)
    if by_log <= len(matches):
        return ""
    return f"by the time of recording there are {by_log} pairs instead of {len(matches)}: --stamp recorded"
