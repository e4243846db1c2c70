"""Messages to arrays and back, camera info for scaled images, compressed images."""

from __future__ import annotations

import struct

import cv2
import numpy as np
import pytest
from harness import image, numbered_pair
from sensor_msgs.msg import CameraInfo, CompressedImage
from std_msgs.msg import Header

from mrfs_ros.camera.messages import CameraMessages, check_message, stands_alone
from mrfs_ros.config import NodeConfig
from mrfs_ros.errors import ImageError
from mrfs_ros.preprocess import Preprocessor
from mrfs_ros.ros.image_messages import image_message, scaled_camera_info
from mrfs_ros.types import RGB, THERMAL

RGB_PIXELS, THERMAL_PIXELS = numbered_pair(7)


def rgb_array(message, say=lambda _: None) -> np.ndarray:
    return CameraMessages(say).rgb(message)


def thermal_values(message, say=lambda _: None) -> np.ndarray:
    return CameraMessages(say).thermal(message)


def test_round_trip():
    header = Header(frame_id="camera")
    message = image_message(RGB_PIXELS, "rgb8", header)
    assert (message.height, message.width, message.step, message.encoding) == (48, 64, 192, "rgb8")
    assert message.header.frame_id == "camera"
    assert (rgb_array(message) == RGB_PIXELS).all()
    assert (thermal_values(image_message(THERMAL_PIXELS, "mono8", header)) == THERMAL_PIXELS).all()


def test_strided_pixels_are_sent_right():
    assert (rgb_array(image_message(RGB_PIXELS[:, ::-1], "rgb8", Header())) == RGB_PIXELS[:, ::-1]).all()


def compressed(suffix: str, pixels: np.ndarray) -> CompressedImage:
    content = cv2.imencode(suffix, pixels if pixels.ndim == 2 else pixels[:, :, ::-1])[1]
    return CompressedImage(format=suffix[1:], data=content.tobytes())


def test_compressed_png_is_exact_and_jpeg_near():
    assert (rgb_array(compressed(".png", RGB_PIXELS)) == RGB_PIXELS).all()
    assert (thermal_values(compressed(".png", THERMAL_PIXELS)) == THERMAL_PIXELS).all()
    smooth = np.repeat(np.arange(64, dtype=np.uint8)[None], 48, axis=0) * 3
    assert np.abs(thermal_values(compressed(".jpg", smooth)).astype(int) - smooth).max() <= 4


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_deep_thermal_in_tiff_is_exact(dtype):
    """As image_transport compresses 16UC1 and 32FC1; a value may be none."""
    values = THERMAL_PIXELS.astype(dtype) * 7
    if dtype == np.float32:
        values[3, 4] = np.nan
    read = thermal_values(compressed(".tiff", values))
    assert read.dtype == dtype and np.array_equal(read, values, equal_nan=dtype == np.float32)


@pytest.mark.parametrize(
    "read, message, reason",
    [
        (rgb_array, CompressedImage(format="jpeg", data=b"no jpeg"), "rgb_damaged"),
        (rgb_array, CompressedImage(format="jpeg", data=b""), "rgb_damaged"),
        (rgb_array, compressed(".tiff", THERMAL_PIXELS.astype(np.float32)), "rgb_encoding"),
        (thermal_values, compressed(".png", RGB_PIXELS.astype(np.uint16)), "thermal_encoding"),
        (thermal_values, CompressedImage(format="png", data=b"\x89PNG\r\n\x1a\n" + b"\xff" * 40), "thermal_damaged"),
    ],
)
def test_compressed_images_that_cannot_be_used(read, message, reason):
    with pytest.raises(ImageError, match="compressed") as error:
        read(message)
    assert error.value.reason == reason


def test_a_grey_compressed_visible_camera_is_r_g_b_and_said_once():
    told = []
    camera = CameraMessages(told.append)
    for _ in range(3):
        read = camera.rgb(compressed(".png", THERMAL_PIXELS))
        assert (read == THERMAL_PIXELS[:, :, None]).all() and read.shape == RGB_PIXELS.shape
    assert len(told) == 1 and "rgb images are grey (png): taken as r = g = b" in told[0]


def test_colours_of_16_bits_in_a_png():
    assert (rgb_array(compressed(".png", RGB_PIXELS.astype(np.uint16) * 257)) == RGB_PIXELS).all()


def test_a_mosaic_that_image_transport_encoded_as_grey_gets_its_colours():
    mosaic = image(THERMAL_PIXELS, "bayer_rggb8", 0)
    encoded = compressed(".png", THERMAL_PIXELS)
    encoded.format = "bayer_rggb8; png compressed "
    assert (rgb_array(encoded) == rgb_array(mosaic)).all()


def test_compressed_depth_is_read_as_thermal_and_refused_as_rgb():
    counts = THERMAL_PIXELS.astype(np.uint16) * 8 + 29000
    content = struct.pack("<iff", 0, 0.0, 0.0) + cv2.imencode(".png", counts)[1].tobytes()
    message = CompressedImage(format="16UC1; compressedDepth png", data=content)
    check_message(THERMAL, message)
    read = thermal_values(message)
    assert read.dtype == np.uint16 and (read == counts).all() and not stands_alone(message)
    with pytest.raises(ImageError, match=r"compressed rgb image .* expected colours, got depth") as error:
        check_message(RGB, message)
    assert error.value.reason == "rgb_encoding"


def test_a_compressed_image_of_an_absurd_size_is_refused_by_its_header():
    """2^30 pixels; compressedDepth too. The limit is the parameter's."""
    head = struct.pack(">IIBBBBB", 2**15, 2**15, 16, 0, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + head + bytes(100)
    for form, data in (("png", png), ("16UC1; compressedDepth png", bytes(12) + png)):
        with pytest.raises(ImageError, match=r"32768x32768 .* expected at most 64 million") as error:
            check_message(THERMAL, CompressedImage(format=form, data=data))
        assert error.value.reason == "thermal_too_large"
    small = compressed(".png", RGB_PIXELS)
    Preprocessor(NodeConfig(max_image_pixels=48 * 64), say=print).check_message(RGB, small)
    with pytest.raises(ImageError, match=r"expected at most 0\.002 million"):
        Preprocessor(NodeConfig(max_image_pixels=2000), say=print).check_message(RGB, small)


@pytest.mark.parametrize(
    "message, alone",
    [
        (image(THERMAL_PIXELS, "mono8", 0), True),
        (image(RGB_PIXELS, "rgb8", 0), False),  # maybe false colours
        (image(THERMAL_PIXELS.astype(np.uint16), "mono16", 0), False),
        (compressed(".jpg", THERMAL_PIXELS), True),
        (compressed(".jpg", RGB_PIXELS), False),
        (compressed(".png", THERMAL_PIXELS.astype(np.uint16)), False),
    ],
)
def test_what_needs_no_memory_of_frames_before(message, alone):
    assert stands_alone(message) is alone


def test_checks_agree_with_reading():
    """What ``check_message`` lets through can be read, and what it refuses cannot."""
    good = [(RGB, image(RGB_PIXELS, "bgr8", 0)), (THERMAL, image(THERMAL_PIXELS, "8UC1", 0))]
    good += [(RGB, image(THERMAL_PIXELS, "bayer_rggb8", 0)), (RGB, image(THERMAL_PIXELS, "uyvy", 0, width=32))]
    good += [(RGB, image(THERMAL_PIXELS, "mono8", 0))]
    bad = [(RGB, image(THERMAL_PIXELS, "16SC1", 0)), (THERMAL, image(THERMAL_PIXELS, "mono8", 0, step=3))]
    for camera, message in good:
        check_message(camera, message)
        (rgb_array if camera == RGB else thermal_values)(message)
    for camera, message in bad:
        with pytest.raises(ImageError):
            check_message(camera, message)
        with pytest.raises(ImageError):
            (rgb_array if camera == RGB else thermal_values)(message)


def test_pairs_of_other_sizes_are_refused_before_they_are_read():
    rgb, other = image(RGB_PIXELS, "rgb8", 0), image(THERMAL_PIXELS[:40], "mono8", 0)
    check_pair_messages = Preprocessor(NodeConfig(), say=print).check
    with pytest.raises(ImageError, match="rgb is 48x64") as error:
        check_pair_messages(rgb, other)
    assert error.value.reason == "size_mismatch"
    check_pair_messages(rgb, None)
    check_pair_messages(compressed(".png", RGB_PIXELS), other)  # its size shows when it is decoded


def test_camera_info_is_scaled_with_the_image():
    info = CameraInfo(height=480, width=640, distortion_model="plumb_bob", d=[0.1, 0.2, 0.0, 0.0, 0.0])
    info.k = [500.0, 0.0, 320.0, 0.0, 510.0, 240.0, 0.0, 0.0, 1.0]
    info.r = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
    info.p = [500.0, 0.0, 320.0, -30.0, 0.0, 510.0, 240.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    half = scaled_camera_info(info, 240, 320, Header(frame_id="rgb"))
    assert (half.height, half.width, half.header.frame_id, half.distortion_model) == (240, 320, "rgb", "plumb_bob")
    assert half.k.tolist() == [250.0, 0.0, 160.0, 0.0, 255.0, 120.0, 0.0, 0.0, 1.0]
    assert half.p.tolist() == [250.0, 0.0, 160.0, -15.0, 0.0, 255.0, 120.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    assert list(half.d) == list(info.d)
    assert scaled_camera_info(info, 480, 640, Header()).k.tolist() == info.k.tolist()


def test_camera_info_of_a_binned_region_stays_and_scales_by_the_rest_only():
    info = CameraInfo(height=960, width=1280, binning_x=2, binning_y=2)
    info.k = [1000.0, 0.0, 640.0, 0.0, 1000.0, 480.0, 0.0, 0.0, 1.0]
    info.roi.x_offset, info.roi.y_offset, info.roi.width, info.roi.height = 64, 48, 640, 480
    assert scaled_camera_info(info, 240, 320, Header()) == info  # the region, binned, is what was sent
    half = scaled_camera_info(info, 120, 160, Header())
    assert half.k.tolist() == [500.0, 0.0, 320.0, 0.0, 500.0, 240.0, 0.0, 0.0, 1.0]
    assert (half.roi.x_offset, half.roi.y_offset, half.roi.width, half.roi.height) == (32, 24, 320, 240)
    assert (half.height, half.width, half.binning_x) == (480, 640, 2)


def test_stamps_out_of_range_are_refused():
    for second in (-1, 2**31 - 1):
        message = image(RGB_PIXELS, "rgb8", 0)
        message.header.stamp.sec = second
        with pytest.raises(ImageError, match="stamp: expected 0 to") as error:
            check_message(RGB, message)
        assert error.value.reason == "bad_stamp"


def test_compressed_garbage_is_refused_before_it_is_decoded():
    for data in (b"", b"no jpeg"):
        with pytest.raises(ImageError, match=r"compressed rgb image") as error:
            check_message(RGB, CompressedImage(format="jpeg", data=data))
        assert error.value.reason == "rgb_damaged"
    check_message(RGB, compressed(".jpg", RGB_PIXELS))


def test_camera_info_without_a_size_is_left_alone():
    info = CameraInfo(k=[500.0, 0.0, 320.0, 0.0, 510.0, 240.0, 0.0, 0.0, 1.0])
    assert scaled_camera_info(info, 240, 320, Header()).k.tolist() == info.k.tolist()
