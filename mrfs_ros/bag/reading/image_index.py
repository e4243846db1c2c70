"""Stamps of a bag's images, read before the images are decoded: 18 bytes an image stay in memory."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

import numpy as np

from mrfs_ros.pairing.pair_source import JUMP_NS


class CameraStamps:
    """The images of one camera in the order of the bag: ``stamp_ns`` that pairs them, ``log_ns`` of recording [ns].

    ``usable``: 1 where the image can be read; others have no stamp that counts.
    """

    def __init__(self) -> None:
        self.stamp_ns = array("q")
        self.log_ns = array("q")
        self.usable = bytearray()

    def __len__(self) -> int:
        return len(self.usable)

    def add(self, stamp_ns: int, log_ns: int, usable: bool) -> None:
        self.stamp_ns.append(stamp_ns)
        self.log_ns.append(log_ns)
        self.usable.append(usable)

    def stamps(self) -> np.ndarray:
        """``stamp_ns``, (n,) int64."""
        return np.frombuffer(self.stamp_ns, np.int64)

    def logs(self) -> np.ndarray:
        """``log_ns``, (n,) int64."""
        return np.frombuffer(self.log_ns, np.int64)

    def mask(self) -> np.ndarray:
        """``usable``, (n,) bool."""
        return np.frombuffer(self.usable, np.uint8).astype(bool)

    def epochs(self) -> list[np.ndarray]:
        """Numbers of the usable images, cut where the stamps fall back in the order of recording; each sorted by stamp.

        One that loops or whose clock was set back has several.
        """
        stamps, logs = self.stamps(), self.logs()
        numbers = np.flatnonzero(self.mask())
        numbers = numbers[np.argsort(logs[numbers], kind="stable")]
        begins, newest = [0], None
        for place, stamp in enumerate(stamps[numbers].tolist()):
            if newest is not None and stamp < newest - JUMP_NS:
                begins.append(place)
                newest = stamp
            newest = stamp if newest is None else max(newest, stamp)
        parts = np.split(numbers, begins[1:])
        return [part[np.argsort(stamps[part], kind="stable")] for part in parts if len(part)]

    def fall_s(self) -> float:
        """How far the stamps fall back at the first time that they do [s]; 0 if they never do."""
        parts = self.epochs()
        if len(parts) < 2:
            return 0.0
        return (self.stamp_ns[int(parts[0][-1])] - self.stamp_ns[int(parts[1][0])]) / 1e9


class ImageIndex:
    """Both cameras' stamps; ``order``: which camera (0 rgb, 1 thermal) each image of the bag is of."""

    def __init__(self) -> None:
        self.cameras = (CameraStamps(), CameraStamps())
        self.order = bytearray()

    def add(self, camera: int, stamp_ns: int, log_ns: int, usable: bool = True) -> None:
        """Take the next image of the bag."""
        self.order.append(camera)
        self.cameras[camera].add(stamp_ns, log_ns, usable)

    def in_order(self) -> Iterator[tuple[int, int]]:
        """(camera, number of its image) of all images, in the order of the bag."""
        numbers = [0, 0]
        for camera in self.order:
            yield camera, numbers[camera]
            numbers[camera] += 1
