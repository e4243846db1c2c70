"""Training in two processes over gloo, as torchrun starts them: one set of weights, the one a single process gets."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from toy_run import CPU, course, metrics, train_in_two_parts, write_pairs, write_settings

import mrfs_ros
from mrfs_ros.errors import ConfigError
from mrfs_ros.training.fit import Trainer
from mrfs_ros.training.processes import Processes, join
from mrfs_ros.training.train_config import load_config

TEST = Path(__file__).resolve().parent.parent
SCRIPT = """
import sys
from pathlib import Path
from unittest.mock import patch
from small_encoders import SMALL
from toy_run import train_in_two_parts
from mrfs_ros.cli.main import main
from mrfs_ros.network.encoder_sizes import VARIANTS
from mrfs_ros.training import processes

VARIANTS.update(SMALL)
folder = Path(sys.argv[1])
group = processes.join("cpu", threads=1)
assert group.world == 2
train_in_two_parts(folder / "shared.yaml", group, folder)
command = ["train", str(folder / "command.yaml"), "--device", "cpu", "--out"]
with patch.object(processes, "join", lambda device, threads: group):  # processes join one group in their life
    with patch.object(processes.Processes, "close"):
        assert main([*command, str(folder / "runs" / "a")]) == 0
    sys.exit(main([*command, str(folder / "held")]))
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory, view) -> Path:
    """Two 64x64 frames."""
    return write_pairs(tmp_path_factory.mktemp("frames"), view, (64, 64))


@dataclass
class Together:
    """What two processes left in ``folder`` and printed."""

    folder: Path
    run: subprocess.CompletedProcess


@pytest.fixture(scope="module")
def together(tmp_path_factory, data, small_encoders) -> Iterator[Together]:
    """Two processes train by steps, then by the command, then into a folder that holds a run; removed afterwards."""
    folder = tmp_path_factory.mktemp("together")
    write_settings(folder / "shared.yaml", data, threads=1, batch_size=4, clip_norm=1.0, freeze_norms=0.0)
    val = [{"root": str(data), "split": "all"}]
    write_settings(folder / "command.yaml", data, threads=1, steps=3, log_every=1, val=val)
    (folder / "held").mkdir()
    (folder / "held" / "config.yaml").write_text("steps: 1\n")
    (folder / "script.py").write_text(SCRIPT)
    yield Together(folder, torchrun(str(folder / "script.py"), str(folder)))
    shutil.rmtree(folder)


def torchrun(*command: str, timeout_s: float = 300) -> subprocess.CompletedProcess:
    """Two processes of ``command``; all of them are gone when this returns."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone", *command]
    paths = os.pathsep.join(filter(None, (str(TEST), os.environ.get("PYTHONPATH"))))
    with tempfile.TemporaryDirectory() as logs:  # torchrun makes a folder for logs and leaves it there
        run = subprocess.Popen(
            launcher, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "TMPDIR": logs},
        )  # fmt: skip
        try:
            out, err = run.communicate(timeout=timeout_s)
        finally:
            run.terminate()  # on which it ends its processes; killed at once it would leave them
            run.wait(timeout=60)
    return subprocess.CompletedProcess(launcher, run.returncode, out, err)


def vector(tensors: dict[str, torch.Tensor]) -> torch.Tensor:
    return torch.cat([tensor.double().flatten() for tensor in tensors.values() if tensor.is_floating_point()])


@pytest.mark.slow
def test_two_processes_learn_what_one_does(tmp_path, together):
    """Steps of four crops, two in each process, without dropout and, as these differ by process, batch statistics.

    The first step's gradients agree as closely as float32 sums in another order do. Weights agree by the way they
    went, to 1%: Adam's first steps have the full size whatever the gradient's, also where that is rounding alone.
    """
    train_in_two_parts(together.folder / "shared.yaml", Processes(0, 1, CPU), tmp_path)
    for steps in (1, 3):
        first, second, alone = (
            torch.load(folder / f"after_{steps}_rank_{rank}_of_{world}.pt")
            for folder, rank, world in ((together.folder, 0, 2), (together.folder, 1, 2), (tmp_path, 0, 1))
        )
        assert first["state"]["step"] == second["state"]["step"] == steps
        for part in ("network", "average"):
            for name, tensor in first["state"][part].items():
                assert torch.equal(tensor, second["state"][part][name]), name
        if steps == 1:
            start, expected = vector(alone["state"]["network"]), vector(alone["gradients"])
            assert expected.norm().item() == pytest.approx(1.0, rel=1e-3)  # clipped, and alike in all
            assert (vector(first["gradients"]) - expected).norm() < 1e-4
    moved = vector(alone["state"]["network"]) - start
    assert moved.norm() > 0.1
    assert (vector(first["state"]["network"]) - start - moved).norm() < 0.01 * moved.norm()


@pytest.mark.slow
def test_the_first_process_writes_the_run_folder(together):
    out, printed = together.folder / "runs" / "a", together.run.stdout
    assert printed.count("done after 3 steps") == 1, together.run.stderr
    assert printed.count("mit_b0 on cpu, 2 process(es)") == 1
    assert {p.name for p in out.parent.iterdir()} == {"a", "latest"}
    names = {"config.yaml", "run.json", "metrics.jsonl", "latest.pt", "last.safetensors", "best.safetensors"}
    assert {p.name for p in out.iterdir()} == names
    assert list(course(out, "total")) == [1, 2, 3]
    assert len(metrics(out)) == len({(step, name) for step, name, _ in metrics(out)})
    assert mrfs_ros.load_network(out / "best.safetensors").config.num_classes == 3


@pytest.mark.slow
def test_an_error_of_the_first_process_ends_all(together):
    assert together.run.returncode != 0
    assert "mrfs: error: " in together.run.stderr
    assert "holds a run already" in together.run.stderr
    assert [p.name for p in (together.folder / "held").iterdir()] == ["config.yaml"]


def test_processes_that_cannot_share_a_batch_alike(tmp_path, data):
    config = load_config(write_settings(tmp_path / "settings.yaml", data, batch_size=6))
    with pytest.raises(ConfigError, match="batch_size: expected a multiple of the 4 processes, got 6"):
        Trainer(config, [], Processes(0, 4, CPU))


def test_one_process_needs_no_group():
    processes = join("cpu")
    assert processes == Processes(0, 1, CPU)
    assert processes.first
    assert processes.agree(0.25) == 0.25
    network = torch.nn.Linear(2, 2)
    assert processes.parallel(network) is network
    processes.wait()
    processes.close()
    assert not Processes(1, 2, CPU).first


def test_threads_are_set_where_asked_for(set_threads):
    set_threads(1)
    join("cpu", threads=2)
    assert torch.get_num_threads() == 2
    join("cpu")
    assert torch.get_num_threads() == 2


def test_a_device_that_is_not_there():
    with pytest.raises(ConfigError, match="device 'cuda:99' is not there"):
        join("cuda:99")
