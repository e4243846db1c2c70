"""YUV 4:2:0 images: a plane of luma, and chroma that four pixels share."""

from __future__ import annotations

from typing import Any

import numpy as np

from mrfs_ros.errors import ImageError

PLANAR = {"nv12": "NV12", "nv21": "NV21", "i420": "I420", "yuv420": "I420", "yv12": "YV12"}
"""Encoding of sensor_msgs/Image, and OpenCV's name of it."""
_INTERLEAVED = ("nv12", "nv21")  # u and v take turns; in the others each has a plane of its own


def check_planar(fields: Any, name: str) -> None:
    """Raise ImageError unless the bytes of ``ImageFields`` are as many as their size says."""
    height, width, step, size = fields.height, fields.width, fields.step, len(fields.data)
    if height % 2 or width % 2:
        raise ImageError(
            f"{name}: four pixels of {fields.encoding} share their colour: expected an even height and width, got "
            f"{height}x{width}; let the camera driver send another size or encoding",
            "odd_width",
        )
    if step < width:
        raise ImageError(
            f"{name}: {fields.encoding} of width {width} needs a step of at least {width} bytes, got {step}", "step"
        )
    if size not in (step * height * 3 // 2, width * height * 3 // 2):
        raise ImageError(
            f"{name}: {fields.encoding} of {height} rows of {step} bytes and half as many of chroma make "
            f"{step * height * 3 // 2}, but its data has {size} bytes",
            "data_size",
        )


def luma_and_chroma(fields: Any) -> tuple[np.ndarray, np.ndarray]:
    """(H, W) uint8 luma, and (H / 2, W) uint8 chroma, a row of u and v, of fields that ``check_planar`` let through."""
    height, width = fields.height, fields.width
    data = np.frombuffer(fields.data, np.uint8)
    # Some drivers (DepthAI) send rows without padding, and call one and a half of them a step.
    step = width if len(data) == width * height * 3 // 2 else fields.step
    luma, chroma = data[: height * step].reshape(height, step)[:, :width], data[height * step :]
    if fields.encoding in _INTERLEAVED:
        return luma, chroma.reshape(height // 2, step)[:, :width]
    halves = chroma[: height * (step // 2)].reshape(height, step // 2)[:, : width // 2]
    return luma, np.ascontiguousarray(halves).reshape(height // 2, width)


def planar_to_rgb(fields: Any) -> np.ndarray:
    """(H, W, 3) uint8, RGB, by BT.601 in video range."""
    import cv2  # here: asking whether a message can be read needs none of it

    whole = np.concatenate(luma_and_chroma(fields))
    return cv2.cvtColor(whole, getattr(cv2, f"COLOR_YUV2RGB_{PLANAR[fields.encoding]}"))
