"""Speed of training steps: this checkout alone, or in turns with another one, with the losses of both.

    python benchmarks/training.py config/train_street.yaml --threads 1
    git worktree add ../before REVISION
    python benchmarks/training.py config/train_street.yaml --threads 1 --against ../before --set amp=none

Crops are random and in memory: what is timed is the step (network, losses, backward, optimizer, average), not reading.
Each checkout has a process of its own, so that memory is kept as each of them keeps it; they take turns by steps.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve()


def main() -> None:
    options = _options()
    if options.serve:
        _serve(options)
        return
    checkouts = [HERE.parents[1], *([options.against.resolve()] if options.against else [])]
    workers = [_Worker(checkout) for checkout in checkouts]
    first = [worker.step() for worker in workers]
    for worker in workers:  # the second step's tensors are there from the first
        worker.step()
    for _ in range(options.rounds):
        for worker in workers:
            worker.timed.append(worker.step())
    crops = first[0]["crops"]
    for worker in workers:
        wall, cpu = ([step[name] for step in worker.timed] for name in ("wall_s", "cpu_s"))
        print(
            f"{worker.checkout}: {crops / statistics.median(wall):.2f} crops/s (median of {len(wall)} steps; "
            f"fastest {crops / min(wall):.2f}), processor time {statistics.median(cpu):.3f} s a step"
        )
        worker.end()
    print("first step:", first[0]["losses"])
    if options.against:
        this, other = workers
        wall = [b["wall_s"] / a["wall_s"] for a, b in zip(this.timed, other.timed)]
        cpu = [b["cpu_s"] / a["cpu_s"] for a, b in zip(this.timed, other.timed)]
        print(f"x {statistics.median(wall):.2f} (median of rounds; processor time x {statistics.median(cpu):.2f})")
        differences = [abs(first[0]["losses"][name] - first[1]["losses"][name]) for name in first[0]["losses"]]
        print(f"losses of the first step differ by at most {max(differences):.1e}")


class _Worker:
    """A process that trains with one checkout's code, a step at a time."""

    def __init__(self, checkout: Path):
        self.checkout, self.timed = checkout, []
        environment = {**os.environ, "PYTHONPATH": str(checkout)}
        command = [sys.executable, str(HERE), *sys.argv[1:], "--serve"]
        self._process = subprocess.Popen(
            command, cwd=checkout, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def step(self) -> dict:
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            sys.exit(f"training with {self.checkout} ended: see the error above")
        return json.loads(answer)

    def end(self) -> None:
        self._process.stdin.close()
        self._process.wait()


def _serve(options: argparse.Namespace) -> None:
    """A training step for every line that comes, its times and losses as a line of JSON."""
    from mrfs_ros.training.fit import Trainer
    from mrfs_ros.training.processes import join
    from mrfs_ros.training.train_config import load_config

    config = load_config(options.config, options.set)
    trainer = Trainer(config, [], join(options.device, options.threads))
    batch = _batch(config, len(trainer.classes))
    for _ in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        losses = {name: value.item() for name, value in trainer.train_step(batch, options.progress).items()}
        times = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
        print(json.dumps({**times, "losses": losses, "crops": config.batch_size}), flush=True)


def _batch(config, classes: int):
    """Noise in the shape of a batch, and labels in stripes."""
    import torch

    generator = torch.Generator().manual_seed(0)
    shape = (config.batch_size, 1, config.crop_height, config.crop_width)

    def noise(channels: int):
        return torch.randint(0, 256, (shape[0], channels, *shape[2:]), dtype=torch.uint8, generator=generator)

    stripes = torch.arange(config.crop_width) * classes // config.crop_width
    label = stripes.to(torch.uint8).expand(shape[0], *shape[2:]).contiguous()
    return {"rgb": noise(3), "thermal": noise(1), "label": label, "valid": torch.ones(shape, dtype=torch.uint8)}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path, help="settings of the run, as for mrfs train; its datasets are not read")
    parser.add_argument("--against", type=Path, help="another checkout of this project, to take turns with")
    parser.add_argument("--rounds", type=int, default=9, help="steps that are timed, after two (default: 9)")
    parser.add_argument("--threads", type=int, default=0, help="of torch; 0: its own choice (default: 0)")
    parser.add_argument("--progress", type=float, default=0.1, help="share of the run that is over (default: 0.1)")
    parser.add_argument("--device", default="cpu", help="cpu, cuda (default: cpu)")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting; repeatable")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
