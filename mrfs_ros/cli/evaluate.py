"""``mrfs evaluate``: a weights file over labelled or unlabelled pairs, scores and pictures out."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

from mrfs_ros.cli.named_datasets import add_dataset_options, named_datasets
from mrfs_ros.cli.options import add_network_options, add_options, new_parser, pixels
from mrfs_ros.cli.sheet import Sheet
from mrfs_ros.errors import ConfigError
from mrfs_ros.files import made_folder

EXAMPLES = """examples:
  mrfs evaluate --root /data/MFNet --layout mfnet --split test --weights models/mfnet.pth --out out/mfnet
  mrfs evaluate config/train_street.yaml --weights runs/street/best.safetensors --baselines --out out/street
  mrfs evaluate --root /data/LLVIP --layout llvip --split test --out out/llvip

The data are one dataset by --root, or those under val in a training configuration. The folder gets scores.md,
scores.json, frames.csv (every frame) and contact_sheet.jpg.
"""


def add_parser(commands: argparse._SubParsersAction) -> argparse.ArgumentParser:
    """Add this command's parser and return it."""
    command = new_parser(
        commands,
        "evaluate",
        summary="score segmentation and fusion on a dataset",
        description="Score the labels (IoU, accuracy) and fused images (EN, SD, SF, AG, MI, SCD, CC, VIF, Qabf, ...).",
        examples=EXAMPLES,
    )
    add_dataset_options(command, "scored")
    add_options(command, "--label-name")
    command.add_argument("--out", required=True, type=Path, help="folder for the results, made if missing")
    add_network_options(command)
    add_options(command, "--backend", "--label-groups")
    command.add_argument(
        "--window", type=pixels, metavar="HxW", help="slide a window of this size, stride 2/3, as the paper does"
    )
    command.add_argument("--stretch", action="store_true", help="stretch each fused image to its min and max first")
    command.add_argument("--baselines", action="store_true", help="score the inputs' plain average and maximum too")
    command.add_argument("--no-fusion", action="store_true", help="segmentation scores alone: quicker")
    add_options(command, "--sheet", default=12)
    return command


def run(arguments: argparse.Namespace) -> int:
    """Score everything, write the report, print its tables."""
    from tqdm import tqdm

    from mrfs_ros.evaluation.dataset_scores import evaluate
    from mrfs_ros.evaluation.score_report import markdown, write_report
    from mrfs_ros.studies.classical_fusion import average, maximum

    engine = _engine(arguments)
    groups = engine.label_groups
    datasets = named_datasets(arguments, groups.source if groups else engine.info.classes)
    made_folder(arguments.out)
    sheet = Sheet(sum(map(len, datasets.values())), arguments.sheet, partial(_panels, engine.info.classes))
    evaluation = evaluate(
        engine,
        datasets,
        fusion=not arguments.no_fusion,
        baselines={"average": average, "maximum": maximum} if arguments.baselines else None,
        stretch=arguments.stretch,
        label_groups=groups,
        watch=sheet.add,
        progress=lambda pairs: tqdm(pairs, unit="pair", file=sys.stderr, dynamic_ncols=True),
    )
    facts = _facts(engine, datasets, arguments)
    write_report(evaluation, arguments.out, facts)
    sheet.write(arguments.out / "contact_sheet.jpg")
    print(markdown(evaluation, facts))
    print(f"written to {arguments.out}: scores.md, scores.json, frames.csv, contact_sheet.jpg")
    return 0


def _engine(arguments: argparse.Namespace):
    from mrfs_ros.engine import load_engine
    from mrfs_ros.engine.encoder_side import WEIGHTS
    from mrfs_ros.engine.load import load_model, resolve_device
    from mrfs_ros.evaluation.sliding import sliding_engine
    from mrfs_ros.label_groups import read_label_groups

    if not arguments.window:
        return load_engine(
            arguments.weights,
            arguments.device,
            arguments.backend,
            classes=arguments.classes,
            encoder_side=arguments.encoder_side,
            label_groups=arguments.label_groups,
        )
    if arguments.backend not in ("auto", "eager"):
        raise ConfigError(f"--window runs on backend eager, not on {arguments.backend}: leave --backend out")
    if arguments.encoder_side not in (WEIGHTS, "0"):
        raise ConfigError("--window shows the encoders its own size, as the paper does: leave --encoder-side out")
    model = load_model(arguments.weights, arguments.classes)
    engine = sliding_engine(model.network, model.info("eager", resolve_device(arguments.device)), arguments.window)
    if arguments.label_groups:
        engine.use_label_groups(read_label_groups(arguments.label_groups, model.classes))
    return engine


def _facts(engine, datasets: dict, arguments: argparse.Namespace) -> dict[str, str]:
    return {
        "network": str(engine.info),
        "data": ", ".join(f"{name}: {len(dataset)} pairs" for name, dataset in datasets.items()),
        "encoder side": str(engine.info.encoder_side),
        "image": f"window {'x'.join(map(str, arguments.window))}, stride 2/3" if arguments.window else "whole",
        "fused image": "STRETCHED to its min and max before scoring"
        if arguments.stretch
        else "as the network gives it",
    }


def _panels(classes, pair, result) -> dict:
    """Inputs, fused image, predicted and true labels of a frame."""
    from mrfs_ros.draw import overlay

    return {
        f"rgb {pair.name}": pair.rgb,
        "thermal": pair.thermal,
        "fused": result.fused,
        "labels": overlay(result.fused, result.labels, classes),
        "truth" if pair.labelled else "no truth": overlay(result.fused, pair.label, classes),
    }
