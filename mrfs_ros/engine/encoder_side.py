"""Encoder side: the short side [pixels] at which encoders, IGM-Att and PC-Att see a pair of any size."""

from __future__ import annotations

from dataclasses import dataclass

from mrfs_ros.errors import ConfigError, ImageError
from mrfs_ros.types import MIN_SIDE

WEIGHTS, AUTO = "weights", "auto"  # as the weights file says; measured on the machine, by the node
Size = tuple[int, int]
"""Height, width."""


@dataclass(frozen=True)
class EncoderSide:
    """``pixels``: the side; 0 = every image's own. ``reason``: why it is this one, empty if somebody asked for it.

    Where nobody asked for it, images whose short side is not larger are seen at their own size.
    """

    pixels: int = 0
    reason: str = ""

    def size(self, size: Size) -> Size | None:
        """At which size encoders see images of ``size``; None = their own.

        The short side becomes ``pixels``, the long one is scaled alike and rounded to whole pixels (halves up).
        ImageError for an image that is smaller than the side that somebody asked for.
        """
        short, long = sorted(size)
        if self.pixels > short and not self.reason:
            raise ImageError(
                f"encoder_side {self.pixels} is larger than the short side of an image of {size[0]}x{size[1]} (HxW): "
                f"expected 0 (the image's own size) or {MIN_SIDE} to {short}; {MIN_SIDE} is the smallest that works",
                "too_small",
            )
        if self.pixels in (0, short) or self.pixels > short:
            return None
        scaled = (2 * long * self.pixels + short) // (2 * short)
        return (self.pixels, scaled) if size[0] <= size[1] else (scaled, self.pixels)

    def __str__(self) -> str:
        side = f"{self.pixels} pixels" if self.pixels else "the image's own size"
        return f"{side} ({self.reason})" if self.reason else side


OWN = EncoderSide()
"""Every image's own side: the paper's way."""


def of_file(pixels: int) -> EncoderSide:
    """The side that a weights file says; 0 = it says none."""
    return EncoderSide(pixels, "as the weights file says" if pixels else "")


def asked_side(asked: str | int, file_pixels: int) -> EncoderSide:
    """The side that a user asks for, with that of the weights file where it is ``weights``.

    ConfigError for what is no side, and for ``auto``.
    """
    if asked == WEIGHTS:
        return of_file(file_pixels)
    if asked == AUTO:
        raise ConfigError(
            "encoder_side: auto is measured by the live node alone, for files must not depend on how busy a machine "
            "was: give the side that the node's log and diagnostics name, such as 240"
        )
    return EncoderSide(_pixels(asked))


def _pixels(asked: str | int) -> int:
    text = str(asked)
    pixels = int(text) if text.isascii() and text.isdigit() and len(text) <= 6 else -1
    if isinstance(asked, bool) or 0 < pixels < MIN_SIDE or pixels < 0:
        raise ConfigError(
            f"encoder_side: expected {WEIGHTS} (as the weights file says), {AUTO} (the node alone), 0 (the image's own "
            f"size) or whole pixels from {MIN_SIDE} up, the smallest that works, got {text!r}"
        )
    return pixels
