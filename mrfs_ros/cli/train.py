"""``mrfs train``: a YAML file of settings in, a run folder with trained weights out."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

from mrfs_ros.cli.named_datasets import tell_notes
from mrfs_ros.cli.options import add_options, new_parser

EXAMPLES = """examples:
  mrfs train config/train_mfnet.yaml --out runs/mfnet
  mrfs train config/train_mfnet.yaml --out runs/mfnet --resume
  mrfs train my_robot.yaml --out runs/mine --time-budget 25m --set batch_size=16
  torchrun --nproc-per-node 2 -m mrfs_ros.cli.main train config/train_mfnet.yaml --out runs/mfnet

The run folder holds best.safetensors (the result: averaged weights, half precision, best mIoU on val),
last.safetensors, latest.pt (to go on from), config.yaml, run.json, metrics.jsonl and TensorBoard files:
tensorboard --logdir runs
"""


def add_parser(commands: argparse._SubParsersAction) -> argparse.ArgumentParser:
    """Add this command's parser and return it."""
    command = new_parser(
        commands,
        "train",
        summary="train on RGB-thermal pairs",
        description="Train the network on folders of RGB-thermal pairs with or without labels.",
        examples=EXAMPLES,
    )
    command.add_argument("config", type=Path, help="YAML file of settings, see config/train_mfnet.yaml")
    command.add_argument("--out", required=True, type=Path, help="run folder, made if missing")
    command.add_argument("--resume", action="store_true", help="go on from the run folder's last saved state")
    command.add_argument(
        "--time-budget", default="", metavar="TIME", help="end after this much training, such as 25m; the rate follows"
    )
    add_options(command, "--set", "--device")
    add_options(command, "--calibration")  # in place of the datasets' own
    return command


def run(arguments: argparse.Namespace) -> int:
    """Train to the end; the first process under torchrun writes the run folder."""
    from mrfs_ros.data.dataset import PairDataset
    from mrfs_ros.data.scenes import training_dataset
    from mrfs_ros.training.fit import Trainer, fit
    from mrfs_ros.training.logit_shift import shift_file
    from mrfs_ros.training.memory import limit_caches
    from mrfs_ros.training.processes import join
    from mrfs_ros.training.run_folder import RunFolder, load_state
    from mrfs_ros.training.train_config import duration_s, load_config

    config = load_config(arguments.config, arguments.set)
    if arguments.calibration:
        config = config.with_calibration(arguments.calibration)
    budget_s = duration_s(arguments.time_budget) if arguments.time_budget else 0.0
    processes = join(arguments.device, config.threads)
    try:
        classes = config.class_set()
        datasets = [training_dataset(entry, classes) for entry in config.datasets("train")]
        val = [PairDataset(entry, classes) for entry in config.datasets("val")]
        memory = limit_caches([*datasets, *val], processes.on_this_machine)
        if processes.first:
            tell_notes([*datasets, *val])
            print(memory, flush=True)
        pairs = sum(map(len, datasets))
        reading = partial(_bar, total=pairs, unit="pair", delay=2.0, leave=False) if processes.first else iter
        trainer = Trainer(config, datasets, processes, reading)
        folder = RunFolder(arguments.out, config, arguments.resume) if processes.first else None
        processes.wait()
        if arguments.resume:
            trainer.load_state(load_state(arguments.out))
        if folder:
            _describe(trainer, datasets, val, arguments.out)
        validate = _validation(val, config, processes) if val else None
        fit(trainer, datasets, folder, validate=validate, budget_s=budget_s, progress_bar=_bar)
        if folder and validate and config.shift_logits:
            shifts = shift_file(arguments.out / "best.safetensors", val, validate, processes.device)
            print(f"logit shifts: {shifts or 'none: the best mIoU is without'}")
    finally:
        processes.close()
    if folder:
        print(f"done after {trainer.step} steps: {arguments.out / 'best.safetensors'}")
    return 0


def _bar(*entries, **settings):
    from tqdm import tqdm

    return tqdm(*entries, **settings, dynamic_ncols=True, mininterval=1.0, file=sys.stderr)


def _describe(trainer, datasets, val, out: Path) -> None:
    labelled = {n: f"{c / trainer.pixels.sum():.2%}" for n, c in zip(trainer.classes.names, trainer.pixels) if c}
    print(
        f"{trainer.config.variant} on {trainer.processes.device}, {trainer.processes.world} process(es); "
        f"{sum(map(len, datasets))} pairs to learn from, {sum(map(len, val))} to choose on"
    )
    print(f"labelled pixels: {labelled or 'none: fusion only'}")
    if labelled and (missing := trainer.untrained_classes()):
        print(f"mrfs: warning: {_untrained(missing, len(trainer.classes))}", file=sys.stderr)
    print(f"run folder {out}, step {trainer.step} of {trainer.config.steps}")


def _untrained(names: list[str], classes: int) -> str:
    text = f"no label to learn from has a pixel of {', '.join(names)}: the network will not know it"
    return text + ("; 255 is ignored: for masks of 0 and 255 set label_map: {255: 1}" if classes == 2 else "")


def _validation(val, config, processes):
    """Scores of a network on the val datasets, as the training loop asks for them."""
    from mrfs_ros.engine import EngineInfo
    from mrfs_ros.engine.eager import EagerEngine

    def validate(network) -> dict[str, float]:
        from mrfs_ros.evaluation.dataset_scores import validation_scores

        info = EngineInfo(
            "eager",
            str(processes.device),
            network.config.variant,
            config.class_set(),
            "in training",
            encoder_side=config.side(),
        )
        return validation_scores(EagerEngine(network, info), val)

    return validate
