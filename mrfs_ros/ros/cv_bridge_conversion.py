"""cv_bridge as the converter of camera messages: where it is installed, for what it gives the package's own pixels.

Its binary, where it was built for another NumPy than the one installed, ends the process with a segmentation fault. So
it is tried in a process of its own first: on an image of each kind that it may get.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache, partial
from importlib.util import find_spec

import numpy as np

from mrfs_ros.camera.conversion import OWN, Conversion, Kind, digest_of, kind_of, pixel_bytes, trial_images
from mrfs_ros.camera.image_fields import ImageFields
from mrfs_ros.errors import ImageError

TRIAL_S = 60.0  # at most, of a machine that is busy starting
_DESIRED = {"rgb": "rgb8", "thermal": "passthrough"}


def camera_conversion() -> tuple[Conversion, str]:
    """How the node converts images, and one line that says so: by cv_bridge where that can be."""
    if find_spec("cv_bridge") is None:
        return OWN, "images are converted by this package: cv_bridge is not installed"
    try:
        trial = subprocess.run(
            [sys.executable, "-m", "mrfs_ros.ros.cv_bridge_conversion"], capture_output=True, text=True, timeout=TRIAL_S
        )
    except subprocess.TimeoutExpired:
        return OWN, f"images are converted by this package: trying cv_bridge took longer than {TRIAL_S:g} s"
    if trial.returncode:
        why = f"signal {-trial.returncode}" if trial.returncode < 0 else (trial.stderr.strip().splitlines() or [""])[-1]
        return OWN, (
            f"images are converted by this package: cv_bridge ended its process ({why}): "
            f"was it built for another NumPy than {np.__version__}?"
        )
    images = trial_images()
    equal = {kind for kind, digest in _results(trial.stdout) if digest == digest_of(_own(kind, images[kind]))}
    if not equal:
        why = (trial.stderr.strip().splitlines() or ["other pixels"])[-1]
        return (
            OWN,
            f"images are converted by this package: cv_bridge does none of {len(images)} kinds alike ({why})",
        )
    by_bridge = Conversion(*(partial(_convert, camera, equal) for camera in _DESIRED))
    return by_bridge, (
        f"images are converted by cv_bridge: it gives this package's pixels for {len(equal)} of {len(images)} "
        "kinds of images, the others are converted here"
    )


def _own(kind: Kind, fields: ImageFields) -> np.ndarray:
    return getattr(OWN, kind.camera)(fields)


def _convert(camera: str, by_bridge: set[Kind], fields: ImageFields) -> np.ndarray:
    pixel = pixel_bytes(camera).get(fields.encoding)
    if pixel is None or kind_of(camera, fields, pixel) not in by_bridge:
        return getattr(OWN, camera)(fields)
    try:
        return _bridged(camera, fields)
    except Exception as error:  # of OpenCV, Boost or cv_bridge
        raise ImageError(
            f"{camera} image: cv_bridge failed on {fields.encoding} ({type(error).__name__}: {error}): let the camera "
            "driver send another encoding, or remove cv_bridge, without which this package converts",
            "cv_bridge",
        ) from error


@cache
def _bridge():
    from cv_bridge import CvBridge

    return CvBridge()  # it fills tables: once, not for each image


def _bridged(camera: str, fields: ImageFields) -> np.ndarray:
    return _bridge().imgmsg_to_cv2(fields, _DESIRED[camera])


def _results(text: str) -> Iterator[tuple[Kind, str]]:
    """Kinds and digests as the trial prints them; other lines, of whoever prints there too, are passed over."""
    for line in text.splitlines():
        try:
            *kind, digest = json.loads(line)
            yield Kind(*kind), digest
        except (ValueError, TypeError):
            continue


def _try() -> None:
    for kind, fields in trial_images().items():
        try:
            print(json.dumps([*kind, digest_of(_bridged(kind.camera, fields))]))
        except Exception as error:  # cv_bridge does not know this kind
            print(kind, type(error).__name__, error, file=sys.stderr)


if __name__ == "__main__":
    _try()
