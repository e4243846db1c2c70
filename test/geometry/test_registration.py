"""Thermal onto the rgb grid: homographies, camera models, masks, sizes, against formulas written out here."""

from __future__ import annotations

import math
import time
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrfs_ros.errors import ConfigError, ImageError
from mrfs_ros.geometry.calibration_file import write_calibration
from mrfs_ros.geometry.camera_models import CameraModel, Homography, Stereo
from mrfs_ros.geometry.projection import normalised, project, to_thermal
from mrfs_ros.geometry.registration import Registration, SameView, load_registration

IDENTITY = np.eye(3)
PLAIN = ((400.0, 0, 160), (0, 410.0, 120), (0, 0, 1))


def ramp(height: int, width: int) -> np.ndarray:
    """An image whose grey tells the place: x + 2 y."""
    rows, columns = np.mgrid[:height, :width]
    return (columns + 2 * rows).astype(np.uint8)


def turned(x_deg: float, y_deg: float, z_deg: float) -> np.ndarray:
    """Rotation about x, then y, then z."""
    x, y, z = map(math.radians, (x_deg, y_deg, z_deg))
    about_x = [[1, 0, 0], [0, math.cos(x), -math.sin(x)], [0, math.sin(x), math.cos(x)]]
    about_y = [[math.cos(y), 0, math.sin(y)], [0, 1, 0], [-math.sin(y), 0, math.cos(y)]]
    about_z = [[math.cos(z), -math.sin(z), 0], [math.sin(z), math.cos(z), 0], [0, 0, 1]]
    return np.array(about_z) @ np.array(about_y) @ np.array(about_x)


def seen(camera: CameraModel, point) -> tuple[float, float]:
    """Pixel of a point in the camera's frame, by the formulas of the ROS camera models."""
    x, y = point[0] / point[2], point[1] / point[2]
    r = math.hypot(x, y)
    if camera.distortion_model in ("equidistant", "fisheye"):
        k = (*camera.D, 0, 0, 0, 0)
        theta = math.atan(r)
        far = theta * (1 + k[0] * theta**2 + k[1] * theta**4 + k[2] * theta**6 + k[3] * theta**8)
        x, y = (x * far / r, y * far / r) if r else (x, y)
    else:
        k1, k2, p1, p2, k3, k4, k5, k6 = (*camera.D, *[0.0] * 8)[:8]
        radial = (1 + k1 * r**2 + k2 * r**4 + k3 * r**6) / (1 + k4 * r**2 + k5 * r**4 + k6 * r**6)
        x, y = (
            x * radial + 2 * p1 * x * y + p2 * (r**2 + 2 * x**2),
            y * radial + p1 * (r**2 + 2 * y**2) + 2 * p2 * x * y,
        )
        s1, s2, s3, s4, tau_x, tau_y = (*camera.D[8:], *[0.0] * 6)[:6]
        x, y = x + s1 * r**2 + s2 * r**4, y + s3 * r**2 + s4 * r**4
        turn_x = np.array([[1, 0, 0], [0, math.cos(tau_x), math.sin(tau_x)], [0, -math.sin(tau_x), math.cos(tau_x)]])
        turn_y = np.array([[math.cos(tau_y), 0, -math.sin(tau_y)], [0, 1, 0], [math.sin(tau_y), 0, math.cos(tau_y)]])
        tilt = turn_y @ turn_x
        x, y, depth = (
            np.array([[tilt[2, 2], 0, -tilt[0, 2]], [0, tilt[2, 2], -tilt[1, 2]], [0, 0, 1]]) @ tilt @ (x, y, 1)
        )
        x, y = x / depth, y / depth
    return camera.K[0][0] * x + camera.K[0][2], camera.K[1][1] * y + camera.K[1][2]


LENSES = {
    "none": ("plumb_bob", ()),
    "plumb_bob": ("plumb_bob", (-0.31, 0.12, 0.001, -0.002, -0.02)),
    "rational": ("rational_polynomial", (0.6, 0.2, 0.0005, -0.001, 0.01, 0.9, 0.3, 0.02)),
    "radtan": ("radtan", (-0.2, 0.05, -0.001, 0.002)),
    "thin prism": ("rational_polynomial", (0.6, 0.2, 0.0005, -0.001, 0.01, 0.9, 0.3, 0.02, 0.01, -0.002, 0.02, 0.001)),
    "tilted": ("rational_polynomial", (0.1, 0, 0, 0, 0, 0.2, 0, 0, 0, 0, 0.01, 0, 0.03, -0.02)),
    "equidistant": ("equidistant", (-0.02, 0.005, -0.003, 0.0004)),
    "fisheye": ("fisheye", (0.03, -0.01, 0.002, -0.0001)),
}


def stereo(rgb_lens: str = "none", thermal_lens: str = "none", distance_m: float = 8.0) -> Stereo:
    return Stereo(
        thermal=CameraModel((240, 320), LENSES[thermal_lens][0], PLAIN, LENSES[thermal_lens][1]),
        rgb=CameraModel(
            (480, 640), LENSES[rgb_lens][0], ((520.0, 0, 322), (0, 518, 236), (0, 0, 1)), LENSES[rgb_lens][1]
        ),
        R=turned(1.5, -2.0, 0.7),
        t=(0.08, -0.02, 0.01),
        plane_distance_m=distance_m,
    )


@pytest.mark.parametrize("thermal_lens", LENSES)
@pytest.mark.parametrize("rgb_lens", LENSES)
def test_stereo_is_what_a_point_on_the_plane_projects_to(rgb_lens, thermal_lens):
    calibration = stereo(rgb_lens, thermal_lens)
    rotation, shift = np.array(calibration.R), np.array(calibration.t)
    for x in (-1.5, -0.4, 0.0, 1.7):
        for y in (-1.2, 0.0, 0.9):
            point = np.array((x, y, calibration.plane_distance_m))  # in the rgb camera's frame
            pixel = seen(calibration.rgb, point)
            expected = seen(calibration.thermal, np.linalg.inv(rotation) @ (point - shift))
            assert to_thermal(calibration, np.array([pixel]))[0] == pytest.approx(expected, abs=1e-3)


def test_the_right_distance_takes_the_parallax_away():
    near, far = np.array([(300.0, 200.0)]), stereo(distance_m=50.0)
    registration = Registration(far)
    registration.set_plane_distance_m(2.0)
    point = np.append((near[0] - (322, 236)) / (520, 518), 1) * 2.0
    expected = seen(far.thermal, np.array(far.R).T @ (point - np.array(far.t)))
    assert to_thermal(registration.calibration, near)[0] == pytest.approx(expected, abs=1e-6)
    assert np.abs(to_thermal(far, near)[0] - expected).max() > 10
    assert registration.plane_distance_m == 2.0


@pytest.mark.parametrize("lens", [lens for lens in LENSES if lens != "none"])
def test_distortion_there_and_back(lens):
    camera = CameraModel((240, 320), LENSES[lens][0], PLAIN, LENSES[lens][1])
    rows, columns = np.mgrid[0:240:13, 0:320:17]
    pixels = np.column_stack((columns.ravel(), rows.ravel())).astype(float)
    rays = normalised(camera, pixels)
    assert np.isfinite(rays).all()
    assert np.abs(project(camera, np.column_stack((rays, np.ones(len(rays))))) - pixels).max() < 1e-3


def test_no_ghosts_where_the_polynomial_turns_back_or_behind_the_camera():
    camera = CameraModel((240, 320), "plumb_bob", PLAIN, (-0.4, 0.0, 0.0, 0.0, 0.0))
    turning = 1 / math.sqrt(3 * 0.4)
    points = [(turning * 0.99, 0, 1), (turning * 1.05, 0, 1), (1.58, 0, 1), (0.1, 0, -1), (0, 0, 0)]
    assert np.isfinite(project(camera, np.array(points, float))[:, 0]).tolist() == [True, False, False, False, False]


def test_identity_leaves_every_pixel():
    thermal = ramp(96, 128)
    warped, valid = Registration(Homography(IDENTITY, (96, 128), (96, 128))).warp(thermal, (96, 128))
    assert (warped == thermal).all() and valid.all()


def test_scaled_sizes_are_a_resize():
    thermal = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (96, 128), np.uint8), (0, 0), 2)
    calibration = Homography([[2, 0, 0.5], [0, 2, 0.5], [0, 0, 1]], (48, 64), (96, 128))
    warped, valid = Registration(calibration).warp(thermal, (192, 256))
    expected, _ = SameView().prepared(thermal, (192, 256))
    assert (expected == cv2.resize(thermal, (256, 192), interpolation=cv2.INTER_LINEAR)).all()
    assert valid.all()
    assert np.abs(warped.astype(int) - expected).max() <= 2


@settings(max_examples=40, deadline=None)
@given(
    scale=st.floats(0.3, 2.0),
    turn_deg=st.floats(-30, 30),
    right=st.floats(-40, 40),
    down=st.floats(-40, 40),
    bend=st.tuples(st.floats(-1e-3, 1e-3), st.floats(-1e-3, 1e-3)),
)
def test_masks_are_exact(scale, turn_deg, right, down, bend):
    """A pixel is valid if and only if its centre falls into one of the thermal image's pixels."""
    cos, sin = scale * math.cos(math.radians(turn_deg)), scale * math.sin(math.radians(turn_deg))
    matrix = np.array([(cos, -sin, 20 + right), (sin, cos, 20 + down), (*bend, 1)])
    thermal, size = np.full((60, 80), 200, np.uint8), (72, 96)
    try:
        registration = Registration(Homography(matrix, thermal.shape, size))
    except ConfigError as error:
        assert "sees nothing" in str(error)
        return
    warped, valid = registration.warp(thermal, size)
    inverse = np.linalg.inv(matrix)
    for y in range(0, 72, 5):
        for x in range(0, 96, 5):
            u, v, w = inverse @ (x, y, 1)
            u, v = u / w, v / w
            ahead = matrix[2] @ (u, v, 1) > 0
            if min(abs(u + 0.5), abs(u - 79.5), abs(v + 0.5), abs(v - 59.5)) > 1e-6:
                assert valid[y, x] == (ahead and -0.5 <= u < 79.5 and -0.5 <= v < 59.5)
    assert (warped[valid] == 200).all() and not warped[~valid].any()


def test_warped_pixels_are_those_of_the_homography():
    matrix = np.array([(1.1, 0.05, 6.0), (-0.04, 1.05, 9.0), (2e-4, -1e-4, 1.0)])
    thermal = ramp(60, 80)
    warped, valid = Registration(Homography(matrix, (60, 80), (90, 100))).warp(thermal, (90, 100))
    inverse = np.linalg.inv(matrix)
    for y in range(20, 60, 4):
        for x in range(20, 80, 4):
            u, v, w = inverse @ (x, y, 1)
            if 0 <= u / w <= 79 and 0 <= v / w <= 59:
                assert valid[y, x]
                assert warped[y, x] == pytest.approx(u / w + 2 * v / w, abs=0.6)


def test_maps_are_made_once(monkeypatch):
    import mrfs_ros.geometry.registration as module

    made = []
    original = module.make_warp
    monkeypatch.setattr(module, "make_warp", lambda *a: made.append(a[1]) or original(*a))
    registration = Registration(stereo())
    thermal = ramp(240, 320)
    for size in ((480, 640), (480, 640), (240, 320), (240, 320)):
        registration.warp(thermal, size)
    assert len(made) == 2
    registration.set_plane_distance_m(3.0)
    first = registration.warp(thermal, (240, 320))[0]
    assert len(made) == 3
    registration.set_plane_distance_m(8.0)
    assert (registration.warp(thermal, (240, 320))[0] != first).any()


def test_threads_share_one_warp(monkeypatch):
    import mrfs_ros.geometry.registration as module

    original = module.make_warp
    monkeypatch.setattr(module, "make_warp", lambda *a: time.sleep(0.01) or original(*a))
    registration = Registration(stereo())

    def prepared(size: tuple[int, int]):
        return registration.prepared(ramp(240, 320), size)[1]

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(prepared, [(480, 640)] * 16))) == 1
        sizes = [(480, 640), (240, 320)] * 8  # whoever comes between, each gets its own size
        assert [warp.valid.shape for warp in pool.map(prepared, sizes)] == sizes


@pytest.mark.parametrize(
    "size, fits", [((480, 640), True), ((240, 320), True), ((512, 680), True), ((512, 640), False)]
)
def test_sizes_of_one_aspect_only(size, fits):
    for registration in (Registration(Homography(IDENTITY, (480, 640), (480, 640)), "calib.yaml"), SameView()):
        thermal = np.zeros((480, 640), np.uint8)
        if fits:
            registration.check_sizes((480, 640), size)
            image, warp = registration.prepared(thermal, size)
            assert (image if warp is None else warp(image)).shape == size
            continue
        with pytest.raises(ImageError, match=r"512x640 \(HxW\).*480x640.*mrfs calibrate") as caught:
            registration.prepared(thermal, size)
        assert caught.value.reason == "size_mismatch"


def test_the_thermal_size_counts_too():
    registration = Registration(Homography(IDENTITY, (480, 640), (480, 640)), "calib.yaml")
    with pytest.raises(ImageError, match=r"^calib.yaml: thermal is 100x640"):
        registration.check_sizes((100, 640), (480, 640))


def test_without_calibration_equal_sizes_are_the_same_array():
    thermal = ramp(48, 64)
    image, warp = SameView().prepared(thermal, (48, 64))
    assert image is thermal and warp is None
    smaller, _ = SameView().prepared(thermal, (24, 32))
    assert smaller.shape == (24, 32)


@pytest.mark.parametrize(
    "bad", [np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.uint16), [[1]], np.zeros((0, 4), np.uint8)]
)
def test_only_grey_bytes(bad):
    for registration in (SameView(), Registration(Homography(IDENTITY, (48, 64), (48, 64)))):
        with pytest.raises(ImageError, match=r"thermal: expected \(h, w\) uint8"):
            registration.prepared(bad, (48, 64))


def test_the_mask_cannot_be_spoilt():
    _, valid = Registration(Homography(IDENTITY, (48, 64), (48, 64))).warp(ramp(48, 64), (48, 64))
    with pytest.raises(ValueError):
        valid[0, 0] = False


def test_load_registration(tmp_path):
    assert isinstance(load_registration(""), SameView)
    with pytest.raises(ConfigError, match="plane_distance_m"):
        load_registration("", 3.0)
    path = tmp_path / "calib.yaml"
    write_calibration(path, stereo())
    assert load_registration(path).plane_distance_m == 8.0
    assert load_registration(str(path), 3.0).plane_distance_m == 3.0
    write_calibration(path, Homography(IDENTITY, (48, 64), (48, 64)))
    assert load_registration(path).plane_distance_m is None
    with pytest.raises(ConfigError, match="is a homography, made for one distance"):
        load_registration(path, 3.0)


@pytest.mark.parametrize("distance", [0.0, -1.0, math.nan, math.inf])
def test_a_bad_distance_changes_nothing(distance):
    registration = Registration(stereo())
    with pytest.raises(ConfigError, match="plane_distance_m"):
        registration.set_plane_distance_m(distance)
    assert registration.plane_distance_m == 8.0


def test_cameras_that_see_nothing_of_each_other():
    away = np.array([(1, 0, 5000.0), (0, 1, 0), (0, 0, 1)])
    with pytest.raises(ConfigError, match="sees nothing of the rgb image"):
        Registration(Homography(away, (48, 64), (48, 64)), "calib.yaml")
