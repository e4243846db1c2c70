"""tmp"""

from __future__ import annotations
from dataclasses import dataclass
import numpy as np, cv2


@dataclass(frozen=True)
class ImageObject:
    class_id: int
    name: str
    score: float
    x: int
    y: int
    width: int
    height: int
    area: int
    mean_celsius: float | None = None
    max_celsius: float | None = None

    @property
    def center(self):
        return self.x + self.width / 2, self.y + self.height / 2


def class_ids(names, classes):
    return [classes.names.index(n) for n in names] or list(range(1, len(classes)))


def find_objects(labels, confidence, classes, ids, min_area, celsius=None):
    out = []
    for i in ids:
        n, parts, stats, _ = cv2.connectedComponentsWithStats((labels == i).astype(np.uint8), connectivity=8)
        for k in range(1, n):
            x, y, w, h, a = map(int, stats[k])
            if a < min_area:
                continue
            m = parts == k
            out.append(
                ImageObject(
                    i,
                    classes.names[i],
                    float(confidence[m].mean() / 255),
                    x,
                    y,
                    w,
                    h,
                    a,
                    None if celsius is None else float(celsius[m].mean()),
                    None if celsius is None else float(celsius[m].max()),
                )
            )
    return out
