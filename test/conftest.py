"""Fixtures for all tests: small real weights, a sample pair, and a cache folder and ROS domain of their own."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mrfs_ros.ros.dds import profile_variable
from mrfs_ros.ros.domain import own_domain

if TYPE_CHECKING:
    import numpy as np  # not here: on import it reads the number of threads, which is set below

ROOT = Path(__file__).resolve().parent.parent

# Before anything imports rclpy, and inherited by every process that a test starts: a domain of our own (other workers
# and other runs must not be heard), this machine only, and the shipped Fast DDS profile, without which images get lost
# between processes. A ROS_DOMAIN_ID that was set is not used: somebody's node may listen there.
domain, domain_lock = own_domain()
os.environ["ROS_DOMAIN_ID"] = str(domain)
os.environ.setdefault("OMP_NUM_THREADS", "1")  # small images gain nothing by more, and other tests lose their cores
os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # threads that spin while they wait slow everybody down
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
os.environ[profile_variable()] = str(ROOT / "config" / "fastdds.xml")


@pytest.fixture(scope="session", autouse=True)
def shared_cache(tmp_path_factory) -> Iterator[Path]:
    """The cache folder of all workers and of all that tests start: C++ operators and graphs are made once a session.

    Speeds are recorded only in an ``empty_cache``. Files are renamed into place when they are whole, so workers can
    share the folder; where two make the same one at once, the second replaces the first.
    """
    folder = tmp_path_factory.getbasetemp()  # with xdist a worker's own, in one that is common to all
    folder = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "cache"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder / "mrfs_ros"


@pytest.fixture
def empty_cache(tmp_path, monkeypatch) -> Path:
    """Where one test's own cache folder will be: nothing is compiled, exported or recorded yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "mrfs_ros"


@pytest.fixture(scope="session")
def operators_loaded(shared_cache) -> None:
    """The C++ operators stay in the process, so that tests with an empty cache do not compile them again."""
    from mrfs_ros.config import NetworkConfig
    from mrfs_ros.engine.operators.native import NativeOperators
    from mrfs_ros.errors import MissingPackageError

    with contextlib.suppress(MissingPackageError):
        NativeOperators(NetworkConfig())


@pytest.fixture(scope="session")
def emulated_caller(shared_cache, tmp_path_factory) -> Path:
    """The program that runs the C++ operators for ARM, built here once a session; skips where that cannot be."""
    import emulated_arm

    if text := emulated_arm.missing():
        pytest.skip(text)
    program = shared_cache.parent / "operator_caller"
    program.parent.mkdir(exist_ok=True)
    if not program.exists():
        emulated_arm.build_caller(tmp_path_factory.mktemp("arm")).replace(program)
    return program


@pytest.fixture
def replaced_whole() -> Callable[[Path], contextlib.AbstractContextManager]:
    """Checks that a file is replaced, not written over: a second name keeps what was there before.

    Who writes over a file leaves half of it when he is killed.
    """

    @contextlib.contextmanager
    def check(path: Path) -> Iterator[None]:
        path.write_bytes(b"what was there")
        kept = path.with_name(f"{path.name}.kept")
        kept.hardlink_to(path)
        yield
        assert kept.read_bytes() == b"what was there"
        assert path.read_bytes() != b"what was there"
        kept.unlink()
        assert not list(path.parent.glob(f"{path.name}.*"))

    return check


@pytest.fixture
def set_threads() -> Iterator[Callable[[int], None]]:
    """Sets torch's number of threads, for one test."""
    import torch

    threads = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def small_encoders() -> Iterator[None]:
    """Encoders mit_b0 and mit_b1 of a hundredth of their weights, for the tests of a file."""
    from small_encoders import SMALL

    from mrfs_ros.network.encoder_sizes import VARIANTS

    with pytest.MonkeyPatch.context() as patch:
        for name, variant in SMALL.items():
            patch.setitem(VARIANTS, name, variant)
        yield


def written_weights(folder: Path) -> Path:
    """A safetensors file of a whole mit_b0 network with a narrow segmentation head."""
    from reference import reference_network

    from mrfs_ros.checkpoint import save_checkpoint
    from mrfs_ros.config import NetworkConfig
    from mrfs_ros.types import MFNET

    path = folder / "tiny.safetensors"
    save_checkpoint(path, reference_network(NetworkConfig(head_width=32)), MFNET, {"made by": "test/conftest.py"})
    return path


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory) -> Path:
    """A weights file: real, but quick to run."""
    return written_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def small_weights(small_encoders, tmp_path_factory) -> Path:
    """``tiny_weights`` with the small encoders: for this process, and for backends without operators of our own."""
    return written_weights(tmp_path_factory.mktemp("small_weights"))


@pytest.fixture(scope="session")
def exported_file(tiny_weights, shared_cache) -> Callable[..., Path]:
    """ONNX files of the tiny network for one pair of 64x96, made by "a test"; each once for all workers."""

    def made(side: int = 0, confidence: bool = False) -> Path:
        from mrfs_ros.checkpoint import read_checkpoint
        from mrfs_ros.engine.encoder_side import EncoderSide
        from mrfs_ros.engine.onnx_file import export_onnx
        from mrfs_ros.files import lock, made_folder

        path = made_folder(shared_cache.parent / f"exported_{side}_{confidence}") / "tiny.onnx"
        with lock(path.parent.with_suffix(".lock"), 300, "an export"):
            if not path.exists():
                file = read_checkpoint(tiny_weights)
                provenance, side_asked = {"made by": "a test"}, EncoderSide(side)
                shape = (1, 64, 96)
                export_onnx(path, file.network(), file.classes, shape, provenance, side_asked, confidence=confidence)
        return path

    return made


@pytest.fixture(scope="session")
def sample_pair() -> tuple[np.ndarray, np.ndarray]:
    """The first sample: rgb (512, 640, 3) and thermal (512, 640), uint8."""
    from mrfs_ros.camera.image_io import read_rgb, read_thermal

    return read_rgb(ROOT / "samples/rgb/190001.jpg"), read_thermal(ROOT / "samples/thermal/190001.jpg")


@pytest.fixture(scope="session")
def small_pair(sample_pair) -> tuple[np.ndarray, np.ndarray]:
    """A 96x128 cut of the sample, quick to run."""
    rgb, thermal = sample_pair
    return rgb[200:296, 100:228].copy(), thermal[200:296, 100:228].copy()
