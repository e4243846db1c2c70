"""Path of the trained model that comes with this package."""

from __future__ import annotations

from pathlib import Path

from mrfs_ros.errors import CheckpointError

MODEL = "mrfs_b0_street.safetensors"


def shipped_model() -> Path:
    """The path of the model that is used when none is named; CheckpointError with the places looked at if it is gone.

    In a checkout it lies in models/, in an installation (pip, colcon) in share/mrfs_ros/models.
    """
    package = Path(__file__).resolve().parent
    places = [package.parent / "models" / MODEL, *(p / "share/mrfs_ros/models" / MODEL for p in package.parents[3:4])]
    for path in places:
        if path.is_file():
            return path
    raise CheckpointError(
        f"the model that comes with mrfs_ros is not at {' or '.join(map(str, places))}: install the package again, "
        "or name a weights file (weights: untrained runs a network with random weights)"
    )
