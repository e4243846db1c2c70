"""Arrays to image messages, and camera info that fits them."""

from __future__ import annotations

import array

import numpy as np
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header


def image_message(pixels: np.ndarray, encoding: str, header: Header) -> Image:
    """An Image of (H, W) or (H, W, C) ``pixels``, little-endian; ``header`` is used as it is."""
    message = Image(header=header, height=pixels.shape[0], width=pixels.shape[1], encoding=encoding)
    message.step = pixels.nbytes // len(pixels)
    message.data = bytes_of(pixels)
    return message


def bytes_of(values: np.ndarray) -> array.array:
    """The bytes of an array as the one type that rclpy assigns fast under all its settings."""
    data = array.array("B")
    data.frombytes(np.ascontiguousarray(values).view(np.uint8).reshape(-1).data)
    return data


def scaled_camera_info(info: CameraInfo, height: int, width: int, header: Header) -> CameraInfo:
    """``info`` for an image of ``height`` x ``width`` pixels that shows the same view, under ``header``.

    Where the camera's roi and binning already make that size, nothing else changes; otherwise size, K, P and roi are
    scaled by what remains, D and R kept.
    """
    sx = width / _pixels_sent(info.roi.width or info.width, info.binning_x, width)
    sy = height / _pixels_sent(info.roi.height or info.height, info.binning_y, height)
    scaled = CameraInfo(header=header, distortion_model=info.distortion_model, d=info.d, r=info.r)
    scaled.height, scaled.width = round(info.height * sy), round(info.width * sx)
    scaled.k = [value * (sx if i < 3 else sy if i < 6 else 1.0) for i, value in enumerate(info.k)]
    scaled.p = [value * (sx if i < 4 else sy if i < 8 else 1.0) for i, value in enumerate(info.p)]
    scaled.binning_x, scaled.binning_y = info.binning_x, info.binning_y
    scaled.roi.do_rectify = info.roi.do_rectify
    scaled.roi.x_offset, scaled.roi.width = round(info.roi.x_offset * sx), round(info.roi.width * sx)
    scaled.roi.y_offset, scaled.roi.height = round(info.roi.y_offset * sy), round(info.roi.height * sy)
    return scaled


def _pixels_sent(region: int, binning: int, actual: int) -> int:
    """How many pixels a side of the image has by the camera info; ``actual`` where that says nothing."""
    return region // max(binning, 1) or actual
