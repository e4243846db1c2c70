"""The fusion metrics as slowly as their definitions read, pixel by pixel: the oracle of test_metrics.py."""

from __future__ import annotations

import math

import numpy as np

Image = list[list[int]]


def plain_pearson(one: list[float], other: list[float]) -> float:
    a, b = math.fsum(one) / len(one), math.fsum(other) / len(other)
    top = math.fsum((x - a) * (y - b) for x, y in zip(one, other))
    return top / math.sqrt(math.fsum((x - a) ** 2 for x in one) * math.fsum((y - b) ** 2 for y in other))


def plain_sf(f: Image) -> float:
    height, width = len(f), len(f[0])
    rows = [(f[y][x + 1] - f[y][x]) ** 2 for y in range(height) for x in range(width - 1)]
    columns = [(f[y + 1][x] - f[y][x]) ** 2 for y in range(height - 1) for x in range(width)]
    return math.sqrt(sum(rows) / len(rows) + sum(columns) / len(columns))


def plain_ag(f: Image) -> float:
    height, width = len(f), len(f[0])
    total = 0.0
    for y in range(height):
        for x in range(width):
            left, right, up, down = max(x - 1, 0), min(x + 1, width - 1), max(y - 1, 0), min(y + 1, height - 1)
            gx = (f[y][right] - f[y][left]) / (right - left)
            gy = (f[down][x] - f[up][x]) / (down - up)
            total += math.sqrt((gx * gx + gy * gy) / 2)
    return total / (height * width)


def plain_mi(f: Image, source: Image) -> float:
    pairs = [(a, b) for row_f, row_s in zip(f, source) for a, b in zip(row_f, row_s)]
    n = len(pairs)
    total = 0.0
    for a, b in set(pairs):
        both = pairs.count((a, b)) / n
        total += both * math.log(both / (sum(p[0] == a for p in pairs) / n) / (sum(p[1] == b for p in pairs) / n))
    return total


def plain_sobel(f: Image, y: int, x: int, mirrored: bool) -> tuple[float, float]:
    """(gx, gy) at one pixel; beyond the border the image is mirrored about its last pixel, or black."""
    height, width = len(f), len(f[0])

    def at(v: int, u: int) -> int:
        if mirrored:
            v, u = height - 1 - abs(height - 1 - abs(v)), width - 1 - abs(width - 1 - abs(u))
        return f[v][u] if 0 <= v < height and 0 <= u < width else 0

    gx = sum(w * (at(y + d, x + 1) - at(y + d, x - 1)) for d, w in ((-1, 1), (0, 2), (1, 1)))
    gy = sum(w * (at(y + 1, x + d) - at(y - 1, x + d)) for d, w in ((-1, 1), (0, 2), (1, 1)))
    return gx, gy


def plain_qabf(f: Image, *sources: Image) -> float:
    top = bottom = 0.0
    for y in range(len(f)):
        for x in range(len(f[0])):
            fx, fy = plain_sobel(f, y, x, mirrored=False)
            for source in sources:
                sx, sy = plain_sobel(source, y, x, mirrored=False)
                g, h = math.sqrt(sx * sx + sy * sy), math.sqrt(fx * fx + fy * fy)
                strength = h / g if g > h else g / h if g < h else g
                turn = abs((math.atan(-sy / sx) if sx else math.pi / 2) - (math.atan(-fy / fx) if fx else math.pi / 2))
                kept = 0.9994 / (1 + math.exp(-15 * (strength - 0.5)))
                kept *= 0.9879 / (1 + math.exp(-22 * (1 - turn / (math.pi / 2) - 0.8)))
                top, bottom = top + kept * g, bottom + g
    return top / bottom


def plain_nabf(f: Image, *sources: Image) -> float:
    def angle(gx: float, gy: float) -> float:
        return math.atan(gx / gy) if gy else math.copysign(math.pi / 2, gx) if gx else 0.0

    top = bottom = 0.0
    for y in range(len(f)):
        for x in range(len(f[0])):
            edge = [[g / 8 for g in plain_sobel(image, y, x, mirrored=True)] for image in (f, *sources)]
            h, *strengths = (math.sqrt(gx * gx + gy * gy) for gx, gy in edge)
            for g, (gx, gy) in zip(strengths, edge[1:]):
                weight = g**1.5 if g >= 2 else 0.001
                ratio = min(g, h) / max(g, h) if g and h else 0.0
                same = abs(abs(angle(gx, gy) - angle(*edge[0])) - math.pi / 2) * 2 / math.pi
                kept = 0.9999 / (1 + math.exp(-19 * (ratio - 0.5))) * 0.9995 / (1 + math.exp(-22 * (same - 0.5)))
                bottom += weight
                if h > max(strengths):
                    top += (1 - math.sqrt(kept)) * weight
    return top / bottom


def plain_ssim(f: Image, source: Image) -> float:
    values = []
    for y in range(len(f) - 6):
        for x in range(len(f[0]) - 6):
            a = [f[v][u] for v in range(y, y + 7) for u in range(x, x + 7)]
            b = [source[v][u] for v in range(y, y + 7) for u in range(x, x + 7)]
            mean_a, mean_b = sum(a) / 49, sum(b) / 49
            spread = sum((p - mean_a) ** 2 for p in a) / 48 + sum((q - mean_b) ** 2 for q in b) / 48
            together = sum((p - mean_a) * (q - mean_b) for p, q in zip(a, b)) / 48
            light = (2 * mean_a * mean_b + 6.5025) / (mean_a**2 + mean_b**2 + 6.5025)
            values.append(light * (2 * together + 58.5225) / (spread + 58.5225))
    return sum(values) / len(values)


def plain_vif(f: np.ndarray, source: np.ndarray) -> float:
    """One source; windows one by one, in two dimensions, with centred moments."""
    f, source = f.astype(float), source.astype(float)
    top = bottom = 0.0
    for side in (17, 9, 5, 3):
        r = np.arange(side) - side // 2
        window = np.exp(-(r[:, None] ** 2 + r[None] ** 2) / (2 * (side / 5) ** 2))
        window /= window.sum()

        def means(image, window=window):
            return (np.lib.stride_tricks.sliding_window_view(image, window.shape) * window).sum((-2, -1))

        if side < 17:
            f, source = means(f)[::2, ::2], means(source)[::2, ::2]
        for y in range(f.shape[0] - side + 1):
            for x in range(f.shape[1] - side + 1):
                a, b = source[y : y + side, x : x + side], f[y : y + side, x : x + side]
                a, b = a - (window * a).sum(), b - (window * b).sum()
                var_a, var_b, both = (window * a * a).sum(), (window * b * b).sum(), (window * a * b).sum()
                gain = max(both, 0) / var_a
                top += math.log10(1 + gain**2 * var_a / (var_b - gain * both + 2))
                bottom += math.log10(1 + var_a / 2)
    return top / bottom
