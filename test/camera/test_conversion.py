"""Conversion of image messages against what cv_bridge made of the same bytes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mrfs_ros.camera.conversion import OWN, Kind, digest_of, kind_of, pixel_bytes, trial_images

# What ``python3 -m mrfs_ros.ros.cv_bridge_conversion`` printed with cv_bridge 1.16.2 and NumPy 1.24 (Debian 12), but
# for padded rows, which that version reads as if there were no padding.
RECORDED = Path(__file__).parent / "cv_bridge_1_16_2.jsonl"
NOT_KNOWN = {"8UC1", "8UC3", "8UC4", "16UC3", "16UC4", "uyvy", "yuv422_yuy2", "yuyv"}  # to it, as colours


def recorded() -> dict[Kind, str]:
    lines = [json.loads(line) for line in RECORDED.read_text().splitlines()]
    return {Kind(*kind): digest for *kind, digest in lines}


@pytest.mark.parametrize("kind", recorded(), ids=lambda kind: f"{kind.camera} {kind.encoding} {int(kind.is_bigendian)}")
def test_as_cv_bridge_did(kind):
    assert digest_of(getattr(OWN, kind.camera)(trial_images()[kind])) == recorded()[kind]


def test_every_kind_that_it_knew_is_recorded():
    known = {kind for kind in trial_images() if kind.camera == "thermal" or kind.encoding not in NOT_KNOWN}
    assert set(recorded()) == {kind for kind in known if not kind.padded}


@pytest.mark.parametrize("camera", ["rgb", "thermal"])
def test_padding_changes_no_pixel(camera):
    for encoding, pixel in pixel_bytes(camera).items():
        fields = trial_images()[Kind(camera, encoding, False, True)]
        rows = np.frombuffer(fields.data, np.uint8).reshape(fields.height, fields.step)[:, : fields.width * pixel]
        packed = type(fields)(fields.height, fields.width, encoding, rows.shape[1], rows.tobytes())
        assert kind_of(camera, packed, pixel) == Kind(camera, encoding, False, False)
        assert np.array_equal(getattr(OWN, camera)(fields), getattr(OWN, camera)(packed))


@pytest.mark.parametrize("change", [lambda x: x[:, ::-1], lambda x: x.astype(np.uint16), lambda x: x[:, :, None]])
def test_the_digest_sees_values_type_and_shape(change):
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert digest_of(pixels) == digest_of(np.asfortranarray(pixels))
    assert digest_of(change(pixels)) != digest_of(pixels)
