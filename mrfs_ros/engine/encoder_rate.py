"""``encoder_side: auto``: the largest of a few encoder sides at which this machine holds a rate."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from mrfs_ros.engine.encoder_side import EncoderSide
from mrfs_ros.types import MIN_SIDE

SHARES = (0.75, 0.5, 0.35, 0.25)  # of the image's short side
RESERVE = 0.1  # of a period, for what is not the engine's: messages, pairing
FRAMES = 7  # whose median counts, after one that plans memory


def tried_sides(short: int, file_pixels: int) -> list[int]:
    """The sides [pixels] that are tried for images whose short side is ``short``, the largest first.

    The largest is what the weights file says (``file_pixels``), or the image's own where it says none or a larger one:
    encoders do no better above it.
    """
    largest = file_pixels if 0 < file_pixels < short else short
    shares = [round(share * short) for share in SHARES]
    return [largest, *(side for side in shares if MIN_SIDE <= side < largest)]


def side_for_rate(sides: list[int], milliseconds: Callable[[EncoderSide], float], rate_hz: float) -> EncoderSide:
    """The first of ``sides`` whose pairs take at most a period of ``rate_hz`` less ``RESERVE``, or the last.

    ``milliseconds``: measures a side; those behind the first that holds the rate are not measured. The reason of the
    result says what was measured.
    """
    most_ms = (1 - RESERVE) * 1000 / rate_hz
    measured: dict[int, float] = {}
    for pixels in sides:
        measured[pixels] = milliseconds(EncoderSide(pixels))
        if measured[pixels] <= most_ms:
            break
    times = ", ".join(f"{side}: {ms:.1f} ms" for side, ms in measured.items())
    verdict = "the largest that holds" if measured[pixels] <= most_ms else "the smallest, but none holds"
    return EncoderSide(pixels, f"auto: {verdict} {rate_hz:g} Hz, {most_ms:.1f} ms a pair at most; measured {times}")


def median_ms(run: Callable[[], object]) -> float:
    """The median time of ``FRAMES`` calls [ms], after one that does not count."""
    run()
    times = []
    for _ in range(FRAMES):
        start = time.perf_counter()
        run()
        times.append(1000 * (time.perf_counter() - start))
    return float(np.median(times))
