"""Image messages to arrays and back; plain numpy wherever an encoding allows it."""

from __future__ import annotations

import array
from functools import cache

import numpy as np
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from mrfs_ros.engine.protocol import check_sizes
from mrfs_ros.errors import ImageError
from mrfs_ros.sensing.encoded import check_encoded, decode_rgb, decode_thermal
from mrfs_ros.sensing.image_fields import ImageFields, check_rgb, check_thermal, rgb_image, thermal_image
from mrfs_ros.sensing.pair_source import CAMERAS, RGB

_LATEST_S = 2**31 - 100  # near the end of a stamp's range, sums overflow
_BRIDGED = ("bayer_", "yuv", "uyvy", "yuyv", "nv12", "nv21", "nv24")


def check_message(camera: int, message: Image | CompressedImage) -> None:
    """Raise ImageError for an image of ``RGB`` or ``THERMAL`` that cannot be read, without touching its pixels.

    What else is wrong with a compressed image, or one for cv_bridge, only shows when it is read.
    """
    if not 0 <= message.header.stamp.sec <= _LATEST_S:
        raise ImageError(f"stamp: expected 0 to {_LATEST_S} s, got {message.header.stamp.sec} s", "bad_stamp")
    if isinstance(message, CompressedImage):
        check_encoded(message.data, f"compressed {CAMERAS[camera]} image ({message.format})", CAMERAS[camera])
    elif camera == RGB and message.encoding.startswith(_BRIDGED):
        _check_cv_bridge(message.encoding)
    else:
        (check_rgb if camera == RGB else check_thermal)(_fields(message))


def check_pair_messages(rgb: Image | CompressedImage, thermal: Image | CompressedImage) -> None:
    """Raise ImageError for two raw images whose sizes do not make a pair."""
    if isinstance(rgb, Image) and isinstance(thermal, Image):
        check_sizes((rgb.height, rgb.width), (thermal.height, thermal.width))


def rgb_array(message: Image | CompressedImage) -> np.ndarray:
    """(H, W, 3) uint8, RGB, of a colour image message; ImageError says why when there is none in it."""
    if isinstance(message, CompressedImage):
        return decode_rgb(message.data, f"compressed rgb image ({message.format})")
    if message.encoding.startswith(_BRIDGED):
        return _through_cv_bridge(message)
    return rgb_image(_fields(message))


def thermal_array(message: Image | CompressedImage) -> np.ndarray:
    """(H, W) uint8 of an 8-bit thermal image message; ImageError says why when there is none in it."""
    if isinstance(message, CompressedImage):
        return decode_thermal(message.data, f"compressed thermal image ({message.format})")
    return thermal_image(_fields(message))


def image_message(pixels: np.ndarray, encoding: str, header: Header) -> Image:
    """An Image of (H, W) or (H, W, C) uint8 ``pixels``; ``header`` is used as it is."""
    message = Image(header=header, height=pixels.shape[0], width=pixels.shape[1], encoding=encoding)
    message.step = pixels.shape[1] * (pixels.shape[2] if pixels.ndim == 3 else 1)
    data = array.array("B")  # the one type that rclpy assigns fast under all its settings
    data.frombytes(memoryview(np.ascontiguousarray(pixels)).cast("B"))
    message.data = data
    return message


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


def _fields(message: Image) -> ImageFields:
    return ImageFields(message.height, message.width, message.encoding, message.step, message.data)


@cache
def _cv_bridge():
    """cv_bridge, or the error that its import gives; tried once."""
    try:
        import cv_bridge
    except ImportError as error:
        return error
    return cv_bridge


def _check_cv_bridge(encoding: str):
    """Return cv_bridge, or raise the ImageError that says how to get it."""
    bridge = _cv_bridge()
    if isinstance(bridge, ImportError):
        raise ImageError(
            f"rgb image: encoding {encoding!r} needs cv_bridge (apt install ros-$ROS_DISTRO-cv-bridge), which cannot "
            f"be imported ({bridge}); or let the camera driver publish rgb8",
            "rgb_encoding",
        )
    return bridge


def _through_cv_bridge(message: Image) -> np.ndarray:
    bridge = _check_cv_bridge(message.encoding)
    try:
        return bridge.CvBridge().imgmsg_to_cv2(message, "rgb8")
    except Exception as error:  # its binary part fails in many ways, at import under NumPy 2 too
        raise ImageError(
            f"rgb image: cv_bridge cannot convert {message.encoding!r}: {error}", "rgb_encoding"
        ) from error
